//! One edit of a document for each rule about our own extensions, found in both directions.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use openapi_diff::finding::Finding;
use openapi_diff::tree::Node;
use serde::Deserialize;
use xtask::spec::extensions::COMPARER;
use xtask::spec::rules::EXTENSIONS;

use crate::workspace::edit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What both documents have beyond the base.
    #[serde(default)]
    given: IndexMap<String, Node>,
    edit: IndexMap<String, Node>,
    /// The findings on the way from the document without the edit to the one with it.
    forth: BTreeSet<String>,
    /// The findings on the way back.
    back: BTreeSet<String>,
}

fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("extensions.yaml")).expect("the table of cases")
}

fn base() -> Node {
    let text = include_str!("../../../crates/openapi-diff/tests/it/base.yaml");
    serde_saphyr::from_str(text).expect("the base document")
}

fn with(tree: &Node, edits: &IndexMap<String, Node>) -> Node {
    let mut tree = tree.clone();
    for (pointer, value) in edits {
        let pointer = match pointer.strip_prefix("S/") {
            Some(rest) => format!("/components/schemas/{rest}"),
            None => pointer.clone(),
        };
        edit(&mut tree, &pointer, value.clone());
    }
    tree
}

/// Rule and subject of each finding. A rule of a family stands for all of them with a star.
fn told(findings: &[Finding]) -> BTreeSet<String> {
    let family = |id: &str| {
        let mut families = EXTENSIONS.families.iter();
        let found = families.find(|family| id.ends_with(&format!("-{}", family.action)))?;
        Some(format!("* {}", found.action))
    };
    findings
        .iter()
        .map(|one| {
            let id = family(one.rule.id).unwrap_or_else(|| one.rule.id.to_owned());
            format!("{id} {}", one.subject)
        })
        .collect()
}

#[test]
fn each_edit_of_an_extension_is_found_in_both_directions_and_nothing_else() {
    for case in cases() {
        let before = with(&base(), &case.given);
        let after = with(&before, &case.edit);
        let found = [(&before, &after), (&after, &before)]
            .map(|(old, new)| told(&COMPARER.compare(old, new)));
        assert_eq!(found, [case.forth, case.back], "{:?}", case.edit);
    }
}

#[test]
fn every_rule_about_an_extension_has_a_case() {
    let lines: Vec<_> = cases()
        .into_iter()
        .flat_map(|case| [case.forth, case.back])
        .flatten()
        .collect();
    let families = EXTENSIONS.families.iter();
    let families = families.map(|family| format!("* {} ", family.action));
    let rules = EXTENSIONS.rules.iter().map(|rule| format!("{} ", rule.id));
    for start in families.chain(rules) {
        assert!(
            lines.iter().any(|line| line.starts_with(&start)),
            "{start}has no case"
        );
    }
}
