//! The errors of uploads to a bucket. None of them is charged.

use std::time::Duration;

use crate::engine::bucket::errors::{StoreUse, store_failed};
use crate::engine::error::{Error, ErrorKind};
use crate::engine::upload::bucket::ObjectStoreUploader;
use crate::engine::upload::bucket::send::SendError;
use crate::engine::upload::errors::file_changed;
use crate::engine::upload::local_file::LocalFile;

/// What an error says about an upload.
const UPLOAD: StoreUse = StoreUse {
    rejected: ErrorKind::Upload,
    permissions: "s3:PutObject and s3:GetObject",
    again: "upload the file again at no cost",
};

pub(crate) fn invalid_prefix(prefix: &str, error: &object_store::path::Error) -> Error {
    let summary = format!("invalid prefix {prefix:?} of object names: {error}");
    Error::uncharged(ErrorKind::Configuration, summary)
}

pub(crate) fn invalid_lifetime(lifetime: Duration) -> Error {
    let shown = |time: Duration| humantime::format_duration(time);
    let summary = format!(
        "invalid lifetime of a presigned URL: {} (limit {})",
        shown(lifetime),
        shown(ObjectStoreUploader::MAX_LIFETIME),
    );
    Error::uncharged(ErrorKind::Configuration, summary).with_help(format!(
        "use a lifetime from {} to {}",
        shown(ObjectStoreUploader::MIN_LIFETIME),
        shown(ObjectStoreUploader::MAX_LIFETIME),
    ))
}

pub(crate) fn send_failed(file: &LocalFile, bucket: &str, failure: SendError) -> Error {
    match failure {
        SendError::File(error) => file_changed(file.name(), &error),
        SendError::Store(error) => store_failed(
            &format!("could not upload {} to {bucket}", file.name()),
            &error,
            &UPLOAD,
        ),
    }
}

pub(crate) fn sign_failed(file: &LocalFile, bucket: &str, error: &object_store::Error) -> Error {
    let what = format!("could not sign a URL for {} in {bucket}", file.name());
    store_failed(&what, error, &UPLOAD)
}

/// The error of an object that was written but cannot be read.
pub(crate) fn not_readable(file: &LocalFile, bucket: &str, error: object_store::Error) -> Error {
    let what = format!(
        "could not read {} in {bucket} after the upload",
        file.name()
    );
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => {
            Error::uncharged(ErrorKind::Upload, format!("{what}: access denied"))
                .with_help("allow these credentials s3:GetObject")
        }
        error => store_failed(&what, &error, &UPLOAD),
    }
}

pub(crate) fn wrong_length(file: &LocalFile, length: u64) -> Error {
    let summary = format!(
        "{} is incomplete in the bucket after the upload: expected {} bytes, found {length}",
        file.name(),
        file.length()
    );
    Error::uncharged(ErrorKind::Upload, summary)
        .with_retryable(true)
        .with_help("upload the file again at no cost")
}
