//! The drivers for what this crate can read by itself.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::prober::Prober;

/// What is read in one go, so that no long index is held twice.
const PIECE: u64 = 256 << 10;

/// Probes a file.
///
/// # Errors
///
/// When the file cannot be opened or read. What is wrong inside of it is no error, but among the
/// [problems](MediaInfo::problems).
pub fn probe_file(path: impl AsRef<Path>) -> io::Result<MediaInfo> {
    probe_reader(File::open(path)?, Limits::local())
}

/// Probes a file that is in memory.
pub fn probe_bytes(bytes: &[u8]) -> MediaInfo {
    let mut prober = Prober::new(Limits::local());
    prober.set_total(bytes.len() as u64);
    while let Some(range) = prober.request() {
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).ok());
        let part = start
            .zip(end)
            .and_then(|(start, end)| bytes.get(start..end));
        prober.feed(range.start, part.unwrap_or_default());
    }
    prober.finish()
}

/// Probes whatever can be read at any place. It is read from its beginning, wherever it stands now.
///
/// # Errors
///
/// When reading or seeking fails.
pub fn probe_reader(mut reader: impl Read + Seek, limits: Limits) -> io::Result<MediaInfo> {
    let mut prober = Prober::new(limits);
    prober.set_total(reader.seek(SeekFrom::End(0))?);
    let mut piece = Vec::new();
    while let Some(range) = prober.request() {
        let mut at = reader.seek(SeekFrom::Start(range.start))?;
        while at < range.end {
            piece.clear();
            let wanted = PIECE.min(range.end - at);
            reader.by_ref().take(wanted).read_to_end(&mut piece)?;
            // It has become shorter since.
            if piece.is_empty() {
                return Ok(prober.finish());
            }
            prober.feed(at, &piece);
            at += piece.len() as u64;
        }
    }
    Ok(prober.finish())
}
