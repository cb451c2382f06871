//! What kinds of differences there are, and what each means for clients.

use std::fmt;

/// One kind of difference between two documents.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable name, in the vocabulary that differs of OpenAPI documents share.
    pub id: &'static str,
    /// How bad it is for a program that was written against the older document.
    pub severity: Severity,
    /// Which side of the exchange it is about; `None` for what is about neither.
    pub direction: Option<Direction>,
    /// Where a client feels it, the deepest effect first.
    pub effects: &'static [Effect],
    /// What happened, in a few words.
    pub title: &'static str,
    /// Why it matters, and what to do about it.
    pub explanation: &'static str,
}

/// How bad a difference is for a program that was written against the older document.
///
/// Judged against what the documents say, not against what the service tolerates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The documents cannot decide whether programs break.
    Warning,
    /// Programs break, or it is unknown whether they do.
    Error,
}

/// The side of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// What we send.
    Request,
    /// What the service sends: responses and webhook deliveries.
    Response,
}

/// Where a client feels a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Other bytes go over the wire.
    Wire,
    /// Code that is generated from the document has another surface or other constants.
    GeneratedApi,
    /// Code that is written by hand above the generated code has to follow.
    Ergonomic,
    /// Only texts change.
    Docs,
}

impl Severity {
    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Direction {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }

    /// The direction of the answer.
    pub fn reverse(self) -> Self {
        match self {
            Self::Request => Self::Response,
            Self::Response => Self::Request,
        }
    }
}

impl Effect {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::GeneratedApi => "generated-api",
            Self::Ergonomic => "ergonomic",
            Self::Docs => "docs",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
