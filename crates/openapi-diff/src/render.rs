//! The findings of a comparison, for people and for programs.

mod github;
mod json;
mod markdown;
mod text;

pub use github::github;
pub use json::{SCHEMA_VERSION, json};
pub use markdown::{escape, markdown};
pub use text::text;

use crate::finding::Finding;
use crate::rule::Severity;

/// A form in which findings are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// For people at a terminal.
    #[default]
    Text,
    /// For programs.
    Json,
    /// Annotations of GitHub's workflows.
    Github,
    /// For a page or a comment.
    Markdown,
}

impl Format {
    /// The findings in this form.
    pub fn render(self, sides: &Sides<'_>, findings: &[Finding]) -> String {
        match self {
            Self::Text => text(sides, findings),
            Self::Markdown => markdown(sides, findings),
            Self::Json => json(sides, findings),
            Self::Github => github(sides, findings),
        }
    }
}

/// From which severity on findings are a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum FailOn {
    /// Programs break.
    #[default]
    Error,
    /// Programs may break.
    Warning,
    /// Anything differs.
    Info,
    /// Nothing is a failure.
    Never,
}

impl FailOn {
    /// Whether one of the findings is a failure.
    pub fn is_met(self, findings: &[Finding]) -> bool {
        let limit = match self {
            Self::Error => Severity::Error,
            Self::Warning => Severity::Warning,
            Self::Info => Severity::Info,
            Self::Never => return false,
        };
        findings
            .iter()
            .any(|finding| finding.rule.severity >= limit)
    }
}

/// Both sides of a comparison.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// The older document.
    pub base: Side<'a>,
    /// The newer document.
    pub head: Side<'a>,
}

/// One side of a comparison.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What reports call the document.
    pub name: &'a str,
    /// The path of the document, when it is a file that an annotation can point into.
    pub file: Option<&'a str>,
    /// The line of what a JSON pointer names, or of the nearest thing around it.
    pub line: Option<&'a dyn Fn(&str) -> usize>,
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Findings by which programs break.
    pub error: usize,
    /// Findings by which programs may break.
    pub warning: usize,
    /// Findings that are worth knowing.
    pub info: usize,
}

/// The longest message that people get to read; JSON has it whole.
const LONGEST: usize = 400;

impl<'a> Side<'a> {
    /// A document without a file and without lines.
    pub fn named(name: &'a str) -> Self {
        Self {
            name,
            file: None,
            line: None,
        }
    }

    fn line(&self, pointer: Option<&String>) -> Option<usize> {
        Some(self.line?(pointer?))
    }

    /// Where a pointer leads, as `NAME:LINE`, or `NAME` with the pointer when lines are not known.
    fn place(&self, pointer: Option<&String>) -> Option<String> {
        let pointer = pointer?;
        Some(match self.line(Some(pointer)) {
            Some(line) => format!("{}:{line}", self.name),
            None if pointer.is_empty() => self.name.to_owned(),
            None => format!("{}#{pointer}", self.name),
        })
    }
}

impl Counts {
    /// Counts `findings`.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |severity| {
            let severities = findings.iter().map(|finding| finding.rule.severity);
            severities.filter(|one| *one == severity).count()
        };
        Self {
            error: count(Severity::Error),
            warning: count(Severity::Warning),
            info: count(Severity::Info),
        }
    }

    /// `2 errors, 1 warning, 12 infos`, without severities that do not occur.
    pub fn tell(self) -> String {
        let parts = [
            (self.error, "error"),
            (self.warning, "warning"),
            (self.info, "info"),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts
            .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
            .collect();
        match parts.is_empty() {
            true => "no findings".to_owned(),
            false => parts.join(", "),
        }
    }
}

/// The sentence that ends or begins a report.
fn verdict(sides: &Sides<'_>, findings: &[Finding]) -> String {
    let (base, head) = (sides.base.name, sides.head.name);
    match findings.is_empty() {
        true => format!("{base} and {head} mean the same."),
        false => format!("{} between {base} and {head}.", Counts::of(findings).tell()),
    }
}

/// A message that fits a screen.
fn cut(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!(
            "{}… ({} characters)",
            &message[..end],
            message.chars().count()
        ),
        None => message.to_owned(),
    }
}

fn effects(finding: &Finding) -> String {
    let effects = finding.rule.effects.iter();
    let effects: Vec<_> = effects.map(|effect| effect.as_str()).collect();
    effects.join(", ")
}

/// A text in the value of a GitHub annotation's message.
pub fn github_message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A text as a property of a GitHub annotation.
pub fn github_property(text: &str) -> String {
    github_message(text).replace(':', "%3A").replace(',', "%2C")
}
