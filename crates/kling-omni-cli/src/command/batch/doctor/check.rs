//! What a check found, as one line with what to do.

use std::fmt;

use serde::Serialize;

use crate::exit::Exit;
use crate::report::printable;

/// Whether something is as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CheckState {
    Ok,
    /// A batch can run, and something may go wrong.
    Warning,
    /// A batch cannot run, or what it writes is not safe.
    Broken,
}

/// The result of a check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    state: CheckState,
    /// What was checked.
    subject: &'static str,
    text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// The exit code, if it is broken.
    #[serde(skip)]
    exit: Exit,
}

impl Check {
    pub(super) fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self {
            state: CheckState::Ok,
            subject,
            text: text.into(),
            help: None,
            exit: Exit::Done,
        }
    }

    pub(super) fn warning(
        subject: &'static str,
        text: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            state: CheckState::Warning,
            help: Some(help.into()),
            ..Self::ok(subject, text)
        }
    }

    pub(super) fn broken(subject: &'static str, exit: Exit, text: impl Into<String>) -> Self {
        Self {
            state: CheckState::Broken,
            exit,
            ..Self::ok(subject, text)
        }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The text and the exit code, if it is broken.
    pub(super) fn problem(&self) -> Option<(&str, Exit)> {
        (self.state == CheckState::Broken).then_some((&*self.text, self.exit))
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            CheckState::Ok => "ok",
            CheckState::Warning => "warning",
            CheckState::Broken => "broken",
        };
        let text = printable(&self.text);
        write!(f, "{state:<8} {:<11} {text}", self.subject)?;
        match &self.help {
            Some(help) => write!(f, "; {}", printable(help)),
            None => Ok(()),
        }
    }
}
