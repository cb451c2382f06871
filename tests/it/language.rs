//! The words of the documentation, the error texts and the code.

use std::collections::BTreeSet;

use kling_omni_test_support::{fail_on, sources};

/// Phrases that are hard to read, and what to write instead.
const PHRASES: &[(&str, &str)] = &[
    ("is no ", "\"is not a\", or say what it is"),
    ("is none", "say what is missing or wrong"),
    ("are none", "say what is missing or wrong"),
    ("held against", "\"validated against\" or \"compared with\""),
    ("anew", "\"again\""),
    ("whoever", "name the person or the program"),
    ("at the most", "\"at most\""),
    ("in company", "\"with others\""),
    ("nobody", "name what does not happen"),
    ("somebody", "name the person or the program"),
    (", so that ", "\"so\", or two sentences"),
    ("taken up again", "\"resumed\""),
    ("take up again", "\"resume\""),
    ("takes up again", "\"resumes\""),
    ("speaks against", "say which rule is violated"),
    ("heard of", "\"received\""),
    ("the field of which", "two sentences"),
    ("to see whether", "\"to check whether\""),
    ("as it were", "remove it"),
    ("in the air", "\"in flight\" or \"open\""),
];

/// Plain phrases that contain one of them.
const ALLOWED: &[&str] = &[
    "there is no ",
    "is no longer ",
    "is no more ",
    "is no less ",
];

/// Files that quote the phrases.
const EXEMPT: &[&str] = &["tests/it/language.rs"];

fn files() -> impl Iterator<Item = String> {
    sources::files_below("").into_iter().filter(|path| {
        let is_text = [".rs", ".md", ".yaml"]
            .iter()
            .any(|end| path.ends_with(end));
        let is_foreign = path.contains("/generated/") || path.starts_with("bench/peers/");
        is_text && !is_foreign && !EXEMPT.contains(&path.as_str())
    })
}

/// A sentence may be broken into lines: whitespace and the marks of comments count as one space.
fn flattened(text: &str) -> String {
    let words = text.split_whitespace();
    let words = words.filter(|word| !matches!(*word, "//" | "///" | "//!" | "\\"));
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether `phrase` begins at a word.
fn occurrences<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(phrase).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + phrase.len()..].chars().next();
        let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let begins = !is_inside(before) || phrase.starts_with(',');
        let ends = phrase.ends_with(' ') || !is_inside(after);
        let start = text[..at]
            .char_indices()
            .rev()
            .nth(30)
            .map_or(0, |(at, _)| at);
        let end = text[at..]
            .char_indices()
            .nth(50)
            .map_or(text.len(), |(n, _)| at + n);
        let is_plain = ALLOWED.iter().any(|plain| {
            let start = plain.find(phrase).and_then(|offset| at.checked_sub(offset));
            start
                .and_then(|start| text.get(start..))
                .is_some_and(|rest| rest.starts_with(plain))
        });
        (begins && ends && !is_plain).then(|| &text[start..end])
    })
}

#[test]
fn hard_phrases_are_not_used() {
    let mut findings = Vec::new();
    for path in files() {
        let text = flattened(&sources::read(&path));
        for (phrase, instead) in PHRASES {
            findings.extend(
                occurrences(&text, phrase)
                    .map(|found| format!("{path}: {phrase:?} in \"…{found}…\": write {instead}")),
            );
        }
    }
    fail_on(findings);
}

/// The words of the second column of the glossary, which are in code or in prose.
fn glossary() -> BTreeSet<String> {
    let page = sources::read("ARCHITECTURE.md");
    let between = page
        .split_once("<!-- glossary -->")
        .and_then(|(_, rest)| rest.split_once("<!-- /glossary -->"));
    let (table, _) = between.expect("ARCHITECTURE.md has a glossary");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(2);
    let cells = rows.filter_map(|row| row.split('|').nth(2));
    cells
        .flat_map(|cell| {
            let code: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
            match code.is_empty() {
                true => vec![cell.trim().to_owned()],
                false => code.into_iter().map(str::to_owned).collect(),
            }
        })
        .collect()
}

#[test]
fn every_term_of_the_glossary_is_in_the_code() {
    let terms = glossary();
    assert!(terms.len() > 20, "{terms:?}");
    let code: String = files()
        .filter(|path| path.ends_with(".rs") && path.contains("/src/"))
        .map(|path| flattened(&sources::read(&path)))
        .collect();
    let missing = terms
        .into_iter()
        .filter(|term| !code.contains(&term.to_lowercase()));
    fail_on(missing.map(|term| format!("{term}: no source file has this term")));
}
