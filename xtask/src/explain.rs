//! `cargo xtask explain`: what the id of a finding means.

use std::fmt::Write as _;

use crate::spec::rules::{alike, find};
use openapi_diff::rule::{Effect, Rule};

/// What the finding with this id means.
///
/// # Errors
///
/// When there is no such id; the error offers those that are spelled alike.
pub fn explain(id: &str) -> Result<String, String> {
    find(id).map(tell).ok_or_else(|| unknown(id))
}

fn tell(rule: &Rule) -> String {
    let mut text = format!("{}: {}\n\n", rule.id, rule.title);
    let _ = writeln!(text, "severity   {}", rule.severity);
    if let Some(direction) = rule.direction {
        let _ = writeln!(text, "direction  {}", direction.as_str());
    }
    let effects: Vec<_> = rule.effects.iter().map(|effect| felt(*effect)).collect();
    let _ = writeln!(text, "felt in    {}\n", effects.join("\n           "));
    let _ = writeln!(text, "{}", rule.explanation);
    text
}

fn felt(effect: Effect) -> &'static str {
    match effect {
        Effect::Wire => "wire: other bytes go over the wire",
        Effect::GeneratedApi => "generated-api: the generated crate changes",
        Effect::Ergonomic => "ergonomic: a person has to look at the ergonomic crate",
        Effect::Docs => "docs: texts change",
    }
}

fn unknown(id: &str) -> String {
    let alike = alike(id);
    match alike.is_empty() {
        true => format!("there is no rule {id}; docs/spec-rules.md lists them all"),
        false => format!(
            "there is no rule {id}; did you mean {}?",
            alike.join(" or ")
        ),
    }
}
