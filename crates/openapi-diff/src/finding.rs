//! One difference between two documents.

use sha2::{Digest as _, Sha256};

use crate::rule::Rule;

/// One difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of difference it is.
    pub rule: &'static Rule,
    /// What it is about, in names that do not move when something else does: `POST /v1/…`, a component with a
    /// property, a parameter of an operation.
    pub subject: String,
    /// What it was and what it is, in one sentence without a full stop.
    pub message: String,
    /// JSON pointer into the older document; `None` when it is not there.
    pub base: Option<String>,
    /// JSON pointer into the newer document; `None` when it is not there.
    pub head: Option<String>,
    /// The operations that it reaches, as `METHOD /path`, sorted.
    pub used_by: Vec<String>,
}

impl Finding {
    /// Twelve hexadecimal digits that stay the same while rule, subject and message do, wherever the text moves.
    pub fn fingerprint(&self) -> String {
        let text = [self.rule.id, &self.subject, &self.message].join("\n");
        let digest = Sha256::digest(text);
        digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
