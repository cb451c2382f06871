//! A `.tar.gz` whose bytes depend on nothing but its content.

use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// A file of an archive.
#[derive(Clone, Debug)]
pub struct Entry {
    path: String,
    mode: u32,
    content: Vec<u8>,
}

impl Entry {
    /// A file that everyone may read.
    pub fn file(path: impl Into<String>, content: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            mode: 0o644,
            content,
        }
    }

    /// A file that everyone may read and execute.
    pub fn program(path: impl Into<String>, content: Vec<u8>) -> Self {
        Self {
            mode: 0o755,
            ..Self::file(path, content)
        }
    }
}

/// Writes an archive with one folder. Its files are in the order of their paths, belong to no one, and have one time, in seconds
/// since 1970.
///
/// # Errors
///
/// A path is longer than tar allows.
pub fn write(folder: &str, mut entries: Vec<Entry>, time: u64) -> Result<Vec<u8>> {
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    // Neither a time nor the name of an operating system.
    let compressed = GzBuilder::new().mtime(0).operating_system(255);
    let mut archive = Builder::new(compressed.write(Vec::new(), Compression::best()));
    for Entry {
        path,
        mode,
        content,
    } in entries
    {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, format!("{folder}/{path}"), &*content)?;
    }
    let mut compressed = archive.into_inner()?;
    compressed.flush()?;
    Ok(compressed.finish()?)
}

/// The SHA-256 of an archive, in hexadecimal.
pub fn checksum(archive: &[u8]) -> String {
    let digest = Sha256::digest(archive);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
