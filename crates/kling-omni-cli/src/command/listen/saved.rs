//! Deliveries in a file, one JSON object on a line.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kling_omni::webhook::Delivery;
use kling_omni::webhook::correlation::Token;
use serde::Serialize;
use serde_json::{Map, Value};

use super::LARGEST_BODY;
use crate::failure::Failure;
use crate::input;
use crate::task_runner::timestamp;

/// Every byte of a body may have to be written as six, and there is something beside it.
pub(super) const LONGEST_LINE: usize = 6 * LARGEST_BODY + 4096;

/// A file that deliveries are appended to.
pub(super) struct Save {
    path: PathBuf,
    file: File,
    /// Whether the last line has no end, since a disk was full or a process died.
    is_torn: bool,
}

/// What is written. The body is in it as it came: it is JSON, and therefore text.
#[derive(Serialize)]
struct Line<'a> {
    delivery_id: &'a str,
    sent_at: Option<String>,
    received_at: Option<String>,
    correlation: Option<&'a Token>,
    body: &'a str,
}

/// What is read.
#[derive(Debug, PartialEq)]
pub(super) struct Saved {
    pub(super) delivery_id: String,
    pub(super) correlation: Option<Token>,
    pub(super) body: String,
}

impl Save {
    /// Opens the file, or makes one that is nobody else's to read: whoever has the URL of a result can read the file
    /// behind it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Opening a pipe would wait for its reader.
        let opened = input::refuse_pipe(path).and_then(|()| options.open(path));
        let file = opened.map_err(|error| {
            Failure::file(format!("{} could not be opened", input::name(path))).with_cause(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            is_torn: is_torn(path),
            file,
        })
    }

    /// Appends a delivery whose body has been read as JSON.
    pub(super) fn append(
        &mut self,
        delivery: &Delivery,
        body: &[u8],
        received_at: SystemTime,
    ) -> Result<(), Failure> {
        let line = Line {
            delivery_id: delivery.id(),
            sent_at: timestamp(delivery.sent_at()),
            received_at: timestamp(received_at),
            correlation: delivery.correlation(),
            body: std::str::from_utf8(body).map_err(|error| {
                Failure::unexpected("a delivery that was read as JSON is no text").with_cause(error)
            })?,
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|error| {
            Failure::unexpected("a delivery could not be written as JSON").with_cause(error)
        })?;
        bytes.push(b'\n');
        // What came of a line that could not be finished must not spoil the next one.
        if self.is_torn {
            bytes.insert(0, b'\n');
        }
        self.is_torn = true;
        self.file.write_all(&bytes).map_err(|error| {
            Failure::file(format!("{} could not be written", self.path.display())).with_cause(error)
        })?;
        self.is_torn = false;
        Ok(())
    }
}

/// Whether a regular file has bytes behind its last line.
fn is_torn(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        let mut byte = [b'\n'];
        if file.metadata()?.is_file() && file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut byte)?;
        }
        std::io::Result::Ok(byte)
    };
    // A blank line too many does no harm.
    last().map_or(true, |byte| byte != *b"\n")
}

/// Why a line is not a saved delivery.
#[derive(Debug, PartialEq)]
pub(super) enum Defect {
    /// It is not JSON: the rest of a line that could not be written as a whole.
    Torn(String),
    /// It is JSON, and something else than a delivery.
    Foreign(String),
}

impl Saved {
    /// Reads a line; what is wrong with it is said without a word of it, since it may hold the URL of a result.
    pub(super) fn parse(line: &[u8]) -> Result<Self, Defect> {
        let value = serde_json::from_slice(line).map_err(|error| {
            Defect::Torn(match error.classify() {
                serde_json::error::Category::Eof => "it ends in the middle of its JSON".to_owned(),
                _ => format!("it is no JSON from column {} on", error.column()),
            })
        })?;
        Self::of(value).map_err(Defect::Foreign)
    }

    fn of(value: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = value else {
            return Err("it is no JSON object".to_owned());
        };
        let delivery_id = text(&mut fields, "delivery_id")?.ok_or("it has no `delivery_id`")?;
        let body = text(&mut fields, "body")?.ok_or("it has no `body`")?;
        let correlation = text(&mut fields, "correlation")?
            .map(Token::new)
            .transpose()
            .map_err(|error| error.summary().to_owned())?;
        Ok(Self {
            delivery_id,
            correlation,
            body,
        })
    }
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its `{name}` is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_line_is_said_without_its_words() {
        let torn = |text: &str| Defect::Torn(text.to_owned());
        let foreign = |text: &str| Defect::Foreign(text.to_owned());
        for (line, problem) in [
            ("", torn("it ends in the middle of its JSON")),
            (
                r#"{"delivery_id":"a","#,
                torn("it ends in the middle of its JSON"),
            ),
            (
                r#"{"delivery_id":token}"#,
                torn("it is no JSON from column 17 on"),
            ),
            ("[]", foreign("it is no JSON object")),
            ("{}", foreign("it has no `delivery_id`")),
            (
                r#"{"delivery_id":7,"body":"{}"}"#,
                foreign("its `delivery_id` is no text"),
            ),
            (
                r#"{"delivery_id":"a","body":null}"#,
                foreign("it has no `body`"),
            ),
            (
                r#"{"delivery_id":"a","body":{}}"#,
                foreign("its `body` is no text"),
            ),
        ] {
            assert_eq!(
                Saved::parse(line.as_bytes()).unwrap_err(),
                problem,
                "{line}"
            );
        }
        let odd = br#"{"delivery_id":"a","body":"{}","correlation":"no token"}"#;
        let Err(Defect::Foreign(problem)) = Saved::parse(odd) else {
            panic!("a token of other characters was read");
        };
        assert!(problem.contains("correlation"));
    }
}
