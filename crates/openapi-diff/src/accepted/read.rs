//! Reads the file of accepted differences.

use crate::document::Document;
use crate::rules;
use crate::tree::{Node, join};

use super::pattern::Pattern;
use super::{Acceptance, AcceptedSyntax};

/// Every entry of the file, or everything that is wrong with it, each with its line.
pub(super) fn read(
    document: &Document,
    syntax: AcceptedSyntax<'_>,
) -> Result<Vec<Acceptance>, Vec<String>> {
    let mut reader = Reader {
        document,
        syntax,
        faults: Vec::new(),
    };
    let entries = reader.entries();
    match reader.faults {
        faults if faults.is_empty() => Ok(entries),
        faults => Err(faults),
    }
}

struct Reader<'a> {
    document: &'a Document,
    syntax: AcceptedSyntax<'a>,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn entries(&mut self) -> Vec<Acceptance> {
        let tree = &self.document.tree;
        if *tree == Node::Null {
            return Vec::new();
        }
        let keys: Vec<_> = tree.entries().map(|(key, _)| key).collect();
        let Some(Node::List(items)) = tree.get("accepted").filter(|_| keys.len() == 1) else {
            self.fault(
                "",
                "it has to be a mapping with the one key `accepted`, a list",
            );
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| self.entry(&format!("/accepted/{index}"), item))
            .collect()
    }

    fn entry(&mut self, pointer: &str, item: &Node) -> Option<Acceptance> {
        if item.as_map().is_none() {
            let message = format!("an entry is a mapping of {}", self.syntax.keys().join(", "));
            self.fault(pointer, &message);
            return None;
        }
        let keys = self.syntax.keys();
        for (key, _) in item.entries().filter(|(key, _)| !keys.contains(key)) {
            let message = format!("`{key}` is unknown; an entry has {}", keys.join(", "));
            self.fault(&join(pointer, key), &message);
        }
        let ids = self.ids(pointer, item);
        let AcceptedSyntax { base, head, .. } = self.syntax;
        if item.get(base).is_none() && item.get(head).is_none() {
            let message =
                format!("`{base}` or `{head}` is missing: a JSON pointer into that document");
            self.fault(pointer, &message);
        }
        let base = self.places(pointer, item, base);
        let head = self.places(pointer, item, head);
        let reason = self.required(pointer, item, "reason");
        let date = self.required(pointer, item, "date");
        if let Some(date) = date.as_deref().filter(|date| !is_day(date)) {
            let message = format!("`{date}` is not a date; write it as 2026-02-22");
            self.fault(&join(pointer, "date"), &message);
        }
        let fingerprint = item.get("fingerprint").and_then(|node| {
            let at = join(pointer, "fingerprint");
            let text = self.text(&at, node)?;
            let fits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !fits {
                self.fault(
                    &at,
                    "a fingerprint has twelve hexadecimal digits, in quotes",
                );
            }
            Some(text)
        });
        Some(Acceptance {
            ids,
            base,
            head,
            fingerprint,
            reason: reason?,
            date: date?,
            line: self.document.position(pointer).line,
        })
    }

    fn ids(&mut self, pointer: &str, item: &Node) -> Vec<Pattern> {
        if item.get("id").is_none() {
            self.fault(
                pointer,
                "`id` is missing: the id of a rule, or a list of them",
            );
        }
        let texts = self.texts(&join(pointer, "id"), item.get("id"));
        for (at, id) in &texts {
            self.check_id(at, id);
        }
        texts.iter().map(|(_, id)| Pattern::new(id)).collect()
    }

    fn places(&mut self, pointer: &str, item: &Node, key: &str) -> Vec<Pattern> {
        let texts = self.texts(&join(pointer, key), item.get(key));
        for (at, text) in &texts {
            self.check_place(at, text);
        }
        texts.iter().map(|(_, text)| Pattern::new(text)).collect()
    }

    /// One text or a list of them, each with its pointer.
    fn texts(&mut self, pointer: &str, node: Option<&Node>) -> Vec<(String, String)> {
        let nodes = match node {
            None => Vec::new(),
            Some(Node::List(items)) if !items.is_empty() => {
                let at = |index| format!("{pointer}/{index}");
                let items = items.iter().enumerate();
                items.map(|(index, item)| (at(index), item)).collect()
            }
            Some(node) => vec![(pointer.to_owned(), node)],
        };
        let texts = nodes.into_iter().filter_map(|(at, node)| {
            let text = self.text(&at, node)?;
            Some((at, text))
        });
        texts.collect()
    }

    fn check_id(&mut self, pointer: &str, id: &str) {
        let pattern = Pattern::new(id);
        let bare = id.trim_matches('*').is_empty();
        if bare || !(self.syntax.rules)().any(|rule| pattern.matches(rule.id)) {
            let mut message = match pattern.has_wildcard() {
                _ if bare => format!("`{id}` would accept everything; name what"),
                true => format!("no rule matches `{id}`"),
                false => format!("there is no rule `{id}`"),
            };
            if let Some(near) = rules::alike(id, (self.syntax.rules)()).first() {
                message += &format!("; did you mean `{near}`?");
            }
            self.fault(pointer, &message);
        }
    }

    fn check_place(&mut self, pointer: &str, text: &str) {
        let first = text
            .strip_prefix('/')
            .and_then(|rest| rest.split('/').next());
        if first.is_none_or(|step| step.is_empty() || step.contains('*')) {
            let message = format!(
                "`{text}` is not a JSON pointer with a first step without `*`, such as `/paths/**`"
            );
            self.fault(pointer, &message);
        }
    }

    fn required(&mut self, pointer: &str, item: &Node, key: &str) -> Option<String> {
        match item.get(key) {
            Some(node) => self.text(&join(pointer, key), node),
            None => {
                self.fault(pointer, &format!("`{key}` is missing"));
                None
            }
        }
    }

    fn text(&mut self, pointer: &str, node: &Node) -> Option<String> {
        let text = node.as_text().map(str::trim);
        let text = text.filter(|text| !text.is_empty());
        if text.is_none() {
            let mut steps = pointer.rsplit('/');
            let key = steps
                .find(|step| self.syntax.keys().contains(step))
                .unwrap_or_default();
            let message = format!("`{key}` has to be a text, and not an empty one");
            self.fault(pointer, &message);
        }
        text.map(str::to_owned)
    }

    fn fault(&mut self, pointer: &str, message: &str) {
        let Document { name, .. } = self.document;
        let line = self.document.position(pointer);
        self.faults.push(format!("{name}:{line}: {message}"));
    }
}

/// Whether the text is a day of the Gregorian calendar, as `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    let number = |range| {
        text.get(range)
            .filter(|text: &&str| text.bytes().all(|byte| byte.is_ascii_digit()))?
            .parse::<u32>()
            .ok()
    };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    text.len() == 10 && &text[4..5] == "-" && &text[7..8] == "-" && (1..=last).contains(&day)
}
