//! Videos in a bucket: the option that names it, and its credentials.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
#[cfg(feature = "object-store")]
use kling_omni::download::VideoStore;
use kling_omni::request::MediaSource;
use kling_omni_batch::ledger::ItemQuery;
use kling_omni_batch::{BatchResult, Batches};

use crate::input;

/// Returns a parser for the place of the videos: a folder, or the URL of a bucket.
pub(super) fn folder_or_bucket() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|out| match is_url(&out) {
        true => check_url(out),
        false => input::local_file(out).map_err(str::to_owned),
    })
}

/// Returns whether videos go into a bucket.
pub(super) fn is_url(out: &Path) -> bool {
    !MediaSource::url_or_path(out).is_local()
}

/// Returns whether the videos of a batch go into a bucket.
pub(super) async fn has_objects(batches: &Batches, name: &str) -> BatchResult<bool> {
    let query = ItemQuery {
        limit: 1,
        ..ItemQuery::new(batches.ledger().batch(name).await?.id)
    };
    let items = batches.ledger().items(query).await?;
    Ok(items.iter().any(|item| is_url(&item.path)))
}

/// The buckets that videos are saved to, with the credentials of the environment.
#[cfg(feature = "object-store")]
pub(super) fn video_store() -> VideoStore {
    VideoStore::from_env()
}

#[cfg(feature = "object-store")]
fn check_url(out: PathBuf) -> Result<PathBuf, String> {
    let object = format!("{}/clip.mp4", out.to_string_lossy().trim_end_matches('/'));
    match video_store().object(&object) {
        Ok(_) => Ok(out),
        Err(error) => Err(match error.help() {
            Some(help) => format!("{}: {help}", error.summary()),
            None => error.summary().to_owned(),
        }),
    }
}

#[cfg(not(feature = "object-store"))]
fn check_url(_: PathBuf) -> Result<PathBuf, String> {
    Err("a URL cannot be used here, because this program has no object stores".to_owned())
}
