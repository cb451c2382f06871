//! The page about the checks of oasdiff, and the rules that it names.

use std::collections::BTreeSet;

use openapi_diff::rules::find;

const PAGE: &str = include_str!("../../docs/oasdiff.md");

/// One row of the page.
struct Row {
    /// The ids of oasdiff.
    theirs: Vec<String>,
    state: &'static str,
    /// The last column.
    here: &'static str,
}

fn rows() -> Vec<Row> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" |").map(str::trim).collect();
        let [theirs, state, here] = cells[..] else {
            panic!("three cells: {line}");
        };
        Row {
            theirs: expand(theirs.trim_matches('`')),
            state,
            here,
        }
    })
    .collect()
}

/// The ids that a pattern stands for.
fn expand(pattern: &str) -> Vec<String> {
    let Some((start, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let (words, end) = rest.split_once('}').expect("a closed brace");
    let expanded = words
        .split(',')
        .flat_map(|word| expand(&format!("{start}{word}{end}")));
    expanded.collect()
}

/// The ids in backquotes that the last column names, but for keywords and extensions.
fn named(here: &str) -> Vec<String> {
    let quoted = here.split('`').skip(1).step_by(2);
    let ids = quoted.filter(|text| text.contains('-') && !text.starts_with("x-"));
    ids.flat_map(expand).collect()
}

#[test]
fn each_check_is_listed_once_with_a_known_state() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        let states = ["covered", "different", "not covered"];
        assert!(states.contains(&row.state), "{}", row.state);
        for id in row.theirs {
            assert!(seen.insert(id.clone()), "{id} is listed twice");
        }
    }
    assert!(seen.len() > 500, "{}", seen.len());
}

#[test]
fn each_rule_that_the_page_names_exists() {
    for row in rows() {
        let named = named(row.here);
        let same = row.here.starts_with("the same");
        assert!(
            row.state != "covered" || same || !named.is_empty(),
            "{:?}",
            row.theirs
        );
        let ours = named.iter().chain(row.theirs.iter().filter(|_| same));
        for id in ours {
            assert!(find(id).is_some(), "there is no rule {id}");
        }
    }
}

#[test]
fn what_is_not_covered_has_no_rule() {
    for row in rows().into_iter().filter(|row| row.state == "not covered") {
        for id in row.theirs {
            assert!(find(&id).is_none(), "{id} is covered");
        }
    }
}
