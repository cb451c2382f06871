//! Schemas, keyword by keyword.

use super::bounds::count_rules;
use super::spot::{Both, Pair};
use super::{At, Comparison, Known};
use crate::rules::family::Family;
use crate::rules::keywords::*;

impl<'a> Comparison<'a> {
    /// A schema in its place, which may be a reference or missing on one side.
    pub fn subschema(&mut self, pair: &Pair<'a>, at: &At) {
        let Some(both) = pair.both() else {
            return self.presence(at, pair, "schema", [&SCHEMA_ADDED, &SCHEMA_REMOVED]);
        };
        if let Some((found, at)) = self.follow(&both, at) {
            let inline =
                found.base.pointer == both.base.pointer && found.head.pointer == both.head.pointer;
            if inline {
                self.schema(&found, &at);
            } else {
                self.ahead.push((found, at));
            }
        }
    }

    /// Compares two schemas that are no references.
    pub fn schema(&mut self, both: &Both<'a>, at: &At) {
        let place = at.place;
        if both.are_maps() {
            self.types(both, at);
            self.enums(both, at);
            self.ranges(both, at);
            self.schema_examples(both, at);
            self.properties(both, at);
            self.additional(both, at);
        }
        self.keys(both, at, |this, key, pair| {
            if let Some(bound) = count_rules(key) {
                this.count(at, pair, key, bound);
                return Known::Yes;
            }
            match key {
                "type"
                | "nullable"
                | "enum"
                | "const"
                | "x-enum-varnames"
                | "x-open-enum"
                | "minimum"
                | "maximum"
                | "exclusiveMinimum"
                | "exclusiveMaximum"
                | "example"
                | "examples"
                | "properties"
                | "required"
                | "additionalProperties" => {}
                "format" => this.changed(FORMAT_CHANGED.at(place), at, key, pair),
                "default" => {
                    this.value(
                        at,
                        pair,
                        key,
                        [&DEFAULT_ADDED, &DEFAULT_CHANGED, &DEFAULT_REMOVED],
                    );
                }
                "pattern" => {
                    this.value(
                        at,
                        pair,
                        key,
                        [&PATTERN_ADDED, &PATTERN_CHANGED, &PATTERN_REMOVED],
                    );
                }
                "multipleOf" => {
                    let families = [&MULTIPLE_OF_SET, &MULTIPLE_OF_CHANGED, &MULTIPLE_OF_UNSET];
                    this.value(at, pair, key, families);
                }
                "uniqueItems" => this.switch(at, pair, [&UNIQUE_ITEMS_SET, &UNIQUE_ITEMS_UNSET]),
                "readOnly" => this.switch(at, pair, [&BECAME_READ_ONLY, &BECAME_NOT_READ_ONLY]),
                "writeOnly" => this.switch(at, pair, [&BECAME_WRITE_ONLY, &BECAME_NOT_WRITE_ONLY]),
                "deprecated" => this.switch(at, pair, [&DEPRECATED, &REACTIVATED]),
                "items" => {
                    this.subschema(pair, &at.to(format!("{}[]", at.subject), place.inside()))
                }
                "oneOf" => this.alternatives(at, pair, key, [&ONE_OF_ADDED, &ONE_OF_REMOVED]),
                "anyOf" => this.alternatives(at, pair, key, [&ANY_OF_ADDED, &ANY_OF_REMOVED]),
                "allOf" => this.members(at, pair, key, [&ALL_OF_ADDED, &ALL_OF_REMOVED]),
                "discriminator" => this.changed(DISCRIMINATOR_CHANGED.at(place), at, key, pair),
                "x-media" => this.media(at, pair),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    /// Something that only one side has.
    pub fn presence(
        &mut self,
        at: &At,
        pair: &Pair<'a>,
        what: &str,
        [added, removed]: [&'static Family; 2],
    ) {
        let (family, word) = match (&pair.base, &pair.head) {
            (None, Some(_)) => (added, "new"),
            (Some(_), None) => (removed, "gone"),
            _ => return,
        };
        self.add_pair(family.at(at.place), at, format!("{what} is {word}"), pair);
    }

    /// A keyword with a value of its own: the rules for when it comes, changes and goes.
    fn value(
        &mut self,
        at: &At,
        pair: &Pair<'a>,
        key: &str,
        [added, changed, removed]: [&'static Family; 3],
    ) {
        let family = match (&pair.base, &pair.head) {
            (Some(_), Some(_)) => changed,
            (None, _) => added,
            (_, None) => removed,
        };
        self.changed(family.at(at.place), at, key, pair);
    }

    /// A keyword that is true or false.
    fn switch(&mut self, at: &At, pair: &Pair<'a>, families: [&'static Family; 2]) {
        self.flag(at, pair, families.map(|family| family.at(at.place)));
    }
}
