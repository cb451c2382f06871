//! The forms in which findings are told.

use clap::ValueEnum;

/// A form in which findings are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
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
