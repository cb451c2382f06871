//! The JSON file that describes a saved video.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::clock;
use crate::engine::download::errors;
use crate::engine::download::temp_file::TempFile;
use crate::engine::download::video::Video;
use crate::engine::error::Result;
use crate::engine::expected_video::VideoFinding;
use crate::engine::expiry;
use crate::engine::folder;
use crate::redact;

/// The metadata of a saved video, in a JSON file beside it: its origin, times, and hash.
///
/// It contains no key and no token: user info, query and fragment of every URL are removed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct Sidecar {
    /// The id of the task that made the video.
    pub task_id: String,
    /// The request that was passed to [`Save::request`](super::Save::request).
    pub request: Option<Value>,
    /// The name of the file of the video, in the same folder.
    pub file_name: String,
    /// The length of the file in bytes.
    pub bytes: u64,
    /// The SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
    /// Where the video differs from its request. Missing if it does not, or if the request is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<VideoFinding>,
    /// The host that the video was downloaded from.
    pub host: String,
    /// When the task was created, in RFC 3339. Null if another client created it.
    pub created_at: Option<String>,
    /// When this client detected the completion of the task, at most one interval between polls late. Null if the task was
    /// already completed at the first read.
    pub completed_at: Option<String>,
    /// When the video was saved.
    pub saved_at: Option<String>,
    /// When the URL of the video expires. Null if the URL does not say.
    pub url_expires_at: Option<String>,
    /// The name and version of this crate.
    pub saved_by: String,
}

impl Sidecar {
    pub(crate) fn new(
        video: &Video,
        path: &Path,
        bytes: u64,
        sha256: &str,
        findings: &[VideoFinding],
        url: &Url,
        request: Option<Value>,
    ) -> Self {
        let key = video.downloads.http.key.expose();
        let times = video.origin.times();
        let text = |time: Option<SystemTime>| time.and_then(clock::shown);
        let name = path.file_name().unwrap_or_default();
        Self {
            task_id: video.task_id().to_owned(),
            request: request.map(|request| redact_strings(request, key)),
            file_name: name.to_string_lossy().into_owned(),
            bytes,
            sha256: sha256.to_owned(),
            findings: findings.to_vec(),
            host: url.host_str().unwrap_or_default().to_owned(),
            created_at: text(times.created),
            completed_at: text(times.completed),
            saved_at: text(Some(video.downloads.http.clock.system_time())),
            url_expires_at: text(expiry::expires_at(url)),
            saved_by: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Returns the path of the sidecar of the video at `path`: the same name plus `.json`, such as `puppet.mp4.json`.
    pub fn beside(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".json");
        name.into()
    }

    /// Writes the file atomically.
    pub(crate) fn write(&self, video: &Video, path: &Path, overwrite: bool) -> Result<()> {
        let written = serde_json::to_vec_pretty(self)
            .map_err(Into::into)
            .and_then(|mut text| {
                text.push(b'\n');
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let temp_file = TempFile::create(path, overwrite, &name)?;
                let mut file = temp_file.file()?;
                file.write_all(&text)?;
                folder::sync_file(&file)?;
                temp_file.publish()
            });
        written.map_err(|error| errors::write_failed(video, path, error))
    }
}

/// Redacts credentials, such as the signatures of URLs, in all strings of a request.
fn redact_strings(value: Value, key: &str) -> Value {
    match value {
        Value::String(text) => Value::String(redact::redact(&text, key)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| redact_strings(item, key))
            .collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, redact_strings(value, key)))
            .collect(),
        other => other,
    }
}
