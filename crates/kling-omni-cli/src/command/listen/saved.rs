//! Deliveries in a file, one JSON object per line.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kling_omni::webhook::Delivery;
use kling_omni::webhook::correlation::Token;
use serde::Serialize;
use serde_json::{Map, Value};

use super::MAX_BODY_SIZE;
use crate::failure::Failure;
use crate::input;
use crate::task_runner::timestamp;

/// The maximum length of a line, in bytes. JSON may escape a byte of the body as six; the other fields are short.
pub(super) const MAX_LINE_LENGTH: usize = 6 * MAX_BODY_SIZE + 4096;

/// A file that deliveries are appended to.
pub(super) struct DeliveryFile {
    path: PathBuf,
    file: File,
    /// Whether the last line is incomplete, because the disk was full or the process was killed.
    is_truncated: bool,
}

/// A line as it is written. The body is unchanged; it is JSON, so it is UTF-8.
#[derive(Serialize)]
struct DeliveryLine<'a> {
    delivery_id: &'a str,
    sent_at: Option<String>,
    received_at: Option<String>,
    correlation: Option<&'a Token>,
    body: &'a str,
}

/// A line as it is read.
#[derive(Debug, PartialEq)]
pub(super) struct SavedDelivery {
    pub(super) delivery_id: String,
    pub(super) correlation: Option<Token>,
    pub(super) body: String,
}

impl DeliveryFile {
    /// Opens the file. A new one is readable by its owner only, because the URL of a result is enough to read the
    /// result.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Opening a pipe would block until it has a reader.
        let opened = input::refuse_pipe(path).and_then(|()| options.open(path));
        let file = opened.map_err(|error| {
            Failure::file(format!("cannot open {}", input::name(path))).with_cause(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            is_truncated: is_truncated(path),
            file,
        })
    }

    /// Appends a delivery whose body is valid JSON.
    pub(super) fn append(
        &mut self,
        delivery: &Delivery,
        body: &[u8],
        received_at: SystemTime,
    ) -> Result<(), Failure> {
        let line = DeliveryLine {
            delivery_id: delivery.id(),
            sent_at: timestamp(delivery.sent_at()),
            received_at: timestamp(received_at),
            correlation: delivery.correlation(),
            body: std::str::from_utf8(body).map_err(|error| {
                Failure::unexpected("the body of a delivery is not UTF-8").with_cause(error)
            })?,
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|error| {
            Failure::unexpected("cannot serialize a delivery as JSON").with_cause(error)
        })?;
        bytes.push(b'\n');
        // An incomplete line must not be joined to the next one.
        if self.is_truncated {
            bytes.insert(0, b'\n');
        }
        self.is_truncated = true;
        self.file.write_all(&bytes).map_err(|error| {
            Failure::file(format!("cannot write {}", self.path.display())).with_cause(error)
        })?;
        self.is_truncated = false;
        Ok(())
    }
}

/// Returns whether a regular file does not end with a newline.
fn is_truncated(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        let mut byte = [b'\n'];
        if file.metadata()?.is_file() && file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut byte)?;
        }
        std::io::Result::Ok(byte)
    };
    // If the file cannot be read, a blank line is added, which is harmless.
    last().map_or(true, |byte| byte != *b"\n")
}

/// Why a line is not a saved delivery.
#[derive(Debug, PartialEq)]
pub(super) enum LineError {
    /// The line is not JSON: it was not written completely.
    Truncated(String),
    /// The line is JSON, but not a delivery.
    Invalid(String),
}

impl SavedDelivery {
    /// Parses a line. An error does not quote the line, which may contain the URL of a result.
    pub(super) fn parse(line: &[u8]) -> Result<Self, LineError> {
        let value = serde_json::from_slice(line).map_err(|error| {
            LineError::Truncated(match error.classify() {
                serde_json::error::Category::Eof => "unexpected end of JSON".to_owned(),
                _ => format!("invalid JSON at column {}", error.column()),
            })
        })?;
        Self::from_json(value).map_err(LineError::Invalid)
    }

    fn from_json(value: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = value else {
            return Err("not a JSON object".to_owned());
        };
        let delivery_id =
            remove_text(&mut fields, "delivery_id")?.ok_or("field `delivery_id` is missing")?;
        let body = remove_text(&mut fields, "body")?.ok_or("field `body` is missing")?;
        let correlation = remove_text(&mut fields, "correlation")?
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

fn remove_text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("field `{name}` is not a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_errors_do_not_quote_the_line() {
        let truncated = |text: &str| LineError::Truncated(text.to_owned());
        let invalid = |text: &str| LineError::Invalid(text.to_owned());
        for (line, problem) in [
            ("", truncated("unexpected end of JSON")),
            (
                r#"{"delivery_id":"a","#,
                truncated("unexpected end of JSON"),
            ),
            (
                r#"{"delivery_id":token}"#,
                truncated("invalid JSON at column 17"),
            ),
            ("[]", invalid("not a JSON object")),
            ("{}", invalid("field `delivery_id` is missing")),
            (
                r#"{"delivery_id":7,"body":"{}"}"#,
                invalid("field `delivery_id` is not a string"),
            ),
            (
                r#"{"delivery_id":"a","body":null}"#,
                invalid("field `body` is missing"),
            ),
            (
                r#"{"delivery_id":"a","body":{}}"#,
                invalid("field `body` is not a string"),
            ),
        ] {
            assert_eq!(
                SavedDelivery::parse(line.as_bytes()).unwrap_err(),
                problem,
                "{line}"
            );
        }
        let line = br#"{"delivery_id":"a","body":"{}","correlation":"no token"}"#;
        let Err(LineError::Invalid(problem)) = SavedDelivery::parse(line) else {
            panic!("an invalid token was parsed");
        };
        assert!(problem.contains("correlation"));
    }
}
