//! How the xtask tells its caller what to do next.

use std::process::ExitCode;

use crate::codegen::Outcome;

/// The exit codes of every subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing is left to do.
    Done = 0,
    /// The xtask itself failed: a file could not be read or written, or there is a fault in it.
    Crashed = 1,
    /// The command line was wrong. clap ends with this code on its own.
    Usage = 2,
    /// There are findings that are as bad as `--fail-on` says, or worse.
    Findings = 3,
    /// Files on disk are stale, and a command fixes them. Not 1, which a script could not tell from a crash.
    Stale = 4,
    /// The document to compare with is not available, or is not an OpenAPI document; nothing was compared.
    Unavailable = 5,
    /// A person has to decide; no command can.
    NeedsHuman = 100,
}

impl From<&Outcome> for Exit {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Fresh | Outcome::Written(_) => Self::Done,
            Outcome::Stale(_) => Self::Stale,
            Outcome::Refused(_) => Self::NeedsHuman,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
