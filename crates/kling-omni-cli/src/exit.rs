//! Exit codes, and what they mean.

use std::fmt::Write as _;
use std::process::ExitCode;

use kling_omni::ErrorKind;
use serde::{Serialize, Serializer};

/// How a run ended, as scripts see it. The numbers are a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Unexpected = 1,
    Usage = 2,
    Access = 3,
    NoVideo = 4,
    Unfinished = 5,
    Network = 6,
    File = 7,
    Ambiguous = 8,
    Rejected = 9,
    WarningsDenied = 10,
    Interrupted = 130,
}

impl Exit {
    pub(crate) const ALL: &[Self] = &[
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::Access,
        Self::NoVideo,
        Self::Unfinished,
        Self::Network,
        Self::File,
        Self::Ambiguous,
        Self::Rejected,
        Self::WarningsDenied,
        Self::Interrupted,
    ];

    /// The end that an error of the library means.
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Configuration
            | ErrorKind::InvalidState
            | ErrorKind::Validation
            | ErrorKind::InvalidRequest
            | ErrorKind::NotFound => Self::Usage,
            ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::InsufficientCredits
            | ErrorKind::PlanLimit => Self::Access,
            ErrorKind::TaskFailed | ErrorKind::EmptyResult | ErrorKind::Expired => Self::NoVideo,
            ErrorKind::Timeout | ErrorKind::NotFinished => Self::Unfinished,
            ErrorKind::RateLimited
            | ErrorKind::Server
            | ErrorKind::Transport
            | ErrorKind::Upload
            | ErrorKind::CorruptResult => Self::Network,
            ErrorKind::File => Self::File,
            ErrorKind::Cancelled => Self::Interrupted,
            // Kinds of later versions have no number of their own yet.
            _ => Self::Unexpected,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unexpected => "something unexpected",
            Self::Usage => "the command line or the request is wrong, or there is no such task",
            Self::Access => {
                "no API key or webhook secret, a key that is refused or may not do this, or an account out of credits or at its plan's limit"
            }
            Self::NoVideo => "the task failed, ended without a video, or its video has expired",
            Self::Unfinished => "the task is not finished yet and goes on",
            Self::Network => {
                "the service could not be reached, failed, or asked for fewer requests"
            }
            Self::File => "a local file could not be read or written, or is there already",
            Self::Ambiguous => {
                "it cannot be told whether there is a paid task, or which it is: look before you try again"
            }
            Self::Rejected => "`check` found a file that the service would refuse",
            Self::WarningsDenied => {
                "`check` found nothing worse than warnings, and --deny-warnings was given"
            }
            Self::Interrupted => "interrupted; a task that was being waited for goes on",
        }
    }

    /// All codes with their meaning, one on a line.
    pub(crate) fn table() -> String {
        Self::ALL.iter().fold(String::new(), |mut table, exit| {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "  {:>3}  {}", exit.code(), exit.meaning());
            table
        })
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_every_code_with_its_meaning() {
        let readme = include_str!("../README.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(readme.contains(&row), "no row {row:?}");
        }
    }

    #[test]
    fn kinds_of_errors_have_the_documented_codes() {
        for (kind, code) in [
            (ErrorKind::Configuration, 2),
            (ErrorKind::InvalidState, 2),
            (ErrorKind::Validation, 2),
            (ErrorKind::InvalidRequest, 2),
            (ErrorKind::NotFound, 2),
            (ErrorKind::Authentication, 3),
            (ErrorKind::Permission, 3),
            (ErrorKind::InsufficientCredits, 3),
            (ErrorKind::PlanLimit, 3),
            (ErrorKind::TaskFailed, 4),
            (ErrorKind::EmptyResult, 4),
            (ErrorKind::Expired, 4),
            (ErrorKind::Timeout, 5),
            (ErrorKind::NotFinished, 5),
            (ErrorKind::RateLimited, 6),
            (ErrorKind::Server, 6),
            (ErrorKind::Transport, 6),
            (ErrorKind::Upload, 6),
            (ErrorKind::CorruptResult, 6),
            (ErrorKind::File, 7),
            (ErrorKind::UnexpectedResponse, 1),
            (ErrorKind::Cancelled, 130),
        ] {
            assert_eq!(Exit::of(kind).code(), code, "{kind:?}");
        }
    }
}
