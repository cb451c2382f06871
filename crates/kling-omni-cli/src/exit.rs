//! The exit codes and their meanings.

use std::fmt::Write as _;
use std::process::ExitCode;

use kling_omni::ErrorKind;
use serde::{Serialize, Serializer};

/// The exit code of a run. The numbers are stable.
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

    /// Returns the exit code for an error of the library.
    pub(crate) fn from_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Configuration
            | ErrorKind::InvalidState
            | ErrorKind::Validation
            | ErrorKind::InvalidRequest
            | ErrorKind::NotFound => Self::Usage,
            ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::InsufficientCredits
            | ErrorKind::PlanLimit
            | ErrorKind::SpendLimit => Self::Access,
            ErrorKind::TaskFailed | ErrorKind::EmptyResult | ErrorKind::Expired => Self::NoVideo,
            ErrorKind::Timeout | ErrorKind::NotFinished => Self::Unfinished,
            ErrorKind::RateLimited
            | ErrorKind::Server
            | ErrorKind::Transport
            | ErrorKind::Upload
            | ErrorKind::CorruptResult => Self::Network,
            ErrorKind::File => Self::File,
            ErrorKind::Cancelled => Self::Interrupted,
            // Kinds of later versions have no exit code yet.
            _ => Self::Unexpected,
        }
    }

    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Done => "success",
            Self::Unexpected => "unexpected error",
            Self::Usage => "invalid command line or request, or task not found",
            Self::Access => {
                "API key or webhook secret missing, rejected or without permission, or account out of credits, at its plan limit or at your spend limit"
            }
            Self::NoVideo => {
                "task failed or completed without a video, or the video expired; of a batch: at least one item"
            }
            Self::Unfinished => "task not completed yet, it continues; or a batch has items left",
            Self::Network => "service unreachable, failing or rate limiting",
            Self::File => "local file unreadable, not writable or already existing",
            Self::Ambiguous => {
                "unknown whether a paid task exists, or which one it is: check before you create it again; of a batch: at least one item"
            }
            Self::Rejected => "`check` or `batch check` found errors",
            Self::WarningsDenied => "`check` found warnings only, with --deny-warnings",
            Self::Interrupted => {
                "interrupted; a created task continues, and a batch can be resumed"
            }
        }
    }

    /// Returns all codes with their meanings, one per line.
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
    fn readme_lists_every_exit_code() {
        let readme = include_str!("../README.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(readme.contains(&row), "no row {row:?}");
        }
    }

    #[test]
    fn error_kinds_have_the_documented_exit_codes() {
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
            (ErrorKind::SpendLimit, 3),
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
            assert_eq!(Exit::from_kind(kind).code(), code, "{kind:?}");
        }
    }
}
