//! Numbers about files, which the vendor's document has in descriptions and our spec in `x-media`.

use std::collections::BTreeMap;

use openapi_codegen::SPANS;
use openapi_diff::document::{Operation, locate, operations};
use openapi_diff::finding::Finding;
use openapi_diff::tree::{Node, join};

use super::reach::key;
use crate::spec::rules::upstream::MEDIA_PROSE_DIFFERS;

/// The words behind a number that name its unit, by the key of `x-media`.
const UNITS: [(&str, &[&str]); 4] = [
    ("seconds", &["s", "sec", "secs", "second", "seconds"]),
    ("pixels", &["p", "px", "pixel", "pixels"]),
    ("framesPerSecond", &["fps", "frames"]),
    ("megabytes", &["mb", "megabyte", "megabytes", "mib"]),
];

/// The findings by our pointer and the vendor's.
type Found = BTreeMap<(String, String), Finding>;

/// A finding for each span in `x-media` of our request bodies with a bound that the vendor's description of the same
/// field does not have, although it has numbers in that unit.
pub fn compare(ours: &Node, vendor: &Node) -> Vec<Finding> {
    let mut found = Found::new();
    let theirs = operations(vendor);
    for operation in operations(ours) {
        let Some(other) = theirs.iter().find(|one| key(one) == key(&operation)) else {
            continue;
        };
        let bodies = [(ours, &operation), (vendor, other)].map(|(tree, one)| body(tree, one));
        if let [Some(our_schema), Some(vendor_schema)] = bodies {
            let mut walk = Walk {
                ours,
                vendor,
                operation: operation.name(),
                found: &mut found,
                within: Vec::new(),
            };
            walk.schema(our_schema, vendor_schema);
        }
    }
    found.into_values().collect()
}

/// A schema with its JSON pointer.
type Located<'a> = (String, &'a Node);

fn body<'a>(tree: &'a Node, operation: &Operation<'a>) -> Option<Located<'a>> {
    let pointer = join(&operation.pointer(), "requestBody");
    let (pointer, body) = locate(tree, &pointer, operation.node.get("requestBody")?).ok()?;
    let (media_type, content) = body.get("content")?.entries().next()?;
    let pointer = join(&join(&join(&pointer, "content"), media_type), "schema");
    Some((pointer, content.get("schema")?))
}

struct Walk<'a, 'f> {
    ours: &'a Node,
    vendor: &'a Node,
    operation: String,
    found: &'f mut Found,
    /// The pointers to the schemas of ours around this one, which end recursion.
    within: Vec<String>,
}

impl<'a> Walk<'a, '_> {
    fn schema(&mut self, ours: Located<'a>, vendor: Located<'a>) {
        let (Ok(our_end), Ok(vendor_end)) = (
            locate(self.ours, &ours.0, ours.1),
            locate(self.vendor, &vendor.0, vendor.1),
        ) else {
            return;
        };
        if self.within.contains(&our_end.0) {
            return;
        }
        if let Some(media) = our_end.1.get("x-media") {
            // Beside a reference or behind it, a description is about the field.
            for text in [&vendor, &vendor_end] {
                self.media((join(&our_end.0, "x-media"), media), text);
            }
        }
        self.within.push(our_end.0.clone());
        for (name, property) in our_end
            .1
            .get("properties")
            .into_iter()
            .flat_map(Node::entries)
        {
            let pointer = |schema: &Located<'_>| join(&join(&schema.0, "properties"), name);
            let other = vendor_end.1.get("properties").and_then(|all| all.get(name));
            if let Some(other) = other {
                self.schema((pointer(&our_end), property), (pointer(&vendor_end), other));
            }
        }
        if let (Some(items), Some(others)) = (our_end.1.get("items"), vendor_end.1.get("items")) {
            let pointer = |schema: &Located<'_>| join(&schema.0, "items");
            self.schema((pointer(&our_end), items), (pointer(&vendor_end), others));
        }
        self.within.pop();
    }

    fn media(&mut self, (pointer, media): Located<'a>, vendor: &Located<'a>) {
        let Some(text) = vendor.1.text("description") else {
            return;
        };
        for (span, _) in SPANS {
            let bounds = media.get(span).into_iter().flat_map(Node::entries);
            let bounds: Vec<_> = bounds.filter_map(|(_, bound)| bound.as_f64()).collect();
            let numbers = numbers(text, span);
            if numbers.is_empty() || bounds.iter().all(|bound| numbers.contains(bound)) {
                continue;
            }
            let told = |all: &[f64]| {
                let all: Vec<_> = all.iter().map(f64::to_string).collect();
                all.join(", ")
            };
            let (base, head) = (join(&pointer, span), join(&vendor.0, "description"));
            let finding = self
                .found
                .entry((base.clone(), head.clone()))
                .or_insert(Finding {
                    rule: &MEDIA_PROSE_DIFFERS,
                    subject: base
                        .trim_start_matches("/components/schemas/")
                        .replace('/', "."),
                    message: format!(
                        "{span} is {} in x-media, and the vendor's description says {}",
                        told(&bounds),
                        told(&numbers)
                    ),
                    base: Some(base),
                    head: Some(head),
                    used_by: Vec::new(),
                });
            if !finding.used_by.contains(&self.operation) {
                finding.used_by.push(self.operation.clone());
                finding.used_by.sort();
            }
        }
    }
}

/// The numbers in a text that have the unit of a span, in the order of the text. In `3-10 seconds` both have it.
fn numbers(text: &str, span: &str) -> Vec<f64> {
    let mut units = UNITS.iter();
    let units = units.find(|(key, _)| *key == span);
    let units = units.map_or(&[][..], |(_, units)| units);
    let mut found = Vec::new();
    // Numbers that wait for their unit.
    let mut waiting = Vec::new();
    for word in words(text) {
        match word.parse::<f64>() {
            Ok(number) => waiting.push(number),
            Err(_) if units.contains(&word.as_str()) => found.append(&mut waiting),
            Err(_) if ["to", "and", "-", "–", "—", "~", "x", "×"].contains(&word.as_str()) => {
            }
            Err(_) => waiting.clear(),
        }
    }
    found
}

/// Numbers, words and signs, in lower case: `3s` is two of them.
fn words(text: &str) -> Vec<String> {
    #[derive(PartialEq)]
    enum Kind {
        Number,
        Letters,
        Sign,
    }
    let mut words: Vec<(Kind, String)> = Vec::new();
    let mut before = ' ';
    for letter in text.to_lowercase().chars() {
        let kind = match letter {
            '0'..='9' => Kind::Number,
            '.' if before.is_ascii_digit() => Kind::Number,
            letter if letter.is_alphabetic() => Kind::Letters,
            _ => Kind::Sign,
        };
        match words.last_mut() {
            Some((last, word))
                if *last == kind && kind != Kind::Sign && !before.is_whitespace() =>
            {
                word.push(letter);
            }
            _ if letter.is_whitespace() => {}
            _ => words.push((kind, letter.to_string())),
        }
        before = letter;
    }
    let words = words.into_iter();
    words
        .map(|(_, word)| word.trim_end_matches('.').to_owned())
        .collect()
}
