//! Rows before they are checked, and the reading of text files.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::finding::{ManifestError, RowFinding};

/// A row before it is checked.
pub(super) struct RawRow {
    /// The line on which it begins.
    pub(super) line: Option<u64>,
    pub(super) file: PathBuf,
    /// The id if the row has none; the hash of the row if this is `None`, too.
    pub(super) default_id: Option<String>,
    pub(super) fields: Result<Map<String, Value>, Vec<RowFinding>>,
    /// Whether it is counted; not so for the header of a CSV file.
    pub(super) is_row: bool,
    /// Whether nothing can be read after it.
    pub(super) is_last: bool,
}

impl RawRow {
    pub(super) fn new(
        line: Option<u64>,
        file: &Path,
        fields: Result<Map<String, Value>, Vec<RowFinding>>,
    ) -> Self {
        Self {
            line,
            file: file.to_owned(),
            default_id: None,
            fields,
            is_row: true,
            is_last: false,
        }
    }

    /// A row that could not be read, with one finding.
    pub(super) fn broken(
        line: Option<u64>,
        file: &Path,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let finding = RowFinding::error(None, rule, message);
        Self::new(line, file, Err(vec![finding]))
    }

    pub(super) fn last(mut self) -> Self {
        self.is_last = true;
        self
    }
}

/// The rows of a source, one at a time.
pub(super) struct RawRows(pub(super) Box<dyn Iterator<Item = RawRow> + Send>);

impl Iterator for RawRows {
    type Item = RawRow;

    fn next(&mut self) -> Option<RawRow> {
        self.0.next()
    }
}

impl fmt::Debug for RawRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawRows")
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Opens a text file and skips its byte order mark. Fails for UTF-16, which spreadsheets write as "Unicode text".
pub(super) fn open_text(path: &Path) -> Result<BufReader<File>, ManifestError> {
    let open = || {
        let mut reader = BufReader::new(File::open(path)?);
        let start = reader.fill_buf()?;
        if start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF") {
            return Err(io::Error::other("it is UTF-16, save it as UTF-8"));
        }
        if start.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        Ok(reader)
    };
    open().map_err(|error| ManifestError::unreadable(path, error))
}
