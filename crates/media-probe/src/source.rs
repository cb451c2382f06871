//! Drivers for files, memory and readers.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::prober::Prober;

/// The chunk size, so a large index is not buffered twice.
const CHUNK: u64 = 256 << 10;

/// Probes a file.
///
/// # Errors
///
/// Fails if the file cannot be opened or read. Damage in the file is not an error, but one of the
/// [problems](MediaInfo::problems).
pub fn probe_file(path: impl AsRef<Path>) -> io::Result<MediaInfo> {
    probe_reader(File::open(path)?, Limits::local())
}

/// Probes a file in memory.
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

/// Probes a seekable reader from its start, regardless of its current position.
///
/// # Errors
///
/// Fails if reading or seeking fails.
pub fn probe_reader(mut reader: impl Read + Seek, limits: Limits) -> io::Result<MediaInfo> {
    let mut prober = Prober::new(limits);
    prober.set_total(reader.seek(SeekFrom::End(0))?);
    let mut chunk = Vec::new();
    while let Some(range) = prober.request() {
        let mut at = reader.seek(SeekFrom::Start(range.start))?;
        while at < range.end {
            chunk.clear();
            let wanted = CHUNK.min(range.end - at);
            reader.by_ref().take(wanted).read_to_end(&mut chunk)?;
            // The file was truncated meanwhile.
            if chunk.is_empty() {
                return Ok(prober.finish());
            }
            prober.feed(at, &chunk);
            at += chunk.len() as u64;
        }
    }
    Ok(prober.finish())
}
