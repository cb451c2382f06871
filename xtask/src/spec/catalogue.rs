//! Every rule there is, by area. Whoever finds something names its rule by a static in here.

#[macro_use]
mod define;

pub mod document;
pub mod exchange;
pub mod family;
pub mod keywords;
pub mod lint;
pub mod operation;
pub mod properties;
pub mod reference;

use family::{Duo, Family};

use super::rule::Rule;

/// Rules that belong together.
pub struct Area {
    /// What they are about.
    pub title: &'static str,
    /// The rules that stand alone.
    pub rules: &'static [&'static Rule],
    /// The rules that come twice, once for each direction.
    pub duos: &'static [&'static Duo],
    /// The rules that come once for each place in an exchange.
    pub families: &'static [&'static Family],
}

/// The rules of a comparison, in the order in which people read about them.
pub static COMPARISON: [Area; 6] = [
    Area::of_rules("The document", document::RULES),
    Area::of_rules("Paths, operations and security", operation::RULES),
    Area {
        title: "Parameters, headers, bodies and answers",
        rules: exchange::RULES,
        duos: exchange::DUOS,
        families: &[],
    },
    Area {
        title: "Properties",
        rules: &[],
        duos: properties::DUOS,
        families: &[],
    },
    Area {
        title: "Keywords of schemas",
        rules: keywords::RULES,
        duos: &[],
        families: keywords::FAMILIES,
    },
    Area::of_rules(
        "Components, references and what no rule knows",
        reference::RULES,
    ),
];

/// The rules of code generation.
pub static LINT: Area = Area::of_rules("What code generation refuses", lint::RULES);

impl Area {
    const fn of_rules(title: &'static str, rules: &'static [&'static Rule]) -> Self {
        Self {
            title,
            rules,
            duos: &[],
            families: &[],
        }
    }

    /// Every rule of the area.
    pub fn all(&self) -> impl Iterator<Item = &'static Rule> {
        let duos = self.duos.iter().flat_map(|duo| duo.rules());
        let families = self.families.iter().flat_map(|family| family.rules());
        self.rules.iter().copied().chain(duos).chain(families)
    }
}

/// Every area.
pub fn areas() -> impl Iterator<Item = &'static Area> {
    COMPARISON.iter().chain([&LINT])
}

/// Every rule.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    areas().flat_map(Area::all)
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}
