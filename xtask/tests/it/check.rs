//! The report of `cargo xtask check`.

use openapi_diff::render::Format;
use xtask::check::render::render;
use xtask::check::{Checked, Finding, exit};
use xtask::exit::Exit;

fn finding(place: &str, fix: Option<&'static str>) -> Finding {
    Finding {
        check: "snapshots",
        place: place.to_owned(),
        message: "is not what the tests make".to_owned(),
        fix,
    }
}

fn checked(findings: Vec<Finding>) -> Vec<Checked> {
    vec![
        Checked {
            check: "rules",
            findings: Vec::new(),
        },
        Checked {
            check: "snapshots",
            findings,
        },
    ]
}

#[test]
fn the_worst_finding_decides_the_end() {
    let fixed = || finding("a.snap", Some("cargo xtask accept"));
    let person = || finding("b.snap", None);
    for (findings, want) in [
        (vec![], Exit::Done),
        (vec![fixed()], Exit::Stale),
        (vec![fixed(), fixed()], Exit::Stale),
        (vec![person()], Exit::NeedsHuman),
        (vec![fixed(), person()], Exit::NeedsHuman),
    ] {
        assert_eq!(exit(&checked(findings.clone())), want, "{findings:?}");
    }
}

#[test]
fn each_form_names_the_place_and_the_command() {
    let all = checked(vec![
        finding("tests/a.snap", Some("cargo xtask accept")),
        finding("a::test", None),
    ]);
    for format in [Format::Text, Format::Json, Format::Github, Format::Markdown] {
        let text = render(&all, format);
        for part in [
            "tests/a.snap",
            "a::test",
            "is not what",
            "cargo xtask accept",
        ] {
            assert!(text.contains(part), "{format:?} has no {part}: {text}");
        }
    }
    let github = render(&all, Format::Github);
    assert!(
        github.starts_with("::error file=tests/a.snap,title=snapshots::"),
        "{github}"
    );
    assert!(
        github.contains("\n::error title=snapshots::a%3A%3Atest")
            || github.contains("\n::error title=snapshots::a::test"),
        "{github}"
    );
    let json: serde_json::Value = serde_json::from_str(&render(&all, Format::Json)).expect("JSON");
    assert_eq!(json["exit"], 100);
}

#[test]
fn with_nothing_found_it_says_so() {
    let text = render(&checked(Vec::new()), Format::Text);
    assert!(text.ends_with("\nEverything agrees.\n"), "{text}");
}

#[test]
fn a_long_message_is_cut() {
    let mut long = finding("a", None);
    long.message = format!("{}\n{}", "ä".repeat(500), "line\n".repeat(50));
    let text = render(&checked(vec![long]), Format::Text);
    assert!(
        text.lines().all(|line| line.chars().count() < 220),
        "{text}"
    );
    assert!(text.contains("more lines"), "{text}");
}
