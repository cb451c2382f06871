use std::path::Path;

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
