use std::path::Path;
use std::time::SystemTime;

use media_probe::{Format, MediaInfo};
use url::Url;

use crate::media::MediaSource;

/// A file of a request that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Looked {
    /// The field, as findings name it.
    pub(crate) at: String,
    pub(crate) source: MediaSource,
    pub(crate) seen: Seen,
    /// The file on this machine as it was just before the look; none of what is elsewhere or in memory.
    pub(crate) stamp: Option<FileStamp>,
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
    /// None if the file system does not say.
    pub(super) fn of(path: &Path) -> Option<Self> {
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

/// What a look at a file came to.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Probed(Box<MediaInfo>),
    /// A file on this machine that cannot be read, and why.
    Unreadable(String),
    /// A file elsewhere that could not be looked at, and why; the service may be able to read it all the same.
    Unknown(String),
}

impl Looked {
    /// Whether a look at `source` would see the same: it is the one that was looked at, and if it is a file, it has not
    /// changed since, as its stamp is `now`.
    pub(super) fn still_holds(
        &self,
        at: &str,
        source: &MediaSource,
        now: Option<FileStamp>,
    ) -> bool {
        let is_unchanged =
            !matches!(source, MediaSource::File(_)) || now.is_some() && self.stamp == now;
        self.at == at && self.source == *source && is_unchanged
    }

    pub(crate) fn probed(&self) -> Option<&MediaInfo> {
        match &self.seen {
            Seen::Probed(probed) => Some(probed),
            Seen::Unreadable(_) | Seen::Unknown(_) => None,
        }
    }

    /// The format that the name of the file says.
    pub(super) fn declared(&self) -> Option<Format> {
        match &self.source {
            MediaSource::File(path) => Format::of_path(path),
            MediaSource::Url(url) => Format::of_path(Path::new(Url::parse(url).ok()?.path())),
            MediaSource::Bytes(_) => None,
        }
    }
}
