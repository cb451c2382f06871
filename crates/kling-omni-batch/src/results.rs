//! `results.jsonl`: a line for each item that ended, in the order in which they end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{BatchError, BatchResult};
use crate::ledger::{BatchId, Lease, Ledger};

/// How many events are read from the ledger at once.
const PAGE: u32 = 1000;

/// The file, which follows from the ledger. A file that does not agree with it is written again.
#[derive(Debug)]
pub(crate) struct ResultsFile {
    batch: BatchId,
    path: PathBuf,
    /// The number of the last event that was taken into account.
    last: u64,
}

impl ResultsFile {
    /// Makes the file agree with the ledger.
    pub(crate) async fn open(
        ledger: &dyn Ledger,
        batch: BatchId,
        path: PathBuf,
    ) -> BatchResult<Self> {
        let mut results = Self {
            batch,
            path,
            last: 0,
        };
        if !results.is_current(ledger).await? {
            results.last = 0;
            results.write_whole(ledger).await?;
        }
        Ok(results)
    }

    /// Appends what ended since.
    pub(crate) async fn update(&mut self, ledger: &dyn Ledger, lease: &Lease) -> BatchResult<()> {
        while let Some(lines) = self.next_lines(ledger).await? {
            if lease.can_be_lost() {
                // Another run may have written these lines.
                ledger.renew(lease).await?;
            }
            append(&self.path, &lines.concat()).map_err(self.failed("write"))?;
        }
        Ok(())
    }

    /// Whether the file has the lines that it should have.
    async fn is_current(&mut self, ledger: &dyn Ledger) -> BatchResult<bool> {
        let mut file = match File::open(&self.path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed("read")(error)),
        };
        let mut found = Vec::new();
        while let Some(lines) = self.next_lines(ledger).await? {
            for line in lines {
                found.clear();
                file.read_until(b'\n', &mut found)
                    .map_err(self.failed("read"))?;
                if found != line.as_bytes() {
                    return Ok(false);
                }
            }
        }
        let rest = file.fill_buf().map_err(self.failed("read"))?;
        Ok(rest.is_empty())
    }

    /// Replaces the file at once.
    async fn write_whole(&mut self, ledger: &dyn Ledger) -> BatchResult<()> {
        let (part, mut file) = create_part(&self.path).map_err(self.failed("write"))?;
        while let Some(lines) = self.next_lines(ledger).await? {
            let written = file.write_all(lines.concat().as_bytes());
            written.map_err(self.failed("write"))?;
        }
        file.flush()
            .and_then(|()| std::fs::rename(&part, &self.path))
            .map_err(self.failed("write"))
    }

    /// The next lines; `None` at the end.
    async fn next_lines(&mut self, ledger: &dyn Ledger) -> BatchResult<Option<Vec<String>>> {
        let events = ledger.end_events(self.batch, self.last, PAGE).await?;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        self.last = last.number;
        let lines = events
            .iter()
            .map(|event| Ok(serde_json::to_string(event)? + "\n"));
        let lines: Result<_, serde_json::Error> = lines.collect();
        lines
            .map(Some)
            .map_err(|error| BatchError::Ledger(error.into()))
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> BatchError {
        BatchError::file(action, &self.path)
    }
}

/// Creates the file that is to replace another one. Its name is fixed, so a process that was killed leaves none: the next one
/// writes it again.
fn create_part(path: &Path) -> io::Result<(PathBuf, BufWriter<File>)> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = BufWriter::new(File::create(&part)?);
    Ok((part, file))
}

fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())
}
