//! Lint of enums.

use std::collections::BTreeSet;

use crate::finding::Findings;
use crate::rules;
use openapi_diff::tree::{Node, join};

use super::names::is_pascal_case;

/// Checks a component schema that has `enum`.
pub fn check(pointer: &str, schema: &Node, findings: &mut Findings) {
    let here = join(pointer, "enum");
    let values: Vec<_> = schema.get("enum").map_or(&[][..], Node::items).to_vec();
    let texts: Vec<_> = values.iter().filter_map(Node::as_text).collect();
    if schema.text("type") != Some("string") || texts.len() != values.len() {
        findings.add(
            &rules::ENUM,
            &here,
            "only strings are generated; quote the values",
        );
        return;
    }
    if texts.is_empty() {
        findings.add(&rules::ENUM, &here, "an enum without values allows nothing");
    }
    if let Some(twice) = repeated(&texts) {
        findings.add(&rules::ENUM, &here, format!("`{twice}` is there twice"));
    }
    if schema.get("nullable").is_some() {
        let message = "`nullable` and `enum` contradict each other unless null is a value";
        findings.add(&rules::ENUM, &join(pointer, "nullable"), message);
    }
    variant_names(pointer, schema, &texts, findings);
}

fn variant_names(pointer: &str, schema: &Node, values: &[&str], findings: &mut Findings) {
    let Some(given) = schema.get("x-enum-varnames") else {
        let unfit = values.iter().find(|value| !is_pascal_case(value));
        if let Some(value) = unfit {
            let message = format!(
                "`{value}` is not a valid Rust variant; name the variants in `x-enum-varnames`"
            );
            findings.add(&rules::VARIANT_NAMES, &join(pointer, "enum"), message);
        }
        return;
    };
    let here = join(pointer, "x-enum-varnames");
    let names: Vec<_> = given.items().iter().filter_map(Node::as_text).collect();
    if names.len() != given.items().len() || names.len() != values.len() {
        let what = match values.get(names.len()..) {
            Some([]) => "each name has to be a text".to_owned(),
            Some(unnamed) => format!("add a name for {}", unnamed.join(", ")),
            None => format!("take out {}", names[values.len()..].join(", ")),
        };
        let message = format!("{} names for {} values; {what}", names.len(), values.len());
        findings.add(&rules::VARIANT_NAMES, &here, message);
    }
    if let Some(twice) = repeated(&names) {
        findings.add(
            &rules::VARIANT_NAMES,
            &here,
            format!("`{twice}` is there twice"),
        );
    }
    for name in &names {
        if !is_pascal_case(name) {
            let message = format!("`{name}` is not a PascalCase identifier");
            findings.add(&rules::VARIANT_NAMES, &here, message);
        }
    }
    if schema.is_set("x-open-enum") && names.contains(&"Unknown") {
        let message = "`Unknown` is the variant for values that the spec does not know";
        findings.add(&rules::VARIANT_NAMES, &here, message);
    }
}

fn repeated<'a>(texts: &[&'a str]) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    texts.iter().copied().find(|text| !seen.insert(*text))
}
