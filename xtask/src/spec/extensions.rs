//! The extensions that this workspace has given the spec, as the comparison of two documents reads them.

use std::cmp::Ordering;

use openapi_codegen::SPANS;
use openapi_diff::compare::Comparer;
use openapi_diff::extension::{
    Extension, ExtensionChange, ExtensionFinding, compare_numbers, describe,
};
use openapi_diff::rule::Rule;
use openapi_diff::rules::reference::UNCLASSIFIED;
use openapi_diff::tree::{Node, join};

use super::rules::extensions::{
    MEDIA_ADDED, MEDIA_BOUND_LOOSENED, MEDIA_BOUND_TIGHTENED, MEDIA_FORMAT_ADDED,
    MEDIA_FORMAT_REMOVED, MEDIA_KIND_CHANGED, MEDIA_ORDER_CHANGED, MEDIA_REMOVED,
    OUTPUT_SECONDS_CHANGED, PROVENANCE_CHANGED, TASK_ADDED, TASK_CHANGED, TASK_REMOVED,
};

/// The comparison that knows them.
pub static COMPARER: Comparer<'static> = Comparer::new(&EXTENSIONS);

static EXTENSIONS: [&dyn Extension; 4] = [&Media, &OUTPUT_SECONDS, &PROVENANCE, &TASK];

static OUTPUT_SECONDS: Whole = Whole {
    key: "x-output-seconds",
    rules: [&OUTPUT_SECONDS_CHANGED; 3],
};

static PROVENANCE: Whole = Whole {
    key: "x-provenance",
    rules: [&PROVENANCE_CHANGED; 3],
};

static TASK: Whole = Whole {
    key: openapi_codegen::TASK,
    rules: [&TASK_ADDED, &TASK_CHANGED, &TASK_REMOVED],
};

/// An extension whose value is compared as a whole, with the rules for one that comes, changes and goes.
struct Whole {
    key: &'static str,
    rules: [&'static Rule; 3],
}

impl Extension for Whole {
    fn key(&self) -> &str {
        self.key
    }

    fn compare(&self, change: &ExtensionChange<'_>) -> Vec<ExtensionFinding> {
        let [added, changed, removed] = self.rules;
        let rule = match (change.base, change.head) {
            (Some(_), Some(_)) => changed,
            (None, _) => added,
            (_, None) => removed,
        };
        vec![change.whole(rule, describe(self.key, change.base, change.head))]
    }
}

/// `x-media`: what the file behind a URL has to be.
struct Media;

impl Extension for Media {
    fn key(&self) -> &str {
        "x-media"
    }

    fn compare(&self, change: &ExtensionChange<'_>) -> Vec<ExtensionFinding> {
        let (base, head) = match (change.base, change.head) {
            (Some(base), Some(head)) => (base, head),
            (None, _) => return vec![change.whole(MEDIA_ADDED.at(change.place), "x-media is new")],
            (_, None) => {
                return vec![change.whole(MEDIA_REMOVED.at(change.place), "x-media is gone")];
            }
        };
        if base.as_map().is_none() || head.as_map().is_none() {
            return vec![unclassified(change, "")];
        }
        let mut findings = Vec::new();
        for key in keys(base, head) {
            let pointer = join("", key);
            match key {
                _ if base.get(key) == head.get(key) => {}
                "kind" => {
                    let message = describe(key, base.get(key), head.get(key));
                    let rule = MEDIA_KIND_CHANGED.at(change.place);
                    findings.push(change.below(&pointer, rule, message));
                }
                "formats" => formats(change, &pointer, &mut findings),
                _ if SPANS.iter().any(|(span, _)| *span == key) => {
                    span(change, &pointer, &mut findings);
                }
                _ => findings.push(unclassified(change, &pointer)),
            }
        }
        findings
    }
}

/// The keys of both sides, those of the newer one first.
fn keys<'a>(base: &'a Node, head: &'a Node) -> impl Iterator<Item = &'a str> {
    let gone = base.entries().filter(|(key, _)| head.get(key).is_none());
    head.entries().chain(gone).map(|(key, _)| key)
}

fn unclassified(change: &ExtensionChange<'_>, pointer: &str) -> ExtensionFinding {
    let [base, head] = sides(change, pointer);
    let message = describe(&format!("x-media{pointer}"), base, head);
    change.below(pointer, &UNCLASSIFIED, message)
}

fn sides<'a>(change: &ExtensionChange<'a>, pointer: &str) -> [Option<&'a Node>; 2] {
    [change.base, change.head].map(|side| side?.at(pointer))
}

fn formats(change: &ExtensionChange<'_>, pointer: &str, findings: &mut Vec<ExtensionFinding>) {
    let [base, head] = sides(change, pointer).map(|side| side.map_or(&[][..], Node::items));
    if base
        .iter()
        .chain(head)
        .any(|format| format.as_text().is_none())
        || base.is_empty()
        || head.is_empty()
    {
        return findings.push(unclassified(change, pointer));
    }
    let texts = |formats: &[Node], others: &[Node], kept: bool| -> Vec<(usize, String)> {
        let formats = formats.iter().enumerate();
        let formats = formats.filter(|(_, format)| others.contains(format) == kept);
        formats
            .filter_map(|(index, format)| Some((index, format.as_text()?.to_owned())))
            .collect()
    };
    for (index, format) in texts(head, base, false) {
        let rule = MEDIA_FORMAT_ADDED.at(change.place);
        findings.push(ExtensionFinding {
            base: None,
            ..change.below(
                &format!("{pointer}/{index}"),
                rule,
                format!("format {format} is new"),
            )
        });
    }
    for (index, format) in texts(base, head, false) {
        let rule = MEDIA_FORMAT_REMOVED.at(change.place);
        findings.push(ExtensionFinding {
            head: None,
            ..change.below(
                &format!("{pointer}/{index}"),
                rule,
                format!("format {format} is gone"),
            )
        });
    }
    let names = |kept: Vec<(usize, String)>| {
        let names: Vec<_> = kept.into_iter().map(|(_, format)| format).collect();
        names.join(", ")
    };
    let (old, new) = (
        names(texts(base, head, true)),
        names(texts(head, base, true)),
    );
    if old != new {
        let message = format!("order was {old} and is {new}");
        findings.push(change.below(pointer, &MEDIA_ORDER_CHANGED, message));
    }
}

fn span(change: &ExtensionChange<'_>, pointer: &str, findings: &mut Vec<ExtensionFinding>) {
    let nothing = Node::map();
    let [base, head] = sides(change, pointer).map(|side| side.unwrap_or(&nothing));
    if base.as_map().is_none() || head.as_map().is_none() {
        return findings.push(unclassified(change, pointer));
    }
    for end in keys(base, head) {
        let below = join(pointer, end);
        let (old, new) = (base.get(end), head.get(end));
        let tight = match end {
            "minimum" => Ordering::Less,
            "maximum" => Ordering::Greater,
            _ if old == new => continue,
            _ => {
                findings.push(unclassified(change, &below));
                continue;
            }
        };
        if [old, new]
            .into_iter()
            .flatten()
            .any(|end| end.as_f64().is_none())
        {
            findings.push(unclassified(change, &below));
            continue;
        }
        let is_tightened = match (old, new) {
            (Some(old), Some(new)) => match compare_numbers(old, new) {
                Ordering::Equal => continue,
                ordering => ordering == tight,
            },
            (old, _) => old.is_none(),
        };
        let family = match is_tightened {
            true => &MEDIA_BOUND_TIGHTENED,
            false => &MEDIA_BOUND_LOOSENED,
        };
        let what = format!("{end} of {}", pointer.trim_start_matches('/'));
        findings.push(change.below(&below, family.at(change.place), describe(&what, old, new)));
    }
}
