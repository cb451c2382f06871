//! The CSV form of a report.

use std::io;

use crate::ledger::{ReportRow, SavedFile};

/// The names of the columns.
pub(crate) const COLUMNS: [&str; 15] = [
    "key",
    "state",
    "mode",
    "tier",
    "seconds",
    "attempts",
    "task_id",
    "file",
    "bytes",
    "sha256",
    "error_kind",
    "error",
    "sent_at_ms",
    "changed_at_ms",
    "findings",
];

impl ReportRow {
    /// The names of the columns, as a line of CSV without a line end.
    pub fn csv_header() -> String {
        line(|file| file.write_record(COLUMNS))
    }

    /// The row as a line of CSV without a line end.
    pub fn to_csv(&self) -> String {
        line(|file| write_row(file, self))
    }
}

fn line(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> String {
    let mut file = csv::Writer::from_writer(Vec::new());
    // Writing to a Vec cannot fail.
    let _ = write(&mut file);
    let line = file.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&line)
        .trim_end_matches('\n')
        .to_owned()
}

/// The findings about a video, as text.
fn describe_findings(file: &SavedFile) -> String {
    let findings: Vec<_> = file.findings.iter().map(ToString::to_string).collect();
    findings.join("; ")
}

/// Writes a row.
pub(crate) fn write_row<W: io::Write>(
    file: &mut csv::Writer<W>,
    row: &ReportRow,
) -> csv::Result<()> {
    let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let saved = row.file.as_ref();
    let error = row.error.as_ref();
    let cells: [String; COLUMNS.len()] = [
        row.key.clone(),
        row.state.to_string(),
        row.mode.to_string(),
        row.tier.to_string(),
        row.seconds.to_string(),
        row.attempts.to_string(),
        row.task_id.clone().unwrap_or_default(),
        saved
            .map(|file| file.path.display().to_string())
            .unwrap_or_default(),
        number(saved.map(|file| file.bytes)),
        saved.map(|file| file.sha256.clone()).unwrap_or_default(),
        error.map(|error| error.kind.clone()).unwrap_or_default(),
        error.map(|error| error.text.clone()).unwrap_or_default(),
        number(row.sent_at_ms),
        number(row.changed_at_ms),
        saved.map(describe_findings).unwrap_or_default(),
    ];
    file.write_record(cells.map(without_formula))
}

/// Puts an apostrophe before a cell that a spreadsheet would take for a formula.
fn without_formula(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}
