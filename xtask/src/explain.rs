//! `cargo xtask explain`: what the id of a finding means.

use std::fmt::Write as _;

use crate::spec::catalogue::{find, rules};
use crate::spec::rule::{Effect, Rule};

/// How many ids are offered in place of one that nobody knows.
const OFFERED: usize = 3;

/// How alike an id has to be to be offered, from 0 to 1.
const ALIKE: f64 = 0.7;

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
    let mut alike: Vec<_> = rules()
        .map(|rule| (strsim::jaro_winkler(id, rule.id), rule.id))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    let alike: Vec<_> = alike.into_iter().take(OFFERED).map(|(_, id)| id).collect();
    match alike.is_empty() {
        true => format!("there is no rule {id}; docs/spec-rules.md lists them all"),
        false => format!(
            "there is no rule {id}; did you mean {}?",
            alike.join(" or ")
        ),
    }
}
