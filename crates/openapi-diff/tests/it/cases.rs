//! One edit of a document for each rule, found in both directions.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use openapi_diff::compare::compare;
use openapi_diff::finding::Finding;
use openapi_diff::rules::COMPARISON;
use openapi_diff::tree::Node;
use serde::Deserialize;

use crate::sample::{base, edit};

/// The places of one schema, as the ids of their rules begin.
const PLACES: [&str; 6] = [
    "request-body",
    "request-property",
    "request-parameter",
    "response-body",
    "response-property",
    "response-header",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What both documents have beyond the base.
    #[serde(default)]
    given: IndexMap<String, Node>,
    edit: IndexMap<String, Node>,
    /// The findings on the way from the document without the edit to the one with it.
    forth: Vec<String>,
    /// The findings on the way back.
    back: Vec<String>,
}

fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("cases.yaml")).expect("the table of cases")
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

/// Rule and subject of each finding. What is found about one subject in every place is one line with a star.
fn told(findings: &[Finding]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in findings {
        let line = format!("{} {}", finding.rule.id, finding.subject);
        let place = PLACES
            .iter()
            .find_map(|place| line.strip_prefix(&format!("{place}-")));
        match place {
            Some(rest) => places.entry(rest.to_owned()).or_default().push(line),
            None => {
                lines.insert(line);
            }
        }
    }
    for (rest, found) in places {
        match found.len() {
            6 => {
                lines.insert(format!("* {rest}"));
            }
            _ => lines.extend(found),
        }
    }
    lines
}

#[test]
fn each_edit_is_found_in_both_directions_and_nothing_else() {
    let base = base();
    let mut wrong = Vec::new();
    for case in cases() {
        let before = with(&base, &case.given);
        let after = with(&before, &case.edit);
        let found = [
            told(&compare(&before, &after)),
            told(&compare(&after, &before)),
        ];
        let wanted = [case.forth, case.back].map(|lines| lines.into_iter().collect());
        if found != wanted {
            let edit = serde_json::to_string(&case.edit).expect("an edit is JSON");
            let [forth, back] = found.map(|lines| serde_json::to_string(&lines).expect("JSON"));
            wrong.push(format!("- edit: {edit}\n  forth: {forth}\n  back: {back}"));
        }
    }
    assert!(wrong.is_empty(), "found:\n{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case() {
    let lines = cases().into_iter().flat_map(|case| [case.forth, case.back]);
    let mut covered = BTreeSet::new();
    for line in lines.flatten() {
        match line.split_once(' ').expect("rule and subject") {
            ("*", rest) => {
                let (action, _) = rest.split_once(' ').expect("rule and subject");
                covered.extend(PLACES.map(|place| format!("{place}-{action}")));
            }
            (id, _) => {
                covered.insert(id.to_owned());
            }
        }
    }
    // No table can hold what is too deep for its own reader; a test of its own builds it.
    covered.insert("nested-too-deeply".to_owned());
    // It is about the file of accepted differences, whose tests show it.
    covered.insert("acceptance-unused".to_owned());
    let rules = COMPARISON.iter().flat_map(|group| group.all());
    let missing: Vec<_> = rules
        .map(|rule| rule.id)
        .filter(|id| !covered.contains(*id))
        .collect();
    assert!(missing.is_empty(), "no case has {missing:#?}");
}

#[test]
fn the_table_is_not_small() {
    assert!(cases().len() >= 80, "{}", cases().len());
}

#[test]
fn ids_and_fingerprints_are_unique() {
    let mut ids = BTreeSet::new();
    for rule in COMPARISON.iter().flat_map(|group| group.all()) {
        assert!(ids.insert(rule.id), "{} is there twice", rule.id);
    }
    let base = base();
    for case in cases() {
        let before = with(&base, &case.given);
        let findings = compare(&before, &with(&before, &case.edit));
        let fingerprints: BTreeSet<_> = findings.iter().map(Finding::fingerprint).collect();
        assert_eq!(fingerprints.len(), findings.len(), "{findings:#?}");
    }
}
