//! Problems of a file: damage, irregularities, and properties that could not be determined.

use std::fmt;

use serde::Serialize;

/// A problem of a file: damage, an irregularity, or a property that could not be determined.
///
/// `Display` writes the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The severity.
    pub severity: Severity,
    /// The code.
    pub code: Code,
    /// The byte offset in the file, from 0; `None` if the problem concerns the entire file.
    pub at: Option<u64>,
    /// The message for people.
    pub message: String,
}

/// The severity of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The file is certainly damaged.
    Corrupt,
    /// The file may be complete, but it is certainly neither a video nor an image.
    Unsupported,
    /// A property could not be determined. The file may be valid.
    Unknown,
    /// The file violates a rule of its format that players tolerate. Other programs may not.
    Unusual,
    /// An irregularity without consequences.
    Note,
}

/// The code of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The file has no bytes.
    Empty,
    /// The file ends before one of its parts.
    Truncated,
    /// The length of a part is impossible.
    WrongSize,
    /// A required part is missing.
    MissingPart,
    /// A number is impossible, such as a timescale of 0.
    WrongValue,
    /// The content is not a known format of videos or images.
    NotMedia,
    /// The container has no video track, or the track has no frames.
    NoVideo,
    /// The video is encrypted.
    Encrypted,
    /// The format was detected, but this crate does not parse it.
    NotExamined,
    /// The limits were reached before all needed parts were read.
    LimitReached,
    /// The source stopped before all needed parts were read.
    NotRead,
    /// The index is larger than the limit.
    TooLarge,
    /// The length of the file is unknown, so it may be truncated.
    LengthUnknown,
    /// The end marker of an image was not found near the end of the file.
    EndNotFound,
    /// Data follows the video.
    TrailingData,
    /// A file with several brands is read as another format than its first brand.
    OtherBrand,
    /// Parts of the file disagree about a value.
    Inconsistent,
    /// The value is not in the parts of the file that were read, or in a form that this crate does not support.
    NotSaid,
}

/// The maximum number of problems of one file.
const MAX_PROBLEMS: usize = 16;
/// The maximum number of harmless problems, which leaves room for others.
const MAX_HARMLESS: usize = 8;

/// The problems of one file, limited in number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    all: Vec<Problem>,
}

impl Problems {
    /// Whether further problems are dropped, so their messages need not be formatted.
    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= MAX_PROBLEMS
    }

    fn add(&mut self, severity: Severity, code: Code, at: Option<u64>, message: String) {
        self.push(Problem::new(severity, code, at, message));
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        let max = match problem.severity {
            Severity::Unusual | Severity::Note => MAX_HARMLESS,
            _ => MAX_PROBLEMS,
        };
        if self.all.len() < max {
            self.all.push(problem);
        }
    }

    /// Adds the problems of a part. Damage in an unused part is harmless.
    pub(crate) fn append(&mut self, part: Self, is_used: bool) {
        for mut problem in part.all {
            if !is_used {
                problem.severity = Severity::Note;
            }
            self.push(problem);
        }
    }

    pub(crate) fn has_damage(&self) -> bool {
        let mut all = self.all.iter();
        all.any(|problem| problem.severity == Severity::Corrupt)
    }

    pub(crate) fn into_all(self) -> Vec<Problem> {
        self.all
    }

    pub(crate) fn corrupt(&mut self, code: Code, at: u64, message: impl Into<String>) {
        self.add(Severity::Corrupt, code, Some(at), message.into());
    }

    /// Damage without a position.
    pub(crate) fn corrupt_file(&mut self, code: Code, message: impl Into<String>) {
        self.add(Severity::Corrupt, code, None, message.into());
    }

    pub(crate) fn unusual(&mut self, code: Code, at: Option<u64>, message: impl Into<String>) {
        self.push(Problem::unusual(code, at, message));
    }

    pub(crate) fn unsupported(&mut self, code: Code, message: impl Into<String>) {
        self.add(Severity::Unsupported, code, None, message.into());
    }

    pub(crate) fn unknown(&mut self, code: Code, message: impl Into<String>) {
        self.add(Severity::Unknown, code, None, message.into());
    }
}

impl Problem {
    fn new(severity: Severity, code: Code, at: Option<u64>, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            at,
            message: message.into(),
        }
    }

    pub(crate) fn corrupt(code: Code, at: Option<u64>, message: impl Into<String>) -> Self {
        Self::new(Severity::Corrupt, code, at, message)
    }

    pub(crate) fn unusual(code: Code, at: Option<u64>, message: impl Into<String>) -> Self {
        Self::new(Severity::Unusual, code, at, message)
    }

    pub(crate) fn note(code: Code, at: Option<u64>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, at, message)
    }

    pub(crate) fn unsupported(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Unsupported, code, None, message)
    }

    pub(crate) fn unknown(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Unknown, code, None, message)
    }

    /// Whether the file is not a complete video or image because of it.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.severity, Severity::Corrupt | Severity::Unsupported)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
