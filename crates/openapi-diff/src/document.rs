//! A document as it was read: its tree, and where in the file each part of it stands.

mod lines;
mod operations;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::de::IgnoredAny;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{
    DuplicateKeyPolicy, Error, Location, MessageFormatter as _, Options, UserMessageFormatter,
    alias_limits, budget, options,
};

use crate::tree::{Node, fragment};

pub use lines::Lines;
use lines::Located;
pub use operations::{Operation, operations};

/// The HTTP methods that a path item may have, in the order in which OpenAPI lists them.
pub const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// The most bytes that a document may have. Those of large services have a few million.
pub const MOST_BYTES: usize = 16 << 20;

/// How deep lists and mappings may nest; each level costs stack.
const MOST_DEPTH: usize = 64;

/// How many values a document may have once its aliases are written out. A document of two megabytes has 43 thousand.
const MOST_VALUES: usize = 400_000;

/// How many values its aliases may stand for. Documents that programs wrote have none.
const MOST_REPEATED: usize = 50_000;

/// How many characters a key may have.
const LONGEST_KEY: usize = 16_384;

/// An OpenAPI document as it was read from YAML or JSON.
#[derive(Clone, Debug)]
pub struct Document {
    /// What messages call it: the path or the URL that it was read from.
    pub name: String,
    /// The whole document.
    pub tree: Node,
    /// Where its parts stand.
    pub lines: Lines,
}

/// Why a text cannot be read as a document, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What messages call the document.
    pub name: String,
    /// Where in the text; `None` when the fault is in no one place.
    pub position: Option<Position>,
    /// What is wrong, without a full stop.
    pub message: String,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, the first being 1.
    pub line: usize,
    /// The character in the line, the first being 1; `None` for what a pointer names.
    pub column: Option<usize>,
}

impl Document {
    /// Reads the file at `path`, which messages call `name`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or its text cannot, as for [`Self::parse`].
    pub fn read(path: &Path, name: &str) -> Result<Self, Unreadable> {
        let read = || {
            let mut bytes = Vec::new();
            // One byte more than the limit distinguishes a file that is too large from one that fits.
            let mut file = File::open(path)?.take(MOST_BYTES as u64 + 1);
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error: io::Error| Unreadable {
            name: name.to_owned(),
            position: None,
            message: format!("cannot read it: {error}"),
        })?;
        Self::parse(name, &bytes)
    }

    /// Reads YAML or JSON. What begins with a brace has to be JSON.
    ///
    /// # Errors
    ///
    /// When the text is too large, not UTF-8, or neither YAML nor JSON, has a key twice or a key that is not a text, holds more than
    /// one document, nests too deep, or unfolds into too much.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Unreadable> {
        let unreadable = |position, message: String| Unreadable {
            name: name.to_owned(),
            position,
            message,
        };
        if bytes.len() > MOST_BYTES {
            let message = format!("it is larger than {} MiB", MOST_BYTES >> 20);
            return Err(unreadable(None, message));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let position = Position::end_of(&bytes[..error.valid_up_to()]);
            let byte = bytes[error.valid_up_to()];
            let message = format!(
                "byte 0x{byte:02X} is not UTF-8; convert the file, as with `iconv -f ISO-8859-1 -t UTF-8`"
            );
            unreadable(Some(position), message)
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('{') {
            // YAML accepts what is not JSON: `NaN` is a text, and so is a forgotten quote.
            serde_json::from_str::<IgnoredAny>(text)
                .map_err(|error| unreadable(Some(Position::in_json(&error)), json_fault(&error)))?;
        }
        let Located { mut node, lines } = serde_saphyr::from_str_with_options(text, options())
            .map_err(|error| unreadable(Position::of(&error), explain(&error)))?;
        lines::note_written(&mut node, &lines, text);
        Ok(Self {
            name: name.to_owned(),
            tree: node,
            lines,
        })
    }

    /// The line of what the JSON pointer names, or of the nearest thing around it that is there.
    pub fn position(&self, pointer: &str) -> Position {
        self.lines.find(&self.tree, pointer)
    }

    /// Whether it is an OpenAPI document of an edition whose meaning is known.
    ///
    /// # Errors
    ///
    /// When it is not, with the place that says so.
    pub fn require_openapi(&self) -> Result<(), Unreadable> {
        let refuse = |pointer: Option<&str>, message: String| {
            Err(Unreadable {
                name: self.name.clone(),
                position: pointer.map(|pointer| self.position(pointer)),
                message,
            })
        };
        let Some(edition) = self.tree.get("openapi") else {
            let kind = self.tree.kind();
            return refuse(
                None,
                format!("no OpenAPI document: it is {kind} without `openapi`"),
            );
        };
        let known = edition
            .as_text()
            .is_some_and(|edition| edition.starts_with("3.0.") || edition.starts_with("3.1."));
        if !known {
            let message = "`openapi` is not 3.0.x or 3.1.x; write the document in one of these versions, as texts";
            return refuse(Some("/openapi"), message.to_owned());
        }
        let paths = self.tree.get("paths");
        if paths.is_none_or(|paths| paths.entries().next().is_none()) {
            return refuse(Some("/paths"), "`paths` is missing or empty".to_owned());
        }
        Ok(())
    }
}

/// Follows `$ref` in `tree` from `pointer` until something else comes, and answers with its JSON pointer.
///
/// # Errors
///
/// When a `$ref` leads nowhere, outside, or back to itself.
pub fn locate<'a>(
    tree: &'a Node,
    pointer: &str,
    node: &'a Node,
) -> Result<(String, &'a Node), BrokenReference> {
    let mut here = (pointer.to_owned(), node);
    let mut seen = Vec::new();
    while let Some(reference) = here.1.text("$ref") {
        let broken = |is_circular| BrokenReference {
            reference: reference.to_owned(),
            is_circular,
        };
        if seen.contains(&reference) {
            return Err(broken(true));
        }
        seen.push(reference);
        here = fragment(reference)
            .and_then(|pointer| Some((pointer.to_string(), tree.at(&pointer)?)))
            .ok_or_else(|| broken(false))?;
    }
    Ok(here)
}

/// A `$ref` without a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenReference {
    /// The text of the reference.
    pub reference: String,
    /// Whether it leads back to itself. Otherwise, it leads nowhere, or out of the document.
    pub is_circular: bool,
}

impl fmt::Display for BrokenReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.is_circular {
            true => "leads back to itself",
            false => "leads nowhere",
        };
        write!(f, "`{}` {end}", self.reference)
    }
}

impl std::error::Error for BrokenReference {}

fn options() -> Options {
    options! {
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        with_snippet: false,
        // The YAML of OpenAPI is 1.2: `no` and `1_000` are texts.
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        budget: budget! {
            max_depth: MOST_DEPTH,
            flow_nesting_limit: MOST_DEPTH,
            // JSON may have keys longer than the 1024 characters that YAML allows.
            simple_key_max_lookahead: LONGEST_KEY,
            max_documents: 1,
            max_nodes: MOST_VALUES,
            max_events: 2 * MOST_VALUES,
            max_recorded_anchor_events: MOST_REPEATED,
            max_recorded_anchor_bytes: MOST_BYTES,
            max_total_scalar_bytes: MOST_BYTES,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: MOST_REPEATED,
        },
    }
}

/// The library's message without its own mention of the place.
fn explain(error: &Error) -> String {
    let error = innermost(error);
    let unfolds = || "its anchors and aliases unfold into too much".to_owned();
    match error {
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => format!("it nests deeper than {MOST_DEPTH} levels"),
            BudgetBreach::Documents { .. } => {
                "a second document begins, and only one is read".to_owned()
            }
            BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
                format!("it has more than {MOST_VALUES} values")
            }
            BudgetBreach::ScalarBytes { .. } => {
                format!("its texts come to more than {} MiB", MOST_BYTES >> 20)
            }
            _ => unfolds(),
        },
        Error::AliasReplayLimitExceeded { .. } => unfolds(),
        error => UserMessageFormatter
            .format_message(error)
            .replace(char::is_control, "\u{fffd}"),
    }
}

fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    format!("it begins as JSON, but is not JSON: {message}")
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } => innermost(error),
        error => error,
    }
}

impl Position {
    fn of(error: &Error) -> Option<Self> {
        error
            .location()
            .filter(|location| *location != Location::UNKNOWN)
            .map(|location| Self {
                line: location.line() as usize,
                column: Some(location.column() as usize),
            })
    }

    fn in_json(error: &serde_json::Error) -> Self {
        Self {
            line: error.line(),
            column: Some(error.column()),
        }
    }

    /// The place behind `text`, which is UTF-8.
    fn end_of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let last = text.rsplit('\n').next().unwrap_or_default();
        Self {
            line: text.matches('\n').count() + 1,
            column: Some(last.chars().count() + 1),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        match self.column {
            Some(column) => write!(f, ":{column}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(position) = self.position {
            write!(f, ":{position}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Unreadable {}
