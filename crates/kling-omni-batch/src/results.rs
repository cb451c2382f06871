//! `results.jsonl`: a line for each item that ended, in the order in which they end.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{BatchError, BatchResult};
use crate::ledger::{BatchId, ItemEvent, Ledger};

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
        let mut found = Existing::open(&results.path).map_err(results.failed())?;
        // The lines of the file that agree with the ledger are kept.
        loop {
            let events = results.next_events(ledger).await?;
            let Some(last) = events.last() else { break };
            let last = last.number;
            for line in lines(&events)? {
                found.expect(&line).map_err(results.failed())?;
            }
            results.last = last;
        }
        let rest = found.finish().map_err(results.failed())?;
        if let Some(whole) = rest {
            write_whole(&results.path, &whole).map_err(results.failed())?;
        }
        Ok(results)
    }

    /// Appends what ended since.
    pub(crate) async fn update(&mut self, ledger: &dyn Ledger) -> BatchResult<()> {
        loop {
            let events = self.next_events(ledger).await?;
            let Some(last) = events.last() else {
                return Ok(());
            };
            let last = last.number;
            let lines = lines(&events)?.concat();
            if !lines.is_empty() {
                append(&self.path, &lines).map_err(self.failed())?;
            }
            self.last = last;
        }
    }

    async fn next_events(&self, ledger: &dyn Ledger) -> BatchResult<Vec<ItemEvent>> {
        ledger.events(self.batch, None, self.last, PAGE).await
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> BatchError {
        BatchError::file("write", &self.path)
    }
}

/// The lines of the events that end an item.
fn lines(events: &[ItemEvent]) -> BatchResult<Vec<String>> {
    let ends = events.iter().filter(|event| event.state.is_final());
    let lines = ends.map(|event| Ok(serde_json::to_string(event)? + "\n"));
    let lines: Result<_, serde_json::Error> = lines.collect();
    lines.map_err(|error| BatchError::Ledger(error.into()))
}

/// An existing file, compared with the lines that it should have.
struct Existing {
    reader: Option<BufReader<std::fs::File>>,
    /// All lines, once the file was found to differ.
    expected: Vec<u8>,
    differs: bool,
}

impl Existing {
    fn open(path: &Path) -> io::Result<Self> {
        let reader = match std::fs::File::open(path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            differs: reader.is_none(),
            reader,
            expected: Vec::new(),
        })
    }

    fn expect(&mut self, line: &str) -> io::Result<()> {
        self.expected.extend_from_slice(line.as_bytes());
        if let Some(reader) = self.reader.as_mut().filter(|_| !self.differs) {
            let mut found = Vec::new();
            reader.read_until(b'\n', &mut found)?;
            self.differs = found != line.as_bytes();
        }
        Ok(())
    }

    /// Returns what the file should have, unless it has it.
    fn finish(mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(reader) = &mut self.reader {
            self.differs |= !reader.fill_buf()?.is_empty();
        }
        Ok(self.differs.then_some(self.expected))
    }
}

/// Replaces the file at once. The name of the new file is fixed, so a process that was killed leaves none: the next one writes it
/// again.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, path)
}

fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(lines.as_bytes())
}
