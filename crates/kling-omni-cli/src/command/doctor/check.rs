//! What a check found, as one line with what to do.

use std::fmt;

use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::{self, printable};

/// Whether something is as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::command) enum CheckState {
    Ok,
    /// The program can be used, and something may go wrong.
    Warning,
    /// The program cannot be used, or what it writes is not safe.
    Broken,
}

/// The result of a check.
#[derive(Debug, Serialize)]
pub(in crate::command) struct Check {
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
    pub(in crate::command) fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self {
            state: CheckState::Ok,
            subject,
            text: text.into(),
            help: None,
            exit: Exit::Done,
        }
    }

    pub(in crate::command) fn warning(
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

    pub(in crate::command) fn broken(
        subject: &'static str,
        exit: Exit,
        text: impl Into<String>,
    ) -> Self {
        Self {
            state: CheckState::Broken,
            exit,
            ..Self::ok(subject, text)
        }
    }

    /// What the failure of another command would say, with its cause.
    pub(in crate::command) fn from_failure(subject: &'static str, failure: &Failure) -> Self {
        let text = match failure.cause() {
            None => failure.message().to_owned(),
            Some(cause) => format!("{}: {cause}", failure.message()),
        };
        Self::broken(subject, failure.exit(), text).with_optional_help(failure.help())
    }

    pub(in crate::command) fn with_optional_help(mut self, help: Option<&str>) -> Self {
        self.help = help.map(str::to_owned);
        self
    }

    pub(in crate::command) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The text and the exit code, if it is broken.
    pub(in crate::command) fn problem(&self) -> Option<(&str, Exit)> {
        (self.state == CheckState::Broken).then_some((&*self.text, self.exit))
    }
}

/// The results of all checks, in order.
#[derive(Debug, Default, Serialize)]
pub(in crate::command) struct Checks {
    checks: Vec<Check>,
    /// The texts of the checks that are broken.
    problems: Vec<String>,
}

impl Checks {
    pub(in crate::command) fn push(&mut self, check: Check) {
        if let Some((text, _)) = check.problem() {
            self.problems.push(text.to_owned());
        }
        self.checks.push(check);
    }

    /// Prints a line for each check.
    pub(in crate::command) fn print(&self) -> Result<(), Failure> {
        self.checks.iter().try_for_each(report::line)
    }

    /// Fails with the exit code of the first check that is broken.
    pub(in crate::command) fn into_result(self) -> Result<(), Failure> {
        match self.checks.iter().find_map(Check::problem) {
            None => Ok(()),
            Some((_, exit)) => Err(Failure::silent(exit)),
        }
    }
}

impl Extend<Check> for Checks {
    fn extend<I: IntoIterator<Item = Check>>(&mut self, checks: I) {
        checks.into_iter().for_each(|check| self.push(check));
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
