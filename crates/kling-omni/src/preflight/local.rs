use std::path::Path;

use bytes::Bytes;

use super::looked::Seen;
use crate::media::MediaSource;

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

fn file(path: &Path) -> Seen {
    // Opening a pipe would wait for its other end.
    let is_file = match path.metadata() {
        Ok(data) => data.is_file(),
        Err(error) => return Seen::Unreadable(format!("cannot be read: {error}")),
    };
    if !is_file {
        return Seen::Unreadable("is no regular file".to_owned());
    }
    match kling_omni_probe::probe_file(path) {
        Ok(probed) => Seen::Probed(Box::new(probed)),
        Err(error) => Seen::Unreadable(format!("cannot be read: {error}")),
    }
}

fn memory(bytes: &Bytes) -> Seen {
    Seen::Probed(Box::new(kling_omni_probe::probe_bytes(bytes)))
}
