//! Reports failures as text and as JSON.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt::Write as _;

use kling_omni::validation::{Finding, FindingCode, InvalidParam, ValidationError};
use kling_omni::{Charged, Error, ErrorKind};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use crate::duration;
use crate::exit::Exit;
use crate::report::{self, Style, printable};
use crate::request;

/// The failure of a command.
#[derive(Debug)]
pub(crate) struct Failure(Box<FailureFields>);

/// The fields of the JSON output. Every failure has all of them.
#[derive(Debug, Serialize)]
struct FailureFields {
    kind: FailureKind,
    message: String,
    exit_code: Exit,
    charged: Option<Charged>,
    task_id: Option<String>,
    http_status: Option<u16>,
    request_id: Option<String>,
    retry_after_seconds: Option<u64>,
    #[serde(serialize_with = "serialize_findings")]
    findings: Vec<Finding>,
    invalid_params: Vec<InvalidParam>,
    candidates: Vec<String>,
    cause: Option<String>,
    help: Option<String>,
    #[serde(skip)]
    is_silent: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum FailureKind {
    Library(ErrorKind),
    Custom(&'static str),
}

impl Failure {
    fn new(kind: FailureKind, exit: Exit, message: impl Into<String>) -> Self {
        Self(Box::new(FailureFields {
            kind,
            message: message.into(),
            exit_code: exit,
            charged: None,
            task_id: None,
            http_status: None,
            request_id: None,
            retry_after_seconds: None,
            findings: Vec::new(),
            invalid_params: Vec::new(),
            candidates: Vec::new(),
            cause: None,
            help: None,
            is_silent: false,
        }))
    }

    /// The command line, or a file that it names, is invalid.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Custom("usage"), Exit::Usage, message)
    }

    /// Preflight found errors; the request was not sent.
    pub(crate) fn from_findings(findings: &[Finding]) -> Self {
        let message = validation_message(findings).unwrap_or_default();
        let kind = FailureKind::Library(ErrorKind::Validation);
        let mut failure = Self::new(kind, Exit::Usage, message);
        failure.0.findings = findings.to_vec();
        failure.with_charged(Charged::No)
    }

    /// A local file cannot be read or written.
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Library(ErrorKind::File), Exit::File, message)
    }

    /// The task exists and is not completed.
    pub(crate) fn unfinished(message: impl Into<String>) -> Self {
        Self::new(
            FailureKind::Custom("not_finished"),
            Exit::Unfinished,
            message,
        )
    }

    /// The user pressed Ctrl-C.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self::new(
            FailureKind::Custom("interrupted"),
            Exit::Interrupted,
            message,
        )
    }

    /// A paid task may exist, and the user has to decide.
    pub(crate) fn ambiguous(message: impl Into<String>, candidates: Vec<String>) -> Self {
        let mut failure = Self::new(FailureKind::Custom("ambiguous"), Exit::Ambiguous, message);
        failure.0.candidates = candidates;
        failure.with_charged(Charged::Unknown)
    }

    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Custom("unexpected"), Exit::Unexpected, message)
    }

    /// The reader of stdout closed it, which is not an error.
    pub(crate) fn broken_pipe() -> Self {
        Self::silent(Exit::Done)
    }

    /// A failure that is not printed.
    pub(crate) fn silent(exit: Exit) -> Self {
        let mut failure = Self::new(FailureKind::Custom("silent"), exit, "");
        failure.0.is_silent = true;
        failure
    }

    /// A failure of a kind that only some commands have.
    pub(crate) fn custom(kind: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self::new(FailureKind::Custom(kind), exit, message)
    }

    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit_code = exit;
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Appends an alternative to the help.
    pub(crate) fn adding_help(mut self, help: &str) -> Self {
        let existing = self.0.help.take();
        self.0.help = Some(match existing {
            Some(existing) => format!("{existing}, {help}"),
            None => help.to_owned(),
        });
        self
    }

    pub(crate) fn with_charged(mut self, charged: Charged) -> Self {
        self.0.charged = Some(charged);
        self
    }

    pub(crate) fn with_task_id(mut self, id: &str) -> Self {
        self.0.task_id = Some(id.to_owned());
        self
    }

    pub(crate) fn with_cause(mut self, cause: impl ToString) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.0.exit_code
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    pub(crate) fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    pub(crate) fn charged(&self) -> Option<Charged> {
        self.0.charged
    }

    /// Prints the failure as text on stderr, and with `json` as JSON on stdout, too.
    pub(crate) fn print(&self, json: bool) {
        if self.0.is_silent {
            return;
        }
        report::say(self.text().trim_end());
        if json {
            self.print_json();
        }
    }

    /// Prints the failure as JSON on stdout.
    pub(crate) fn print_json(&self) {
        // A failure to print an error cannot be reported.
        let _ = report::json_line(&ErrorEnvelope { error: &self.0 });
    }

    /// Returns the text: the message on the first line, then one field per line.
    fn text(&self) -> String {
        let fields = &*self.0;
        let head = match fields.exit_code {
            Exit::Interrupted => Style::Warning.paint("interrupted:"),
            _ => Style::Error.paint("error:"),
        };
        let mut text = format!("{head} {}\n", fields.message);
        for finding in &fields.findings {
            let mark = if finding.is_error() { "" } else { "warning: " };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {mark}{finding}");
            if let Some(help) = help(finding) {
                let _ = writeln!(text, "    help: {help}");
            }
        }
        let charged = fields.charged.map(|charged| charged.to_string());
        let candidates: Vec<_> = fields.candidates.iter().map(|id| printable(id)).collect();
        let candidates = (!candidates.is_empty()).then(|| candidates.join(", "));
        let task = fields.task_id.as_deref();
        let task = task.map(|id| printable(id).into_owned());
        for (label, value) in [
            ("cause", &fields.cause),
            ("charged", &charged),
            ("task", &task),
            ("request id", &fields.request_id),
            ("candidates", &candidates),
            ("help", &fields.help),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "{label}: {value}");
            }
        }
        text
    }
}

/// Returns the help of a finding, with options of the command line instead of functions.
fn help(finding: &Finding) -> Option<Cow<'_, str>> {
    let help = finding.help()?;
    Some(match finding.code() {
        FindingCode::InvalidUrl => {
            let option = request::option(finding.field());
            format!("use {option} for a local file").into()
        }
        _ => help.into(),
    })
}

/// Serializes findings with the help of this program.
fn serialize_findings<S: Serializer>(
    findings: &[Finding],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().map(FindingWithHelp))
}

struct FindingWithHelp<'a>(&'a Finding);

impl Serialize for FindingWithHelp<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match help(self.0) {
            Some(Cow::Owned(help)) => {
                let mut finding = serde_json::to_value(self.0).map_err(S::Error::custom)?;
                finding["help"] = help.into();
                finding.serialize(serializer)
            }
            _ => self.0.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct ErrorEnvelope<'a> {
    error: &'a FailureFields,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = match validation_message(error.findings()) {
            // A request was sent: the older route is gone, and its successor is stricter.
            Some(_) if error.status().is_some() => {
                let first = error.summary().split('\n').next().unwrap_or_default();
                first.trim_end_matches(':').to_owned()
            }
            Some(message) => message,
            None => error.summary().to_owned(),
        };
        let fields = FailureFields {
            kind: FailureKind::Library(error.kind()),
            message,
            exit_code: Exit::from_kind(error.kind()),
            charged: Some(error.charged()),
            task_id: error.task_id().map(str::to_owned),
            http_status: error.status(),
            request_id: error.request_id().map(str::to_owned),
            retry_after_seconds: error.retry_after().map(duration::whole_seconds),
            findings: error.findings().to_vec(),
            invalid_params: error.invalid_params().to_vec(),
            candidates: error.candidates().to_vec(),
            cause: cause(&error),
            help: error.help().map(str::to_owned),
            is_silent: false,
        };
        Self(Box::new(fields))
    }
}

impl From<ValidationError> for Failure {
    fn from(error: ValidationError) -> Self {
        Error::from(error).into()
    }
}

/// Returns the message for a request that was rejected before it was sent. The findings follow on their own lines.
fn validation_message(findings: &[Finding]) -> Option<String> {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    Some(match (findings.len(), errors) {
        (0, _) => return None,
        (_, 0) => "invalid request, not sent: warnings are denied".to_owned(),
        (_, 1) => "invalid request, not sent: 1 error".to_owned(),
        (_, errors) => format!("invalid request, not sent: {errors} errors"),
    })
}

/// Returns the causes of an error, the nearest first.
fn cause(error: &Error) -> Option<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = match cause.downcast_ref::<Error>() {
            Some(error) => error.summary().to_owned(),
            None => cause.to_string(),
        };
        // Many errors repeat their cause in their own text.
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    (!causes.is_empty()).then(|| causes.join(": "))
}
