//! Writes the tables of `docs/reliability.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{env, fs};

use kling_omni_test_support::snapshots::contents;
use kling_omni_test_support::{fail, fail_on, sources};

use super::row::{Group, Operation, Row};

const PAGE: &str = "docs/reliability.md";
const HOW: &str = "INSTA_UPDATE=always cargo test -p kling-omni-tests conformance";
/// The snapshots with the crash matrix of the command-line program, by the kind of request.
const CRASHES: [(&str, &str); 2] = [
    (
        "A request whose tasks the service is known to list",
        "listed",
    ),
    (
        "A request for the older route, whose tasks it is not known to list",
        "unlisted",
    ),
];

/// Compares the page with the table, or updates it where insta updates its snapshots.
pub fn check(groups: &[Group]) {
    let page = sources::read(PAGE);
    let words = put(&put(&page, "rows", ""), "crash matrix", "");
    fail_on(unknown(&words, groups));
    let fresh = put(&page, "rows", &table(groups));
    let fresh = put(&fresh, "crash matrix", &crashes());
    if fresh == page {
        return;
    }
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(sources::root().join(PAGE), fresh).expect("the page can be written");
        return;
    }
    fail(&format!(
        "{PAGE} does not show the rows of tests/it/conformance/rows.yaml, or the crash matrix of the program.\nIf they are \
         right, write it again: `cargo xtask accept`, or `{HOW}`"
    ));
}

/// The page with the text between two markers replaced.
fn put(page: &str, name: &str, text: &str) -> String {
    let begin = format!("<!-- The {name}: written by `{HOW}` -->\n");
    let end = format!("<!-- The end of the {name} -->\n");
    let parts = page.split_once(&begin).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(&end)?;
        Some((head, tail))
    });
    let Some((head, tail)) = parts else {
        fail(&format!(
            "{PAGE} has no place for the {name}:\n{begin}{end}"
        ));
    };
    format!("{head}{begin}{text}\n{end}{tail}")
}

/// The results of the program's own tests.
fn crashes() -> String {
    let mut text = String::new();
    for (title, name) in CRASHES {
        let file = format!("crates/kling-omni-cli/tests/it/snapshots/crash-{name}.snap");
        let table = sources::read(&file);
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n### {title}\n\n{}\n", contents(&table));
    }
    text
}

/// Rows that the text names and the table does not have.
fn unknown(text: &str, groups: &[Group]) -> Vec<String> {
    let ids: BTreeSet<_> = groups
        .iter()
        .flat_map(|group| group.rows.iter().map(|row| row.id.as_str()))
        .collect();
    let letters: BTreeSet<_> = ids.iter().map(|id| &id[..1]).collect();
    let is_id = |word: &&str| {
        let (letter, number) = word.split_at_checked(1).unwrap_or_default();
        letters.contains(letter) && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
    };
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let named = words.filter(is_id).filter(|word| !ids.contains(word));
    named
        .map(|word| format!("{PAGE} names {word}, and there is no such row"))
        .collect()
}

fn table(groups: &[Group]) -> String {
    let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
    let mut text = format!("\n{rows} rows.\n");
    for group in groups {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n### {}\n\n{}", title(group.operation), HEAD);
        for row in &group.rows {
            let _ = writeln!(text, "{}", line(row));
        }
    }
    text
}

const HEAD: &str = "\
| | what happens | ends as | says charged | paid | sent | the way on | paid then |
| --- | --- | --- | --- | ---: | ---: | --- | ---: |
";

fn title(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "Create",
        Operation::Reconcile => "Reconcile",
        Operation::Status => "Status",
        Operation::List => "List",
        Operation::Wait => "Wait",
        Operation::Save => "Download",
        Operation::Webhook => "Webhook",
    }
}

fn line(row: &Row) -> String {
    let Row {
        id,
        what,
        fault,
        end,
        charged,
        charges,
        sent,
        resume,
        paid,
        ..
    } = row;
    let rules = fault.iter().map(|rule| format!("`{rule}`"));
    let happens: Vec<_> = what.clone().into_iter().chain(rules).collect();
    let happens = happens.join(" ");
    let charged = charged.as_deref().unwrap_or("–");
    let sent = sent.map_or_else(|| "–".to_owned(), |sent| sent.to_string());
    format!("| {id} | {happens} | {end} | {charged} | {charges} | {sent} | {resume} | {paid} |")
}
