//! Errors as people and scripts get them.

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

/// Why a command did not do what it was asked, for people and for scripts.
#[derive(Debug)]
pub(crate) struct Failure(Box<Facts>);

/// Every field is there in every error, so that scripts need not look for them.
#[derive(Debug, Serialize)]
struct Facts {
    kind: Kind,
    message: String,
    exit_code: Exit,
    charged: Option<Charged>,
    task_id: Option<String>,
    http_status: Option<u16>,
    request_id: Option<String>,
    retry_after_seconds: Option<u64>,
    #[serde(serialize_with = "with_help")]
    findings: Vec<Finding>,
    invalid_params: Vec<InvalidParam>,
    candidates: Vec<String>,
    cause: Option<String>,
    help: Option<String>,
    #[serde(skip)]
    silent: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Kind {
    Library(ErrorKind),
    Custom(&'static str),
}

impl Failure {
    fn new(kind: Kind, exit: Exit, message: impl Into<String>) -> Self {
        Self(Box::new(Facts {
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
            silent: false,
        }))
    }

    /// The command line, or a file that it names, cannot be understood.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Custom("usage"), Exit::Usage, message)
    }

    /// A request that is not sent, since of its images and videos too much speaks against it.
    pub(crate) fn refused(findings: &[Finding]) -> Self {
        let message = rules_broken(findings).unwrap_or_default();
        let mut failure = Self::new(Kind::Library(ErrorKind::Validation), Exit::Usage, message);
        failure.0.findings = findings.to_vec();
        failure.with_charged(Charged::No)
    }

    /// A local file is in the way, or out of reach.
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self::new(Kind::Library(ErrorKind::File), Exit::File, message)
    }

    /// The task exists and has not ended.
    pub(crate) fn unfinished(message: impl Into<String>) -> Self {
        Self::new(Kind::Custom("not_finished"), Exit::Unfinished, message)
    }

    /// The person pressed Ctrl-C.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Kind::Custom("interrupted"), Exit::Interrupted, message)
    }

    /// There may be a paid task, and only a person can tell.
    pub(crate) fn ambiguous(message: impl Into<String>, candidates: Vec<String>) -> Self {
        let mut failure = Self::new(Kind::Custom("ambiguous"), Exit::Ambiguous, message);
        failure.0.candidates = candidates;
        failure.with_charged(Charged::Unknown)
    }

    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        Self::new(Kind::Custom("unexpected"), Exit::Unexpected, message)
    }

    /// Whoever reads the output has gone, which is nobody's mistake.
    pub(crate) fn broken_pipe() -> Self {
        Self::silent(Exit::Done)
    }

    /// An end that needs no words: they were said, or nobody would hear them.
    pub(crate) fn silent(exit: Exit) -> Self {
        let mut failure = Self::new(Kind::Custom("silent"), exit, "");
        failure.0.silent = true;
        failure
    }

    /// What only some commands run into.
    pub(crate) fn custom(kind: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self::new(Kind::Custom(kind), exit, message)
    }

    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit_code = exit;
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds another way out to the help that there is.
    pub(crate) fn adding_help(mut self, help: &str) -> Self {
        let before = self.0.help.take();
        self.0.help = Some(match before {
            Some(before) => format!("{before}, {help}"),
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

    pub(crate) fn charged(&self) -> Option<Charged> {
        self.0.charged
    }

    /// Says it to the person, and in JSON mode to the script as well.
    pub(crate) fn print(&self, json: bool) {
        if self.0.silent {
            return;
        }
        report::say(self.text().trim_end());
        if json {
            self.print_json();
        }
    }

    /// Says it to the script alone.
    pub(crate) fn print_json(&self) {
        // There is no one left to tell if this fails.
        let _ = report::json_line(&Envelope { error: &self.0 });
    }

    /// What happened on the first line, below it what is known besides, one fact on a line.
    fn text(&self) -> String {
        let facts = &*self.0;
        let head = match facts.exit_code {
            Exit::Interrupted => Style::Warning.paint("interrupted:"),
            _ => Style::Error.paint("error:"),
        };
        let mut text = format!("{head} {}\n", facts.message);
        for finding in &facts.findings {
            let mark = if finding.is_error() { "" } else { "warning: " };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {mark}{finding}");
            if let Some(help) = help(finding) {
                let _ = writeln!(text, "    try: {help}");
            }
        }
        let charged = facts.charged.map(|charged| charged.to_string());
        let candidates: Vec<_> = facts.candidates.iter().map(|id| printable(id)).collect();
        let candidates = (!candidates.is_empty()).then(|| candidates.join(", "));
        let task = facts.task_id.as_deref();
        let task = task.map(|id| printable(id).into_owned());
        for (label, value) in [
            ("cause:", &facts.cause),
            ("charged:", &charged),
            ("task:", &task),
            ("request:", &facts.request_id),
            ("may be:", &candidates),
            ("next:", &facts.help),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "  {label:<8} {value}");
            }
        }
        text
    }
}

/// What to do about a finding, in terms of the command line where the library speaks of Rust.
fn help(finding: &Finding) -> Option<Cow<'_, str>> {
    let help = finding.help()?;
    Some(match finding.code() {
        FindingCode::InvalidUrl => {
            let option = request::option(finding.field());
            format!("give a file on this machine with {option}").into()
        }
        _ => help.into(),
    })
}

/// Findings as the library writes them, with the help of this program.
fn with_help<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
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
struct Envelope<'a> {
    error: &'a Facts,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = match rules_broken(error.findings()) {
            // There was an answer, so something was sent: the older route is gone, and its successor is stricter.
            Some(_) if error.status().is_some() => {
                let first = error.summary().split('\n').next().unwrap_or_default();
                first.trim_end_matches(':').to_owned()
            }
            Some(message) => message,
            None => error.summary().to_owned(),
        };
        let facts = Facts {
            kind: Kind::Library(error.kind()),
            message,
            exit_code: Exit::of(error.kind()),
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
            silent: false,
        };
        Self(Box::new(facts))
    }
}

impl From<ValidationError> for Failure {
    fn from(error: ValidationError) -> Self {
        Error::from(error).into()
    }
}

/// The first line for a request that was refused before it was sent; the findings follow on lines of their own.
fn rules_broken(findings: &[Finding]) -> Option<String> {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    Some(match (findings.len(), errors) {
        (0, _) => return None,
        (_, 0) => "the request was not sent, since warnings are denied".to_owned(),
        (_, 1) => "the request was not sent, since it breaks a rule".to_owned(),
        (_, errors) => format!("the request was not sent, since it breaks {errors} rules"),
    })
}

/// What lies behind an error, the nearest cause first.
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
