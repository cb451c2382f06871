//! The CSV form of a report.

use crate::ledger::ReportRow;

impl ReportRow {
    /// The names of the columns.
    pub const CSV_HEADER: &str = "id,state,mode,tier,seconds,attempts,task_id,file,bytes,sha256,error_kind,error,sent_at_ms,changed_at_ms";

    /// Returns the row as a line of CSV (RFC 4180), without a line end.
    pub fn to_csv(&self) -> String {
        let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
        let file = self.file.as_ref();
        let error = self.error.as_ref();
        let cells = [
            self.key.clone(),
            self.state.to_string(),
            self.mode.to_string(),
            self.tier.to_string(),
            self.seconds.to_string(),
            self.attempts.to_string(),
            self.task_id.clone().unwrap_or_default(),
            file.map(|file| file.path.display().to_string())
                .unwrap_or_default(),
            number(file.map(|file| file.bytes)),
            file.map(|file| file.sha256.clone()).unwrap_or_default(),
            error.map(|error| error.kind.clone()).unwrap_or_default(),
            error.map(|error| error.text.clone()).unwrap_or_default(),
            number(self.sent_at_ms),
            number(self.changed_at_ms),
        ];
        cells.map(quoted).join(",")
    }
}

/// Quotes a cell if necessary. A cell that a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(cell: String) -> String {
    let cell = match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    };
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}
