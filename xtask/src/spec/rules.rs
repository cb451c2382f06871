//! Every rule about the spec: those of a comparison, and those of this workspace.

pub mod lint;
pub mod upstream;

use openapi_diff::rule::Rule;
use openapi_diff::rules::{Area, COMPARISON};

/// The rules that only the comparison with the vendor's document has.
pub static UPSTREAM: Area =
    Area::of_rules("Our spec beside the vendor's document", upstream::RULES);

/// The rules of code generation.
pub static LINT: Area = Area::of_rules("What code generation refuses", lint::RULES);

/// Every area.
pub fn areas() -> impl Iterator<Item = &'static Area> {
    COMPARISON.iter().chain([&UPSTREAM, &LINT])
}

/// Every rule.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    areas().flat_map(Area::all)
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// The ids of rules that are spelled most like `id`, the most alike first.
pub fn alike(id: &str) -> Vec<&'static str> {
    openapi_diff::rules::alike(id, rules())
}
