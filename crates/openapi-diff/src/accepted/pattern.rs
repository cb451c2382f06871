//! Patterns for places in a document.

/// A text in which `*` stands for anything but a slash, and a last `**` for anything at all.
///
/// In a JSON pointer `*` thus stays within one step, because a slash inside a step is written `~1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn has_wildcard(&self) -> bool {
        self.0.contains('*')
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            if rest == "*" {
                return true;
            }
            let within = text.find('/').unwrap_or(text.len());
            let ends = (0..=within).filter(|end| text.is_char_boundary(*end));
            ends.into_iter().any(|end| matches(rest, &text[end..]))
        }),
    }
}
