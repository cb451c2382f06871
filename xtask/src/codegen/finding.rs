//! What is wrong with a spec.

use std::fmt;

use super::SPEC;
use super::load::Spec;
use crate::spec::rules::lint as rules;
use openapi_diff::document::{Position, Unreadable};
use openapi_diff::rule::Rule;

/// One thing in the spec that the generator would get wrong without a word.
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

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SPEC)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        write!(f, ": {}", self.code)?;
        if !self.pointer.is_empty() {
            write!(f, " at {}", self.pointer)?;
        }
        write!(f, "\n  {}", self.message)
    }
}

/// The findings of one run. Each kind is made by one `add_` function, and the catalogue says what it means.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Says of each finding where its pointer leads to in the file.
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

    fn add(&mut self, rule: &'static Rule, pointer: &str, message: impl Into<String>) {
        self.0.push(Finding {
            pointer: pointer.to_owned(),
            code: rule.id,
            message: message.into(),
            position: None,
        });
    }

    /// The text is no YAML, or has a key twice.
    pub fn add_unreadable(&mut self, error: Unreadable) {
        self.add(&rules::UNREADABLE, "", error.message);
        if let Some(finding) = self.0.last_mut() {
            finding.position = error.position;
        }
    }

    /// The document is of another edition of OpenAPI.
    pub fn add_edition(&mut self, given: Option<&str>) {
        let given = given.unwrap_or("nothing");
        let message = format!("`openapi` is {given}; the generator reads 3.0.x only");
        self.add(&rules::OPENAPI_VERSION, "/openapi", message);
    }

    /// A part that every spec must have is missing.
    pub fn add_missing_part(&mut self, pointer: &str, part: &str) {
        self.add(
            &rules::MISSING_PART,
            pointer,
            format!("`{part}` is missing or empty"),
        );
    }

    /// A part is there that generation leaves out without a word.
    pub fn add_ignored(&mut self, pointer: &str, why: &str) {
        self.add(&rules::IGNORED, pointer, format!("{why}; take it out"));
    }

    /// An extension that nobody reads: most likely a typo.
    pub fn add_unknown_extension(&mut self, pointer: &str, known: &[&str]) {
        let known = known.join(", ");
        let message = format!("nothing reads this extension; known ones are {known}");
        self.add(&rules::UNKNOWN_EXTENSION, pointer, message);
    }

    /// A known extension where it has no meaning.
    pub fn add_misplaced_extension(&mut self, pointer: &str, belongs: &str) {
        self.add(
            &rules::MISPLACED_EXTENSION,
            pointer,
            format!("it belongs to {belongs}"),
        );
    }

    /// An extension with a value of the wrong form.
    pub fn add_malformed_extension(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::MALFORMED_EXTENSION, pointer, message);
    }

    /// `x-task` that contradicts the rest of the document.
    pub fn add_task(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::TASK, pointer, message);
    }

    /// A `$ref` that leads nowhere, outside, or back to itself.
    pub fn add_broken_reference(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::BROKEN_REFERENCE, pointer, message);
    }

    /// Keys beside a `$ref`.
    pub fn add_reference_siblings(&mut self, pointer: &str, keys: &[&str]) {
        let keys = keys.join("`, `");
        let message = format!("OpenAPI 3.0 ignores `{keys}` beside a `$ref`");
        self.add(&rules::REFERENCE_SIBLINGS, pointer, message);
    }

    /// An operation without a name.
    pub fn add_missing_operation_id(&mut self, pointer: &str) {
        let message = "the operation has no `operationId`, which names its Rust method";
        self.add(&rules::MISSING_OPERATION_ID, pointer, message);
    }

    /// Two things that get the same Rust name.
    pub fn add_collision(&mut self, pointer: &str, rust: &str, other: &str) {
        let message = format!("its Rust name `{rust}` is taken by {other}");
        self.add(&rules::COLLISION, pointer, message);
    }

    /// A name that Rust cannot take, or not unchanged.
    pub fn add_unfit_name(&mut self, pointer: &str, name: &str, form: &str) {
        self.add(
            &rules::UNFIT_NAME,
            pointer,
            format!("`{name}` is not {form}"),
        );
    }

    /// Not exactly one success response.
    pub fn add_success_count(&mut self, pointer: &str, found: &[&str]) {
        let message = match found {
            [] => "no 2xx response".to_owned(),
            found => format!("more than one 2xx response: {}", found.join(", ")),
        };
        let message = format!("{message}; the generator copes with exactly one");
        self.add(&rules::SUCCESS_COUNT, pointer, message);
    }

    /// A success response for a range of statuses.
    pub fn add_success_range(&mut self, pointer: &str) {
        let message = "a range or `default` would take other statuses for success; name one status";
        self.add(&rules::SUCCESS_RANGE, pointer, message);
    }

    /// A body in another form than JSON, or in several.
    pub fn add_media_type(&mut self, pointer: &str, found: &[&str]) {
        let found = match found {
            [] => "nothing".to_owned(),
            found => found.join(", "),
        };
        let message = format!("the body comes as {found}; only application/json alone is read");
        self.add(&rules::MEDIA_TYPE, pointer, message);
    }

    /// A body whose schema has no name.
    pub fn add_inline_body(&mut self, pointer: &str) {
        let message = "the generator makes up a name for it, and may take the same name twice; use a `$ref` to components/schemas";
        self.add(&rules::INLINE_BODY, pointer, message);
    }

    /// A request body that may be left out.
    pub fn add_optional_body(&mut self, pointer: &str) {
        let message = "the generator always sends a body; say `required: true`";
        self.add(&rules::OPTIONAL_BODY, pointer, message);
    }

    /// A parameter of a kind that the generator refuses or ignores.
    pub fn add_parameter(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::PARAMETER, pointer, message);
    }

    /// An enum without a name.
    pub fn add_inline_enum(&mut self, pointer: &str) {
        let message = "an enum needs a name: move it to components/schemas and use a `$ref`";
        self.add(&rules::INLINE_ENUM, pointer, message);
    }

    /// An object without a name.
    pub fn add_inline_object(&mut self, pointer: &str) {
        let message = "an object needs a name: move it to components/schemas and use a `$ref`";
        self.add(&rules::INLINE_OBJECT, pointer, message);
    }

    /// An enum that cannot become a Rust enum.
    pub fn add_enum(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::ENUM, pointer, message);
    }

    /// `x-enum-varnames` that do not fit the values.
    pub fn add_variant_names(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::VARIANT_NAMES, pointer, message);
    }

    /// A keyword that makes one schema of several.
    pub fn add_composition(&mut self, pointer: &str, keyword: &str) {
        let message = format!("`{keyword}` has no plain Rust type; write one schema");
        self.add(&rules::COMPOSITION, pointer, message);
    }

    /// A keyword that the generated code and limits cannot state.
    pub fn add_unsupported_keyword(&mut self, pointer: &str, keyword: &str) {
        let message = format!("nothing generated can state `{keyword}`, so it would be lost");
        self.add(&rules::UNSUPPORTED_KEYWORD, pointer, message);
    }

    /// A missing or unknown type.
    pub fn add_type(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::TYPE, pointer, message);
    }

    /// A format that the generator does not know, or for which it would need another crate.
    pub fn add_unknown_format(&mut self, pointer: &str, format: &str, known: &[&str]) {
        let known = match known {
            [] => "none".to_owned(),
            known => known.join(", "),
        };
        let message = format!("`{format}` is not known for this type; known: {known}");
        self.add(&rules::UNKNOWN_FORMAT, pointer, message);
    }

    /// A bound that cannot be met, or says nothing about this type.
    pub fn add_bound(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::BOUND, pointer, message);
    }

    /// A default that breaks the schema's own rules.
    pub fn add_default(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(&rules::DEFAULT, pointer, message);
    }

    /// A required property that is none.
    pub fn add_unknown_required(&mut self, pointer: &str, name: &str) {
        let message = format!("`{name}` is required but no property");
        self.add(&rules::UNKNOWN_REQUIRED, pointer, message);
    }
}
