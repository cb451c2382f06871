//! Finds every difference in meaning between two OpenAPI documents, and says what kind of difference it is.
//!
//! * [`compare`] takes two whole documents.
//! * [`operations`] takes only those operations that its caller chooses, and what they reach. Operations are matched by
//!   method and path, where the names of placeholders in the path do not matter. Names of components do not count
//!   there, nor do `info`, the document's servers and tags, components that no chosen operation reaches, and
//!   extensions with rules that only one side has.
//! * [`Comparer`] does the same and knows more [extensions](crate::extension::Extension) than `x-enum-varnames` and
//!   `x-open-enum`.
//!
//! At every level the keys of both sides are walked. A key either has a rule of its own or falls to `unclassified`, so
//! nothing that differs is dropped. No difference in meaning are:
//!
//! * the order of keys, of `required`, of tags, of parameters, and of the alternatives in `security`,
//! * the spelling of numbers, and the case of header names,
//! * a `$ref` against the same schema written in its place,
//! * a default written out, such as `deprecated: false`, and an empty list or mapping where nothing is as good,
//! * `openapi: 3.1.0` for `openapi: 3.0.3`, and words of 3.1 for what 3.0 says otherwise: `type: [string, 'null']`, null in a union, numbers in
//!   `exclusiveMinimum`, `const`, `examples` of a schema, `contentEncoding: base64`,
//! * a composition of one schema against that schema: `allOf: [{$ref: …}]` with a description beside it,
//! * a scalar in other words where the schema asks for text: `8` and `'8'` are one text, `1.1` and `1.10` are two,
//! * a `readOnly` property of a request and a `writeOnly` one of a response: they are never sent.

mod applicators;
mod body;
mod bounds;
mod callback;
mod components;
mod composition;
mod document;
mod enums;
mod examples;
mod objects;
mod operation;
mod parameter;
mod paths;
mod reference;
mod schema;
mod security;
mod servers;
mod types;

mod message;
mod node_ref;

use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;

use crate::extension::{Extension, ExtensionChange};
use crate::finding::Finding;
use crate::place::Place;
use crate::rule::Rule;
use crate::rules::reference::{COMPONENT_CHANGED, NESTED_TOO_DEEPLY, UNCLASSIFIED};
use crate::tree::Node;

pub(crate) use bounds::compare as compare_numbers;
use message::moved;
pub(crate) use message::moved as describe;
use node_ref::{NodeChange, NodePair, NodeRef, deepest, same, written};

/// How deep a document may nest. Each level costs stack.
const MOST_DEPTH: usize = 80;

/// Every difference between two whole documents: errors first, then by subject.
pub fn compare(base: &Node, head: &Node) -> Vec<Finding> {
    Comparer::default().compare(base, head)
}

/// Every difference between the operations that `chosen` takes by lower-case method and path, and what they reach.
///
/// `chosen` is asked about the operations of both sides; one that it takes and that only one side has is a finding.
pub fn operations(base: &Node, head: &Node, chosen: impl Fn(&str, &str) -> bool) -> Vec<Finding> {
    Comparer::default().operations(base, head, chosen)
}

/// A comparison that knows extensions of the caller's.
#[derive(Clone, Copy, Default)]
pub struct Comparer<'e> {
    extensions: &'e [&'e dyn Extension],
}

impl<'e> Comparer<'e> {
    /// A comparison that knows these extensions, too.
    pub const fn new(extensions: &'e [&'e dyn Extension]) -> Self {
        Self { extensions }
    }

    /// Like [`compare`].
    pub fn compare(self, base: &Node, head: &Node) -> Vec<Finding> {
        run(base, head, true, self.extensions, |comparison| {
            comparison.document();
        })
    }

    /// Like [`operations`].
    pub fn operations(
        self,
        base: &Node,
        head: &Node,
        chosen: impl Fn(&str, &str) -> bool,
    ) -> Vec<Finding> {
        run(base, head, false, self.extensions, |comparison| {
            comparison.paths(&chosen);
        })
    }
}

fn run<'a>(
    base: &'a Node,
    head: &'a Node,
    whole: bool,
    extensions: &'a [&'a dyn Extension],
    walk: impl FnOnce(&mut Comparison<'a>),
) -> Vec<Finding> {
    let mut comparison = Comparison::new(base, head, whole);
    comparison.extensions = extensions;
    let places = [base, head].map(|root| deepest(root, MOST_DEPTH));
    if places.iter().all(Option::is_none) {
        comparison.untouched = reference::untouched(base, head);
        walk(&mut comparison);
    } else {
        let [base, head] = places;
        let message = format!("more than {MOST_DEPTH} levels of lists and mappings");
        let at = Location::new("the document");
        comparison.add(&NESTED_TOO_DEEPLY, &at, message, base, head);
    }
    comparison.finish()
}

/// Where a walk is.
#[derive(Clone, Debug)]
struct Location {
    /// What findings are about.
    subject: String,
    /// Where a schema stands in the exchange.
    place: Place,
    /// Whether this side of the exchange never has it: a `readOnly` property of a request, a `writeOnly` one of a
    /// response.
    unsent: bool,
    /// Keys that have been compared already, with what stands around the schema.
    skip: Vec<String>,
}

impl Location {
    fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            place: Place::RequestBody,
            unsent: false,
            skip: Vec::new(),
        }
    }

    /// The same place, one step further in.
    fn step(&self, step: &str) -> Self {
        self.to(format!("{}{step}", self.subject), self.place)
    }

    fn to(&self, subject: impl Into<String>, place: Place) -> Self {
        Self {
            subject: subject.into(),
            place,
            unsent: self.unsent,
            skip: Vec::new(),
        }
    }
}

/// What tells one finding from another: rule, subject, message, and the pointers into both documents.
type Key = (&'static str, String, String, Option<String>, Option<String>);

/// One run over two documents.
struct Comparison<'a> {
    base: &'a Node,
    head: &'a Node,
    /// Whether everything is compared, names of components included.
    whole: bool,
    /// The extensions that the caller knows.
    extensions: &'a [&'a dyn Extension],
    /// The operations that the walk is in: one, or all below a path or a document-wide setting.
    within: BTreeSet<String>,
    /// The operations met so far that leave their credentials to the document.
    inheriting: BTreeSet<String>,
    /// Whether the walk is in components that no operation reaches.
    unused: bool,
    /// Pairs behind references that the walk has met since it entered the operation, which ends recursion.
    met: HashSet<(String, String, Place, bool)>,
    /// Pairs behind references that any operation reached.
    reached: HashSet<(String, String)>,
    /// Targets of references in which, and behind which, nothing can differ.
    untouched: HashSet<String>,
    /// Schemas behind references that are still to be walked. Not on the stack, since chains of references have no end.
    ahead: Vec<(NodePair<'a>, Location)>,
    /// Pointers of components that go by another name on the other side.
    renamed: HashSet<String>,
    found: IndexMap<Key, (&'static Rule, BTreeSet<String>)>,
}

impl<'a> Comparison<'a> {
    fn new(base: &'a Node, head: &'a Node, whole: bool) -> Self {
        Self {
            base,
            head,
            whole,
            extensions: &[],
            within: BTreeSet::new(),
            inheriting: BTreeSet::new(),
            unused: false,
            met: HashSet::new(),
            reached: HashSet::new(),
            untouched: HashSet::new(),
            ahead: Vec::new(),
            renamed: HashSet::new(),
            found: IndexMap::new(),
        }
    }

    fn add(
        &mut self,
        rule: &'static Rule,
        at: &Location,
        message: impl Into<String>,
        base: Option<String>,
        head: Option<String>,
    ) {
        if at.unsent && rule.direction.is_some() {
            return;
        }
        // Direction and severity mean nothing where nothing is sent.
        let rule = match rule.direction {
            Some(_) if self.unused => &COMPONENT_CHANGED,
            _ => rule,
        };
        let key = (rule.id, at.subject.clone(), message.into(), base, head);
        let (_, used_by) = self.found.entry(key).or_insert((rule, BTreeSet::new()));
        used_by.extend(self.within.iter().cloned());
    }

    /// Adds a finding about what stands at `pair`.
    fn add_pair(
        &mut self,
        rule: &'static Rule,
        at: &Location,
        message: impl Into<String>,
        pair: &NodeChange<'_>,
    ) {
        self.add(rule, at, message, pair.base_pointer(), pair.head_pointer());
    }

    /// Adds a finding about what stands at `pair`, unless both sides are the same.
    fn changed(&mut self, rule: &'static Rule, at: &Location, what: &str, pair: &NodeChange<'a>) {
        if !pair.is_same() {
            let message = moved(what, pair.base_node(), pair.head_node());
            self.add_pair(rule, at, message, pair);
        }
    }

    /// Like [`Self::changed`], but numbers and booleans are texts where the schemas of both sides ask for
    /// text.
    fn changed_as_written(
        &mut self,
        rule: &'static Rule,
        at: &Location,
        what: &str,
        pair: &NodeChange<'a>,
        is_of_text: bool,
    ) {
        let base = pair.base_node().map(|node| written(node, is_of_text));
        let head = pair.head_node().map(|node| written(node, is_of_text));
        let (base, head) = (base.as_deref(), head.as_deref());
        let is_same = match (base, head) {
            (Some(base), Some(head)) => same(base, head),
            (base, head) => base.is_none() && head.is_none(),
        };
        if !is_same {
            self.add_pair(rule, at, moved(what, base, head), pair);
        }
    }

    /// Both sides differ, and no rule knows how.
    fn unclassified(&mut self, at: &Location, pair: &NodeChange<'a>) {
        if self.alike(pair) {
            return;
        }
        let pointer = pair.pointer();
        let message = moved(pointer, pair.base_node(), pair.head_node());
        self.add_pair(&UNCLASSIFIED, at, message, pair);
    }

    /// Whether an extension of ours stands on one side only, of which the other may know nothing.
    fn is_ours_alone(&self, pair: &NodeChange<'a>) -> bool {
        !self.whole && pair.both().is_none()
    }

    /// Walks the keys of both sides. What `visit` does not know is unclassified, and so are sides that are no mappings.
    fn keys(
        &mut self,
        both: &NodePair<'a>,
        at: &Location,
        mut visit: impl FnMut(&mut Self, &'a str, &NodeChange<'a>) -> Known,
    ) {
        if !both.are_maps() {
            return self.unclassified(at, &both.pair());
        }
        for (key, pair) in both.keys() {
            if visit(self, key, &pair) == Known::No && !self.extension(key, at, &pair) {
                self.unclassified(at, &pair);
            }
        }
    }

    /// Compares an extension that the caller knows, and returns whether it is one.
    fn extension(&mut self, key: &str, at: &Location, pair: &NodeChange<'a>) -> bool {
        let mut known = self.extensions.iter();
        let Some(extension) = known.find(|extension| extension.key() == key) else {
            return false;
        };
        if self.is_ours_alone(pair) || pair.is_same() {
            return true;
        }
        let change = ExtensionChange {
            base: pair.base_node(),
            head: pair.head_node(),
            place: at.place,
        };
        for found in extension.compare(&change) {
            let whole = |node_ref: &Option<NodeRef<'a>>, below: Option<String>| {
                Some(format!("{}{}", node_ref.as_ref()?.pointer, below?))
            };
            let (base, head) = (whole(&pair.base, found.base), whole(&pair.head, found.head));
            self.add(found.rule, at, found.message, base, head);
        }
        true
    }

    /// The findings: errors first, then by subject, each with a fingerprint of its own.
    fn finish(self) -> Vec<Finding> {
        let mut findings: Vec<_> = self
            .found
            .into_iter()
            .map(
                |((_, subject, message, base, head), (rule, used_by))| Finding {
                    rule,
                    subject,
                    message,
                    base,
                    head,
                    used_by: used_by.into_iter().collect(),
                },
            )
            .collect();
        findings.sort_by(|a, b| {
            let severity = b.rule.severity.cmp(&a.rule.severity);
            let rest = |one: &Finding| {
                let pointers = (one.base.clone(), one.head.clone());
                (
                    one.subject.clone(),
                    one.rule.id,
                    one.message.clone(),
                    pointers,
                )
            };
            severity.then_with(|| rest(a).cmp(&rest(b)))
        });
        tell_apart(&mut findings);
        findings
    }
}

/// Two findings can say the same about the same subject only when it stands at several places; then the place tells
/// them apart.
fn tell_apart(findings: &mut [Finding]) {
    let mut seen = HashSet::new();
    let twice: Vec<_> = findings
        .iter()
        .map(|finding| !seen.insert(finding.fingerprint()))
        .collect();
    for (finding, twice) in findings.iter_mut().zip(twice) {
        if twice {
            let pointer = finding.head.as_ref().or(finding.base.as_ref());
            let pointer = pointer.map_or("", String::as_str);
            finding.subject = format!("{} at {pointer}", finding.subject);
        }
    }
}

/// Whether a walk knows a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}
