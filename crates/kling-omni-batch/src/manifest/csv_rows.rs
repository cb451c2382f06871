//! Rows of a CSV file.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read};
use std::path::Path;
use std::{iter, str};

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::cell;
use super::finding::{ManifestError, RowFinding};
use super::options::ManifestOptions;
use super::source::{RawRow, RawRows, open_text};

/// The buffer of the CSV reader, in bytes.
const BUFFER: usize = 64 * 1024;

/// Where the bytes of a file are, as far as quotes matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoting {
    /// At the beginning of a cell.
    Cell,
    Unquoted,
    /// After a quote at this position.
    Quoted(u64),
    /// After a quote in a quoted cell, which closes it or is the first of two.
    Closed(u64),
}

/// Finds quotes that are not closed, and text after closing quotes. The reader of the crate `csv` accepts both, and reads other
/// cells than the person who wrote them expects.
#[derive(Debug)]
struct Quotes {
    quoting: Quoting,
    /// The positions and descriptions of what is wrong, which were not reported yet.
    problems: VecDeque<(u64, &'static str)>,
}

impl Quotes {
    fn read(&mut self, at: u64, byte: u8) {
        self.quoting = match (self.quoting, byte) {
            (Quoting::Cell, b'"') => Quoting::Quoted(at),
            (Quoting::Quoted(open), b'"') => Quoting::Closed(open),
            (Quoting::Quoted(open), _) | (Quoting::Closed(open), b'"') => Quoting::Quoted(open),
            (_, b',' | b'\n' | b'\r') => Quoting::Cell,
            (Quoting::Closed(_), _) => {
                let problem =
                    "has text after a closing quote; write a quote in a quoted cell twice";
                self.problems.push_back((at, problem));
                Quoting::Unquoted
            }
            (Quoting::Cell | Quoting::Unquoted, _) => Quoting::Unquoted,
        };
    }

    fn end(&mut self) {
        if let Quoting::Quoted(open) = self.quoting {
            self.problems
                .push_back((open, "has a quote that is not closed"));
            self.quoting = Quoting::Cell;
        }
    }

    /// Returns the first problem before `position`, and forgets all of them.
    fn take_before(&mut self, position: u64) -> Option<&'static str> {
        let mut first = None;
        while let Some(&(at, problem)) = self.problems.front()
            && at < position
        {
            self.problems.pop_front();
            first.get_or_insert(problem);
        }
        first
    }
}

/// Counts lines, and fails when more bytes are read than the current row may have, so an unclosed quote does not fill the
/// memory.
///
/// The reader of the crate `csv` counts a newline after `\r`, and empty lines, with the row that follows.
struct RowLimit<R> {
    reader: R,
    read: u64,
    /// The position up to which it may read.
    end: u64,
    /// The positions of `\r` and `\n` that were not counted yet, and whether they end a line.
    breaks: VecDeque<(u64, bool)>,
    line: u64,
    quotes: Quotes,
}

impl<R> RowLimit<R> {
    /// Returns the line of the first byte from `position` on that is not part of a line break. Positions must not decrease.
    fn line_at(&mut self, mut position: u64) -> u64 {
        while let Some(&(at, ends_line)) = self.breaks.front()
            && at <= position
        {
            self.breaks.pop_front();
            self.line += u64::from(ends_line);
            position = position.max(at + 1);
        }
        self.line
    }
}

impl<R: Read> Read for RowLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read > self.end {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.reader.read(buffer)?;
        let bytes = (self.read..).zip(&buffer[..read]);
        (bytes.clone()).for_each(|(at, byte)| self.quotes.read(at, *byte));
        if read == 0 {
            self.quotes.end();
        }
        let breaks = bytes.filter(|(_, byte)| matches!(byte, b'\r' | b'\n'));
        self.breaks
            .extend(breaks.map(|(at, byte)| (at, *byte == b'\n')));
        self.read += read as u64;
        Ok(read)
    }
}

pub(super) fn open(path: &Path, options: &ManifestOptions) -> Result<RawRows, ManifestError> {
    let max = options.limits.row_bytes;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER)
        .from_reader(RowLimit {
            reader: open_text(path)?,
            read: 0,
            end: 0,
            breaks: VecDeque::new(),
            line: 1,
            quotes: Quotes {
                quoting: Quoting::Cell,
                problems: VecDeque::new(),
            },
        });
    let path = path.to_owned();
    let mut columns: Option<Vec<Option<String>>> = None;
    let mut record = ByteRecord::new();
    let rows = iter::from_fn(move || {
        loop {
            let start = reader.position().byte();
            // What is in the buffer was read before.
            reader.get_mut().end = start + max + BUFFER as u64;
            let read = reader.read_byte_record(&mut record);
            let line = Some(reader.get_mut().line_at(start));
            match read {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    let (rule, message) = describe(error, max);
                    return Some(RawRow::broken(line, &path, rule, message).last());
                }
            }
            let end = reader.position().byte();
            let quote_problem = reader.get_mut().quotes.take_before(end);
            // With another separator, quotes are not where a comma would end their cells.
            if columns.is_none()
                && let Some(separator) = other_separator(&record)
            {
                let message = format!("has {separator} between its columns, save it with commas");
                let mut row = RawRow::broken(line, &path, "separator", message).last();
                row.is_row = false;
                return Some(row);
            }
            if let Some(problem) = quote_problem {
                let mut row = RawRow::broken(line, &path, "invalid-quote", problem);
                row.is_row = columns.is_some();
                return Some(if row.is_row { row } else { row.last() });
            }
            let Some(columns) = &columns else {
                let (names, findings) = header(&record);
                columns = Some(names);
                if findings.is_empty() {
                    continue;
                }
                let mut row = RawRow::new(line, &path, Err(findings));
                row.is_row = false;
                return Some(row);
            };
            return Some(RawRow::new(line, &path, fields(columns, &record)));
        }
    });
    Ok(RawRows(Box::new(rows)))
}

fn describe(error: csv::Error, max: u64) -> (&'static str, String) {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => (
            "row-too-long",
            format!("is longer than {max} bytes; is a quote not closed?"),
        ),
        csv::ErrorKind::Io(error) => ("unreadable", format!("cannot be read: {error}")),
        other => ("invalid-csv", format!("is not valid CSV: {other:?}")),
    }
}

/// The separator of a header that seems to have one column: programs write others than a comma in some languages.
fn other_separator(record: &ByteRecord) -> Option<&'static str> {
    let cell = record.get(0).filter(|_| record.len() == 1)?;
    let separators = [(b';', "semicolons"), (b'\t', "tabs")];
    let (_, name) = separators.iter().find(|(byte, _)| cell.contains(byte))?;
    Some(name)
}

/// Returns the names of the columns; `None` for a column that cannot be used.
fn header(record: &ByteRecord) -> (Vec<Option<String>>, Vec<RowFinding>) {
    let mut known = BTreeSet::new();
    let mut findings = Vec::new();
    let mut find = |name: Option<&str>, rule, message: String| {
        findings.push(RowFinding::error(name, rule, message));
        None
    };
    let columns = (1..).zip(record.iter()).map(|(column, name)| {
        let name = match str::from_utf8(name) {
            Ok(name) => name.trim(),
            Err(_) => {
                return find(
                    None,
                    "not-utf-8",
                    format!("column {column} is not valid UTF-8"),
                );
            }
        };
        if name.is_empty() {
            return find(
                None,
                "unnamed-column",
                format!("column {column} has no name"),
            );
        }
        if !cell::is_field(name) {
            return find(Some(name), "unknown-field", cell::unknown_field(name));
        }
        if !known.insert(name.to_owned()) {
            return find(
                Some(name),
                "duplicate-field",
                "is the name of two columns".to_owned(),
            );
        }
        Some(name.to_owned())
    });
    let columns = columns.collect();
    (columns, findings)
}

fn fields(
    columns: &[Option<String>],
    record: &ByteRecord,
) -> Result<Map<String, Value>, Vec<RowFinding>> {
    let mut fields = Map::new();
    let mut findings = Vec::new();
    if record.len() != columns.len() {
        let message = format!(
            "has {} cells, the header has {}",
            record.len(),
            columns.len()
        );
        findings.push(RowFinding::error(None, "cell-count", message));
    }
    for (name, bytes) in columns.iter().zip(record) {
        let Some(name) = name else { continue };
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => {
                let message = "is not valid UTF-8";
                findings.push(RowFinding::error(Some(name), "not-utf-8", message));
                continue;
            }
        };
        if text.trim().is_empty() {
            continue;
        }
        match cell::value(name, text) {
            Ok(value) => {
                fields.insert(name.clone(), value);
            }
            Err(problem) => findings.push(RowFinding::error(Some(name), "invalid-value", problem)),
        }
    }
    match findings.is_empty() {
        true => Ok(fields),
        false => Err(findings),
    }
}
