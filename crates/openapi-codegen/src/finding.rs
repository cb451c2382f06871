//! The findings of the lint.

use super::spec::Spec;
use crate::rules;
use openapi_diff::document::{Position, Unreadable};
use openapi_diff::rule::Rule;
use openapi_diff::tree::join;

/// One thing in the spec that the generator would silently get wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// JSON pointer of the offender.
    pub pointer: String,
    /// Stable name of the rule.
    pub code: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// Where that stands in the file.
    pub position: Option<Position>,
}

impl Finding {
    /// The finding as text; `document` is the name of the document.
    pub fn describe(&self, document: &str) -> String {
        let mut text = document.to_owned();
        if let Some(position) = self.position {
            text += &format!(":{position}");
        }
        text += &format!(": {}", self.code);
        if !self.pointer.is_empty() {
            text += &format!(" at {}", self.pointer);
        }
        text + "\n  " + &self.message
    }
}

/// The findings of one run.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Finds the position of each finding in the file.
    pub fn locate(&mut self, spec: &Spec) {
        for finding in &mut self.0 {
            finding.position = Some(spec.lines.find(&spec.tree, &finding.pointer));
        }
    }

    /// All findings by pointer and code, each once.
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort();
        self.0.dedup();
        self.0
    }

    pub fn add(&mut self, rule: &'static Rule, pointer: &str, message: impl Into<String>) {
        self.0.push(Finding {
            pointer: pointer.to_owned(),
            code: rule.id,
            message: message.into(),
            position: None,
        });
    }

    pub fn add_unreadable(&mut self, error: Unreadable) {
        self.0.push(Finding {
            pointer: String::new(),
            code: rules::UNREADABLE.id,
            message: error.message,
            position: error.position,
        });
    }

    pub fn add_missing_part(&mut self, pointer: &str, part: &str) {
        let message = format!("`{part}` is missing or empty");
        self.add(&rules::MISSING_PART, pointer, message);
    }

    pub fn add_ignored(&mut self, pointer: &str, reason: &str) {
        self.add(&rules::IGNORED, pointer, format!("{reason}; take it out"));
    }

    pub fn add_misplaced_extension(&mut self, pointer: &str, owner: &str) {
        let message = format!("it belongs to {owner}");
        self.add(&rules::MISPLACED_EXTENSION, pointer, message);
    }

    /// `form` is what a name has to be.
    pub fn add_unfit_name(&mut self, pointer: &str, name: &str, form: &str) {
        let message = format!("`{name}` is not {form}");
        self.add(&rules::UNFIT_NAME, pointer, message);
    }

    /// `pointer` leads to the schema that has the keyword.
    pub fn add_unsupported_keyword(&mut self, pointer: &str, keyword: &str) {
        let message = format!("nothing generated can state `{keyword}`, so it would be lost");
        self.add(
            &rules::UNSUPPORTED_KEYWORD,
            &join(pointer, keyword),
            message,
        );
    }
}
