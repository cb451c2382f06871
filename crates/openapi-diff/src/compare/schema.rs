//! Schemas, keyword by keyword.

use std::borrow::Cow;

use super::bounds::count_rules;
use super::message::moved;
use super::node_ref::{NodeChange, NodePair, NodeRef, same};
use super::{Comparison, Known, Location};
use crate::rules::family::RuleFamily;
use crate::rules::keywords::*;
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// A schema in its place, which may be a reference or missing on one side.
    pub fn subschema(&mut self, pair: &NodeChange<'a>, at: &Location) {
        let Some(both) = pair.both() else {
            return self.presence(at, pair, "schema", [&SCHEMA_ADDED, &SCHEMA_REMOVED]);
        };
        let inner = NodePair {
            base: both.base.innermost(&both.head),
            head: both.head.innermost(&both.base),
        };
        let found = self.follow_with(&inner, at, |this, ends, keys| {
            this.keywords(ends, at, &|key| keys.contains(&key));
        });
        if let Some((found, at)) = found {
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
    pub fn schema(&mut self, both: &NodePair<'a>, at: &Location) {
        // Behind a reference, there may be a composition of one schema.
        let is_around =
            |node_ref: &NodeRef<'a>, other| node_ref.innermost(other).pointer != node_ref.pointer;
        if is_around(&both.base, &both.head) || is_around(&both.head, &both.base) {
            return self.subschema(&both.pair(), at);
        }
        let skip = at.skip.clone();
        self.keywords(both, at, &|key| !skip.iter().any(|one| one == key));
    }

    /// Compares those keywords of two schemas that `counts` names.
    fn keywords(&mut self, both: &NodePair<'a>, at: &Location, counts: &dyn Fn(&str) -> bool) {
        let place = at.place;
        let any = |keys: &[&str]| keys.iter().any(|key| counts(key));
        let both = &NodePair {
            base: both.base.or_empty(),
            head: both.head.or_empty(),
        };
        if both.are_maps() {
            if any(&["type", "nullable"]) {
                self.types(both, at);
            }
            if any(&["enum", "const", "x-enum-varnames", "x-open-enum"]) {
                self.enums(both, at);
            }
            if any(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]) {
                self.ranges(both, at);
            }
            if any(&["example", "examples"]) {
                self.schema_examples(both, at);
            }
            if any(&["properties", "required"]) {
                self.properties(both, at);
            }
            if any(&["if", "then", "else"]) {
                self.condition(both, at);
            }
        }
        if both.are_maps() && any(&["format", "contentEncoding", "contentMediaType"]) {
            self.format(both, at);
        }
        let is_of_text = both.are_of_text();
        self.keys(both, at, |this, key, pair| {
            if !counts(key) {
                return Known::Yes;
            }
            if let Some(bound) = count_rules(key) {
                this.count(at, pair, key, bound);
                return Known::Yes;
            }
            match key {
                "type" | "nullable" | "enum" | "const" | "x-enum-varnames" | "x-open-enum"
                | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "example"
                | "examples" | "properties" | "required" | "if" | "then" | "else" | "format" => {}
                "additionalProperties" => {
                    this.additional(both, at, key, [&ADDITIONAL_NARROWED, &ADDITIONAL_WIDENED]);
                }
                "unevaluatedProperties" | "unevaluatedItems" => {
                    this.additional(both, at, key, [&UNEVALUATED_NARROWED, &UNEVALUATED_WIDENED]);
                }
                "prefixItems" => this.prefix_items(both, at),
                "contains" => this.contains(both, at),
                "minContains" => this.min_contains(at, pair),
                "propertyNames" => {
                    let at = at.to(format!("{}.propertyNames", at.subject), place.inside());
                    this.subschema(pair, &at);
                }
                "patternProperties" => this.pattern_properties(both, at),
                "dependentSchemas" => this.schema_map(at, pair, None),
                "dependentRequired" => this.dependent_required(at, pair),
                "not" => this.value(at, pair, key, [&NOT_ADDED, &NOT_CHANGED, &NOT_REMOVED]),
                "contentEncoding" | "contentMediaType"
                    if pair.each(|node| is_format(key, node)) => {}
                "default" => {
                    let family = match (&pair.base, &pair.head) {
                        (Some(_), Some(_)) => &DEFAULT_CHANGED,
                        (None, _) => &DEFAULT_ADDED,
                        (_, None) => &DEFAULT_REMOVED,
                    };
                    this.changed_as_written(family.at(place), at, key, pair, is_of_text);
                }
                "pattern" if pair.is_same_text() => {}
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
                "oneOf" | "anyOf" if both.is_list_of_types(key) => {}
                "oneOf" => this.alternatives(at, pair, key, [&ONE_OF_ADDED, &ONE_OF_REMOVED]),
                "anyOf" => this.alternatives(at, pair, key, [&ANY_OF_ADDED, &ANY_OF_REMOVED]),
                "allOf" => this.members(at, pair, key, [&ALL_OF_ADDED, &ALL_OF_REMOVED]),
                "discriminator" => this.changed(DISCRIMINATOR_CHANGED.at(place), at, key, pair),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    /// Compares `format`, for which OpenAPI 3.1 has other keywords where it says how bytes become text.
    fn format(&mut self, both: &NodePair<'a>, at: &Location) {
        let (base, head) = (format(&both.base), format(&both.head));
        let nodes = [&base, &head].map(|side| side.as_ref().map(|(_, node)| node.as_ref()));
        if nodes[0]
            .zip(nodes[1])
            .is_none_or(|(base, head)| !same(base, head))
            && nodes != [None; 2]
        {
            let message = moved("format", nodes[0], nodes[1]);
            let pair = NodeChange {
                base: base.map(|(node_ref, _)| node_ref),
                head: head.map(|(node_ref, _)| node_ref),
            };
            self.add_pair(FORMAT_CHANGED.at(at.place), at, message, &pair);
        }
    }

    /// Something that only one side has.
    pub fn presence(
        &mut self,
        at: &Location,
        pair: &NodeChange<'a>,
        what: &str,
        [added, removed]: [&'static RuleFamily; 2],
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
        at: &Location,
        pair: &NodeChange<'a>,
        key: &str,
        [added, changed, removed]: [&'static RuleFamily; 3],
    ) {
        let family = match (&pair.base, &pair.head) {
            (Some(_), Some(_)) => changed,
            (None, _) => added,
            (_, None) => removed,
        };
        self.changed(family.at(at.place), at, key, pair);
    }

    /// A keyword that is true or false.
    fn switch(&mut self, at: &Location, pair: &NodeChange<'a>, families: [&'static RuleFamily; 2]) {
        self.flag(at, pair, families.map(|family| family.at(at.place)));
    }
}

/// The format in the words of OpenAPI 3.0, and where the document says it.
fn format<'a>(schema: &NodeRef<'a>) -> Option<(NodeRef<'a>, Cow<'a, Node>)> {
    if let Some(node_ref) = schema.get("format") {
        let node = Cow::Borrowed(node_ref.node);
        return Some((node_ref, node));
    }
    [("contentEncoding", "byte"), ("contentMediaType", "binary")]
        .into_iter()
        .find_map(|(key, format)| {
            let node_ref = schema
                .get(key)
                .filter(|node_ref| is_format(key, node_ref.node))?;
            Some((node_ref, Cow::Owned(Node::from(format))))
        })
}

/// Whether the keyword of OpenAPI 3.1 says what 3.0 says with a format.
fn is_format(key: &str, node: &Node) -> bool {
    let text = match key {
        "contentEncoding" => "base64",
        _ => "application/octet-stream",
    };
    node.as_text() == Some(text)
}
