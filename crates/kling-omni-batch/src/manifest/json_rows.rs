//! Rows of a JSON Lines file.

use std::io::{BufRead, Read};
use std::path::Path;
use std::{iter, str};

use kling_omni::request::parse_json;
use serde_json::{Map, Value};

use super::finding::{ManifestError, RowFinding};
use super::options::ManifestOptions;
use super::source::{RawRow, RawRows, open_text};

pub(super) fn open(path: &Path, options: &ManifestOptions) -> Result<RawRows, ManifestError> {
    let mut reader = open_text(path)?;
    let (path, max) = (path.to_owned(), options.limits.row_bytes);
    let mut line = 0;
    let mut bytes = Vec::new();
    let rows = iter::from_fn(move || {
        loop {
            line += 1;
            bytes.clear();
            // One more for the newline.
            let read = (&mut reader).take(max + 1).read_until(b'\n', &mut bytes);
            let row = |fields| RawRow::new(Some(line), &path, fields);
            let broken = |rule, message: String| RawRow::broken(Some(line), &path, rule, message);
            match read {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    return Some(broken("unreadable", format!("cannot be read: {error}")).last());
                }
            }
            if bytes.last() != Some(&b'\n') && bytes.len() as u64 > max {
                let skipped = reader.skip_until(b'\n');
                let long = broken("row-too-long", format!("is longer than {max} bytes"));
                return Some(match skipped {
                    Ok(_) => long,
                    Err(_) => long.last(),
                });
            }
            match str::from_utf8(&bytes) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => return Some(row(parse(text.trim_end_matches(['\r', '\n'])))),
                Err(error) => {
                    let column = error.valid_up_to() + 1;
                    let message = format!("is not valid UTF-8 at byte {column}");
                    return Some(broken("not-utf-8", message));
                }
            }
        }
    });
    Ok(RawRows(Box::new(rows)))
}

/// Parses a row.
fn parse(text: &str) -> Result<Map<String, Value>, Vec<RowFinding>> {
    let problem = match parse_json::<Value>(text) {
        Ok(Value::Object(fields)) => return Ok(fields),
        Ok(_) => "is not a JSON object".to_owned(),
        Err(error) => format!(
            "is not valid JSON: {} at column {}",
            error.problem, error.column
        ),
    };
    Err(vec![RowFinding::error(None, "invalid-json", problem)])
}
