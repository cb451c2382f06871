//! Every rule about the spec: those of a comparison, and those of this workspace.

pub mod extensions;
pub mod upstream;

use openapi_codegen::rules as lint;
use openapi_diff::rule::Rule;
use openapi_diff::rules::{COMPARISON, RuleGroup};

/// The rules about our own extensions.
pub static EXTENSIONS: RuleGroup = RuleGroup {
    title: "Extensions of this workspace",
    rules: extensions::RULES,
    pairs: &[],
    families: extensions::FAMILIES,
};

/// The rules that only the comparison with the vendor's document has.
pub static UPSTREAM: RuleGroup =
    RuleGroup::of_rules("Our spec beside the vendor's document", upstream::RULES);

/// The rules of code generation.
pub static LINT: RuleGroup = RuleGroup::of_rules("What code generation refuses", lint::RULES);

/// Every group.
pub fn groups() -> impl Iterator<Item = &'static RuleGroup> {
    COMPARISON.iter().chain([&EXTENSIONS, &UPSTREAM, &LINT])
}

/// Every rule.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    groups().flat_map(RuleGroup::all)
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// The ids of rules that are spelled most like `id`, the most alike first.
pub fn alike(id: &str) -> Vec<&'static str> {
    openapi_diff::rules::alike(id, rules())
}
