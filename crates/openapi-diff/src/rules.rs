//! The rules, by group. Each finding refers to one of these statics.

#[macro_use]
mod define;

pub mod document;
pub mod exchange;
pub mod family;
pub mod keywords;
pub mod operation;
pub mod properties;
pub mod reference;

use family::{RuleFamily, RulePair};

use crate::rule::Rule;

/// How many ids are offered in place of an unknown one.
const OFFERED: usize = 3;

/// How alike an id has to be to be offered, from 0 to 1.
const ALIKE: f64 = 0.7;

/// Rules that belong together.
pub struct RuleGroup {
    /// What they are about.
    pub title: &'static str,
    /// The rules that stand alone.
    pub rules: &'static [&'static Rule],
    /// The rules that come twice, once for each direction.
    pub pairs: &'static [&'static RulePair],
    /// The rules that come once for each place in an exchange.
    pub families: &'static [&'static RuleFamily],
}

/// The rules of a comparison, in the order in which people read about them.
pub static COMPARISON: [RuleGroup; 7] = [
    RuleGroup::of_rules("The document", document::RULES),
    RuleGroup::of_rules("Paths, operations and security", operation::RULES),
    RuleGroup {
        title: "Parameters, headers, bodies and answers",
        rules: exchange::RULES,
        pairs: exchange::PAIRS,
        families: &[],
    },
    RuleGroup {
        title: "Properties",
        rules: properties::RULES,
        pairs: properties::PAIRS,
        families: &[],
    },
    RuleGroup {
        title: "Keywords of schemas",
        rules: keywords::RULES,
        pairs: &[],
        families: keywords::FAMILIES,
    },
    RuleGroup::of_rules(
        "Components, references and what no rule knows",
        reference::RULES,
    ),
    RuleGroup::of_rules("Accepted differences", crate::accepted::RULES),
];

impl RuleGroup {
    /// An group of rules that stand alone.
    pub const fn of_rules(title: &'static str, rules: &'static [&'static Rule]) -> Self {
        Self {
            title,
            rules,
            pairs: &[],
            families: &[],
        }
    }

    /// Every rule of the group.
    pub fn all(&self) -> impl Iterator<Item = &'static Rule> {
        let pairs = self.pairs.iter().flat_map(|pair| pair.rules());
        let families = self.families.iter().flat_map(|family| family.rules());
        self.rules.iter().copied().chain(pairs).chain(families)
    }
}

/// Every rule of a comparison.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    COMPARISON.iter().flat_map(RuleGroup::all)
}

/// The ids among `rules` that are spelled most like `id`, the most alike first.
pub fn alike(id: &str, rules: impl Iterator<Item = &'static Rule>) -> Vec<&'static str> {
    let id = id.to_lowercase();
    // A page of rules names a family by its end.
    let end = id.trim_start_matches(['…', '.', '-']);
    let likeness = |known: &str| match known.ends_with(end) && !end.is_empty() {
        true => 1.0,
        false => strsim::jaro_winkler(&id, known),
    };
    let mut alike: Vec<_> = rules
        .map(|rule| (likeness(rule.id), rule.id))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike.into_iter().take(OFFERED).map(|(_, id)| id).collect()
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}
