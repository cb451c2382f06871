//! An inspected file of a request.

use std::fmt::Display;
use std::path::Path;
use std::time::SystemTime;

use media_probe::{Format, MediaInfo};
use url::Url;

use crate::blocking_thread::run_blocking;
use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::preflight::remote::RemoteInspector;
use crate::redact::file_name;

/// An inspected file of a request.
#[derive(Clone, Debug)]
pub(crate) struct InspectedFile {
    pub(crate) field: MediaField,
    pub(crate) source: MediaSource,
    pub(crate) result: InspectResult,
    /// The stamp of a local file from before the inspection; `None` for other sources.
    pub(crate) stamp: Option<FileStamp>,
}

impl InspectedFile {
    /// Whether another inspection of `source` would have the same result: the source is the same, and a file has the
    /// same stamp `now`.
    pub(super) fn is_current(
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

/// Metadata that change with the content of a file. Equal stamps mean equal content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    bytes: u64,
    modified: SystemTime,
    /// Device, inode, and the time of the last change of content or metadata, which programs cannot set.
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

impl FileStamp {
    /// Reads the stamp of a local file; `None` for other sources, or if the file system does not provide it.
    pub(super) async fn read(source: &MediaSource) -> Option<Self> {
        let MediaSource::File(path) = source.clone() else {
            return None;
        };
        run_blocking(move || Self::read_path(&path)).await
    }

    fn read_path(path: &Path) -> Option<Self> {
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
    /// A local file that cannot be read, with the reason.
    Unreadable(String),
    /// A file that could not be inspected, with the reason. The service may still be able to read it.
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

/// Inspects a file. Reads a local file on a blocking thread.
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
        Err(_) => InspectResult::Unknown("could not be inspected".to_owned()),
    }
}

fn inspect_path(path: &Path) -> InspectResult {
    // Opening a pipe would block until its other end is opened.
    let is_file = match path.metadata() {
        Ok(data) => data.is_file(),
        Err(error) => return unreadable(path, error),
    };
    if !is_file {
        return unreadable(path, "not a regular file");
    }
    match media_probe::probe_file(path) {
        Ok(probed) => InspectResult::Probed(Box::new(probed)),
        Err(error) => unreadable(path, error),
    }
}

fn unreadable(path: &Path, reason: impl Display) -> InspectResult {
    InspectResult::Unreadable(format!("{} cannot be read: {reason}", file_name(path)))
}

/// The format according to the name of a file.
pub(super) fn declared_format(source: &MediaSource) -> Option<Format> {
    match source {
        MediaSource::File(path) => Format::from_path(path),
        MediaSource::Url(url) => Format::from_path(Path::new(Url::parse(url).ok()?.path())),
        MediaSource::Bytes(_) => None,
    }
}
