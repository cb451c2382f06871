//! Rules that come several times, because who sends a thing decides how bad a change of it is.

use crate::place::Place;
use crate::rule::{Direction, Rule};

/// One rule for each direction.
pub struct RulePair {
    /// What happened, in a few words.
    pub title: &'static str,
    /// What the explanations begin with.
    pub text: &'static str,
    pub(super) rules: [Rule; 2],
}

/// One rule for each place in an exchange.
pub struct RuleFamily {
    /// What the ids end in.
    pub action: &'static str,
    /// What happened, in a few words.
    pub title: &'static str,
    /// What the explanations begin with.
    pub text: &'static str,
    rules: [Rule; 6],
}

impl RulePair {
    /// The rule for `direction`.
    pub fn of(&'static self, direction: Direction) -> &'static Rule {
        match direction {
            Direction::Request => &self.rules[0],
            Direction::Response => &self.rules[1],
        }
    }

    /// Both rules.
    pub fn rules(&'static self) -> &'static [Rule; 2] {
        &self.rules
    }
}

impl RuleFamily {
    /// A family of the rules for each [`Place`], in that order. `define_families!` writes them.
    pub const fn new(
        action: &'static str,
        title: &'static str,
        text: &'static str,
        rules: [Rule; 6],
    ) -> Self {
        Self {
            action,
            title,
            text,
            rules,
        }
    }

    /// The rule for `place`.
    pub fn at(&'static self, place: Place) -> &'static Rule {
        &self.rules[place as usize]
    }

    /// Every rule of the family.
    pub fn rules(&'static self) -> &'static [Rule] {
        &self.rules
    }
}
