//! Bodies, media types and answers.

use super::message::moved;
use super::node_ref::{NodeChange, NodePair, NodeRef, is_empty, matched};
use super::reference::target;
use super::{Comparison, Known, Location};
use crate::place::Place;
use crate::rule::Direction;
use crate::rules::exchange::{
    ACKNOWLEDGEMENT_ADDED, ACKNOWLEDGEMENT_REMOVED, BODY_BECAME_OPTIONAL, BODY_BECAME_REQUIRED,
    BODY_REMOVED, ENCODING_CHANGED, FAILURE_ADDED, FAILURE_REMOVED, LINK_CHANGED, MEDIA_TYPE_ADDED,
    MEDIA_TYPE_CHARSET_CHANGED, MEDIA_TYPE_REMOVED, OPTIONAL_BODY_ADDED, REQUIRED_BODY_ADDED,
    SUCCESS_ADDED, SUCCESS_REMOVED,
};
use crate::tree::Node;

impl<'a> Comparison<'a> {
    /// The `requestBody` of an operation.
    pub fn body(&mut self, at: &Location, pair: &NodeChange<'a>, direction: Direction) {
        let at = at.step(" request body");
        if let Some(both) = pair.both() {
            if let Some((both, at)) = self.follow(&both, &at) {
                self.body_object(&both, &at, direction);
            }
            return;
        }
        let head = pair
            .head
            .as_ref()
            .and_then(|node_ref| target(self.head, node_ref));
        let required = head.is_some_and(|node_ref| node_ref.node.is_set("required"));
        let (rules, word) = match (&pair.head, required) {
            (Some(_), true) => (&REQUIRED_BODY_ADDED, "new"),
            (Some(_), false) => (&OPTIONAL_BODY_ADDED, "new"),
            (None, _) => (&BODY_REMOVED, "gone"),
        };
        self.add_pair(rules.of(direction), &at, format!("body is {word}"), pair);
    }

    pub fn body_object(&mut self, both: &NodePair<'a>, at: &Location, direction: Direction) {
        let at = &at.to(at.subject.clone(), Place::body(direction));
        self.keys(both, at, |this, key, pair| {
            match key {
                "required" => {
                    let rules = [&BODY_BECAME_REQUIRED, &BODY_BECAME_OPTIONAL];
                    this.flag(at, pair, rules.map(|pair| pair.of(direction)));
                }
                "content" => this.content(pair, at),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    /// The media types of a body or a parameter.
    pub fn content(&mut self, pair: &NodeChange<'a>, at: &Location) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (name, pair) in by_media_type(pair) {
            let at = at.step(&format!(" {name}"));
            let Some(both) = pair.both() else {
                let (rules, word) = match pair.head {
                    Some(_) => (&MEDIA_TYPE_ADDED, "new"),
                    None => (&MEDIA_TYPE_REMOVED, "gone"),
                };
                let message = format!("media type is {word}");
                self.add_pair(rules.of(at.place.direction()), &at, message, &pair);
                continue;
            };
            let names = [&both.base, &both.head].map(media_type_at);
            if names[0] != names[1] {
                let rule = MEDIA_TYPE_CHARSET_CHANGED.of(at.place.direction());
                let message = format!("media type was {} and is {}", names[0], names[1]);
                self.add_pair(rule, &at, message, &pair);
            }
            self.keys(&both, &at, |this, key, pair| {
                match key {
                    "schema" if is_binary_everywhere(pair, name) => {}
                    "schema" => this.subschema(pair, &at),
                    "example" => this.example(&at, &both),
                    "examples" => this.examples(&at, pair),
                    "encoding" => this.encoding(pair, &at),
                    _ => return this.texts(&at, key, pair),
                }
                Known::Yes
            });
        }
    }

    fn encoding(&mut self, pair: &NodeChange<'a>, at: &Location) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (name, pair) in pair.entries() {
            if !self.alike(&pair) {
                let rule = ENCODING_CHANGED.of(at.place.direction());
                let message = moved("encoding", pair.base_node(), pair.head_node());
                self.add_pair(rule, &at.step(&format!(" part {name}")), message, &pair);
            }
        }
    }

    /// The answers of an operation, by status.
    pub fn responses(&mut self, at: &Location, pair: &NodeChange<'a>, direction: Direction) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (status, pair) in pair.entries() {
            if status.starts_with("x-") {
                self.unclassified(at, &pair);
                continue;
            }
            let at = at.step(&format!(" response {status}"));
            match pair.both() {
                Some(both) => {
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.response(&both, &at, direction);
                    }
                }
                None => {
                    let (rule, word) = lone_status(status, pair.head.is_some(), direction);
                    self.add_pair(rule, &at, format!("response is {word}"), &pair);
                }
            }
        }
    }

    pub fn response(&mut self, both: &NodePair<'a>, at: &Location, direction: Direction) {
        let at = &at.to(at.subject.clone(), Place::body(direction));
        self.keys(both, at, |this, key, pair| {
            match key {
                "headers" => this.headers(pair, at, direction),
                "content" => this.content(pair, at),
                "links" => this.links(pair, at),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }

    fn headers(&mut self, pair: &NodeChange<'a>, at: &Location, direction: Direction) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        let entries = |node_ref: &Option<super::node_ref::NodeRef<'a>>| {
            node_ref
                .as_ref()
                .map_or_else(Vec::new, |node_ref| node_ref.entries())
        };
        let pairs = matched(entries(&pair.base), entries(&pair.head), str::to_lowercase);
        for (name, pair) in pairs {
            let subject = format!("{} header {name}", at.subject);
            let at = at.to(subject, Place::parameter(direction));
            match pair.both() {
                Some(both) => {
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.parameter_object(&both, &at, direction);
                    }
                }
                None => {
                    let end = |root, node_ref: &Option<_>| target(root, node_ref.as_ref()?);
                    let ends = NodeChange {
                        base: end(self.base, &pair.base).or(pair.base),
                        head: end(self.head, &pair.head).or(pair.head),
                    };
                    self.lone_field(&at, &ends, direction, "header");
                }
            }
        }
    }

    fn links(&mut self, pair: &NodeChange<'a>, at: &Location) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (name, pair) in pair.entries() {
            let at = at.step(&format!(" link {name}"));
            match pair.both() {
                Some(both) => {
                    if let Some((both, at)) = self.follow(&both, &at) {
                        self.link(&at, &both.pair());
                    }
                }
                None => self.link(&at, &pair),
            }
        }
    }

    pub fn link(&mut self, at: &Location, pair: &NodeChange<'a>) {
        self.changed(&LINK_CHANGED, at, "link", pair);
    }
}

fn lone_status(
    status: &str,
    new: bool,
    direction: Direction,
) -> (&'static crate::rule::Rule, &'static str) {
    let success = status.starts_with('2');
    match (direction, success, new) {
        (Direction::Request, _, true) => (&ACKNOWLEDGEMENT_ADDED, "new"),
        (Direction::Request, _, false) => (&ACKNOWLEDGEMENT_REMOVED, "gone"),
        (Direction::Response, true, true) => (&SUCCESS_ADDED, "new"),
        (Direction::Response, true, false) => (&SUCCESS_REMOVED, "gone"),
        (Direction::Response, false, true) => (&FAILURE_ADDED, "new"),
        (Direction::Response, false, false) => (&FAILURE_REMOVED, "gone"),
    }
}

/// The bodies of both sides by media type. Of two types that differ in their charset alone, one pair is made.
fn by_media_type<'a>(pair: &NodeChange<'a>) -> Vec<(&'a str, NodeChange<'a>)> {
    let entries =
        |node_ref: &Option<NodeRef<'a>>| node_ref.as_ref().map_or_else(Vec::new, NodeRef::entries);
    let (base, head) = (entries(&pair.base), entries(&pair.head));
    let mut pairs = matched(base, head, |name| normal(name, true));
    let (old, new): (Vec<_>, Vec<_>) = pairs
        .extract_if(.., |(_, pair)| pair.both().is_none())
        .partition(|(_, pair)| pair.base.is_some());
    let only = |all: &[(&'a str, NodeChange<'a>)], name: &str| {
        let name = normal(name, false);
        all.iter()
            .filter(|(other, _)| normal(other, false) == name)
            .count()
            == 1
    };
    let key = |name: &'a str| normal(name, !(only(&old, name) && only(&new, name)));
    let base = old
        .iter()
        .filter_map(|(name, pair)| Some((*name, pair.base.clone()?)));
    let head = new
        .iter()
        .filter_map(|(name, pair)| Some((*name, pair.head.clone()?)));
    pairs.extend(matched(base.collect(), head.collect(), key));
    pairs
}

/// The media type in lower case without spaces, and without its charset if that does not count.
fn normal(name: &str, with_charset: bool) -> String {
    let mut parts = name.split(';').map(|part| part.trim().to_lowercase());
    let essence = parts.next().unwrap_or_default();
    let parameters = parts.filter(|part| with_charset || !part.starts_with("charset="));
    parameters.fold(essence, |whole, part| format!("{whole};{part}"))
}

/// The media type under which a body stands.
fn media_type_at(node_ref: &NodeRef<'_>) -> String {
    let step = node_ref.pointer.rsplit('/').next().unwrap_or_default();
    normal(&step.replace("~1", "/").replace("~0", "~"), true)
}

/// Whether each side is a body of bytes: OpenAPI 3.1 needs no schema for what is neither JSON nor text.
fn is_binary_everywhere(pair: &NodeChange<'_>, media_type: &str) -> bool {
    let has_text = ["json", "text", "xml", "form"]
        .iter()
        .any(|kind| media_type.contains(kind));
    let is_binary = |node: Option<&Node>| {
        node.is_none_or(|node| {
            let plain = node.entries().count() == 2 && node.text("type") == Some("string");
            is_empty(node) || (plain && node.text("format") == Some("binary"))
        })
    };
    !has_text && is_binary(pair.base_node()) && is_binary(pair.head_node())
}
