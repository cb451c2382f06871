//! Looks at a file on this machine.

use std::fmt::Display;
use std::path::Path;

use bytes::Bytes;

use crate::media::MediaSource;
use crate::preflight::looked::{FileStamp, Seen};
use crate::redact::file_name;

/// Looks at a file on this machine, off the threads that tasks run on.
pub(super) async fn look(source: &MediaSource) -> Seen {
    let source = source.clone();
    let looking = tokio::task::spawn_blocking(move || match source {
        MediaSource::File(path) => file(&path),
        MediaSource::Bytes(bytes) => memory(&bytes),
        MediaSource::Url(_) => Seen::Unknown("is elsewhere".to_owned()),
    });
    match looking.await {
        Ok(seen) => seen,
        Err(_) => Seen::Unknown("could not be looked at".to_owned()),
    }
}

/// The stamp of a file on this machine.
pub(super) async fn stamp(source: &MediaSource) -> Option<FileStamp> {
    let MediaSource::File(path) = source else {
        return None;
    };
    let path = path.clone();
    let stamping = tokio::task::spawn_blocking(move || FileStamp::of(&path));
    stamping.await.ok().flatten()
}

fn file(path: &Path) -> Seen {
    // Opening a pipe would wait for its other end.
    let is_file = match path.metadata() {
        Ok(data) => data.is_file(),
        Err(error) => return unreadable(path, error),
    };
    if !is_file {
        return unreadable(path, "it is not a regular file");
    }
    match media_probe::probe_file(path) {
        Ok(probed) => Seen::Probed(Box::new(probed)),
        Err(error) => unreadable(path, error),
    }
}

fn unreadable(path: &Path, why: impl Display) -> Seen {
    Seen::Unreadable(format!("{} cannot be read: {why}", file_name(path)))
}

fn memory(bytes: &Bytes) -> Seen {
    Seen::Probed(Box::new(media_probe::probe_bytes(bytes)))
}
