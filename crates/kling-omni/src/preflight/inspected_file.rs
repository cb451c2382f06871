//! One file of a request, and what an inspection of it found.

use std::fmt::Display;
use std::path::Path;
use std::time::SystemTime;

use media_probe::{Format, MediaInfo};
use url::Url;

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::preflight::remote::RemoteInspector;
use crate::redact::file_name;

/// A file of a request that was inspected.
#[derive(Clone, Debug)]
pub(crate) struct InspectedFile {
    pub(crate) field: MediaField,
    pub(crate) source: MediaSource,
    pub(crate) result: InspectResult,
    /// The file on this machine as it was just before; none of what is elsewhere or in memory.
    pub(crate) stamp: Option<FileStamp>,
}

impl InspectedFile {
    /// Whether another inspection of `source` would find the same: it is the one that was inspected, and if it is a
    /// file, it has not changed since, as its stamp is `now`.
    pub(super) fn still_holds(
        &self,
        field: MediaField,
        source: &MediaSource,
        now: Option<FileStamp>,
    ) -> bool {
        let is_unchanged =
            !matches!(source, MediaSource::File(_)) || now.is_some() && self.stamp == now;
        self.field == field && self.source == *source && is_unchanged
    }

    pub(crate) fn probed(&self) -> Option<&MediaInfo> {
        self.result.probed()
    }
}

/// What changes with the content of a file: two that are equal stand for the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    bytes: u64,
    modified: SystemTime,
    /// Device, inode, and the time of the last change of either content or metadata, which no program can set.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl FileStamp {
    /// None of what is not a file on this machine, or if the file system does not say.
    pub(super) async fn of(source: &MediaSource) -> Option<Self> {
        let MediaSource::File(path) = source.clone() else {
            return None;
        };
        let stamping = tokio::task::spawn_blocking(move || Self::of_path(&path));
        stamping.await.ok().flatten()
    }

    fn of_path(path: &Path) -> Option<Self> {
        let data = path.metadata().ok()?;
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Some(Self {
            bytes: data.len(),
            modified: data.modified().ok()?,
            #[cfg(unix)]
            inode: (data.dev(), data.ino(), data.ctime(), data.ctime_nsec()),
        })
    }
}

/// The result of an inspection.
#[derive(Clone, Debug)]
pub(crate) enum InspectResult {
    Probed(Box<MediaInfo>),
    /// A file on this machine that cannot be read, and why.
    Unreadable(String),
    /// A file that could not be inspected, and why; the service may be able to read it all the same.
    Unknown(String),
}

impl InspectResult {
    pub(super) fn probed(&self) -> Option<&MediaInfo> {
        match self {
            Self::Probed(probed) => Some(probed),
            Self::Unreadable(_) | Self::Unknown(_) => None,
        }
    }
}

/// Inspects a file, wherever it is; one on this machine off the threads that tasks run on.
pub(super) async fn inspect_file(
    remote: &RemoteInspector,
    source: &MediaSource,
    allows_private: bool,
) -> InspectResult {
    let inspection = match source.clone() {
        MediaSource::Url(url) => return remote.inspect(&url, allows_private).await,
        MediaSource::File(path) => tokio::task::spawn_blocking(move || inspect_path(&path)),
        MediaSource::Bytes(bytes) => tokio::task::spawn_blocking(move || {
            InspectResult::Probed(Box::new(media_probe::probe_bytes(&bytes)))
        }),
    };
    match inspection.await {
        Ok(result) => result,
        Err(_) => InspectResult::Unknown("could not be looked at".to_owned()),
    }
}

fn inspect_path(path: &Path) -> InspectResult {
    // Opening a pipe would wait for its other end.
    let is_file = match path.metadata() {
        Ok(data) => data.is_file(),
        Err(error) => return unreadable(path, error),
    };
    if !is_file {
        return unreadable(path, "it is not a regular file");
    }
    match media_probe::probe_file(path) {
        Ok(probed) => InspectResult::Probed(Box::new(probed)),
        Err(error) => unreadable(path, error),
    }
}

fn unreadable(path: &Path, reason: impl Display) -> InspectResult {
    InspectResult::Unreadable(format!("{} cannot be read: {reason}", file_name(path)))
}

/// The format that the name of a file says.
pub(super) fn declared_format(source: &MediaSource) -> Option<Format> {
    match source {
        MediaSource::File(path) => Format::of_path(path),
        MediaSource::Url(url) => Format::of_path(Path::new(Url::parse(url).ok()?.path())),
        MediaSource::Bytes(_) => None,
    }
}
