//! Problems: what is wrong with a file, or could not be found out about it.

use std::fmt;

use serde::Serialize;

/// Something that is wrong with a file, or that could not be found out about it.
///
/// Its text is one or two sentences for people, which say what was seen and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// How sure it is, and whose fault.
    pub severity: Severity,
    /// What it is.
    pub code: Code,
    /// The byte of the file at which it was met, counted from 0; none if it concerns the whole of it.
    pub at: Option<u64>,
    /// What was seen, for people.
    pub message: String,
}

/// What a [`Problem`] means for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The file is damaged, for certain.
    Corrupt,
    /// The file may be whole, but it is no picture, moving or not: certain, too.
    Unsupported,
    /// Something could not be found out. The file may be in order.
    Unknown,
    /// The file breaks a rule of its format, and players read it all the same. Other programs may not.
    Unusual,
    /// The file has something odd about it that does no harm.
    Note,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// The file has no bytes.
    Empty,
    /// The file ends before something in it does.
    Truncated,
    /// The length of a part is impossible.
    WrongSize,
    /// A part that every such file has is nowhere.
    MissingPart,
    /// A number is impossible, such as a clock of 0 ticks a second.
    WrongValue,
    /// The content is no format of pictures or videos, as far as this crate knows them.
    NotMedia,
    /// It is a container without a video track, or with one that has no frames.
    NoVideo,
    /// The video is encrypted.
    Encrypted,
    /// The format was recognised, and this crate does not look into it.
    NotExamined,
    /// The limits were reached before all was seen.
    LimitReached,
    /// The source gave up before all was seen.
    NotRead,
    /// The index is larger than the limit.
    TooLarge,
    /// The file's length is not known, so that it may be cut off.
    LengthUnknown,
    /// The mark at the end of an image was not found near the end of the file.
    EndNotFound,
    /// Bytes follow the video that are not part of it.
    TrailingData,
    /// A file of several brands is treated as another format than the one that it names first.
    OtherBrand,
    /// Parts of the file disagree about a value.
    Inconsistent,
    /// It is not said in the parts of the file that were read, or in a way that this crate does not read.
    NotSaid,
}

/// The most problems of one file that are told.
const MOST: usize = 16;
/// The most of them that do no harm, which leaves room for those that do.
const MOST_HARMLESS: usize = 8;

/// The problems of one file, bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    all: Vec<Problem>,
}

impl Problems {
    /// Whether no more of them are told, so that nobody has to word them.
    pub(crate) fn are_enough(&self) -> bool {
        self.all.len() >= MOST
    }

    fn add(&mut self, severity: Severity, code: Code, at: Option<u64>, message: String) {
        self.push(Problem::new(severity, code, at, message));
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        let most = match problem.severity {
            Severity::Unusual | Severity::Note => MOST_HARMLESS,
            _ => MOST,
        };
        if self.all.len() < most {
            self.all.push(problem);
        }
    }

    /// Takes the problems of a part. Damage in a part that is not used does no harm.
    pub(crate) fn take(&mut self, part: Self, is_looked_at: bool) {
        for mut problem in part.all {
            if !is_looked_at {
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

    /// Damage that is nowhere in particular.
    pub(crate) fn corrupt_as_a_whole(&mut self, code: Code, message: impl Into<String>) {
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

    /// Whether it keeps the file from being a whole video or image.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.severity, Severity::Corrupt | Severity::Unsupported)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
