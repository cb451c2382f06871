//! Responses of the real service, recorded from sibling models of the same API.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use kling_omni_test_support::sources;

const FOLDER: &str = "tests/fixtures";
/// Headers that frame the recorded message or belong to its connection: a replay sets its own.
const FRAMING: [&str; 2] = ["connection", "content-length"];

/// One recorded response.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The file's name without its ending.
    pub name: String,
    /// Where it comes from.
    pub provenance: String,
    /// The operation whose answer it is like.
    pub operation: String,
    /// The HTTP status.
    pub status: u16,
    /// All headers as recorded, by name.
    pub headers: BTreeMap<String, String>,
    /// The text of the body, as recorded.
    pub body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    provenance: String,
    operation: String,
    status: u16,
    headers: BTreeMap<String, String>,
    body: Box<RawValue>,
}

impl Fixture {
    /// The fixture of this name.
    pub fn load(name: &str) -> Self {
        let text = sources::read(&format!("{FOLDER}/{name}.json"));
        let file: File =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self {
            name: name.to_owned(),
            provenance: file.provenance,
            operation: file.operation,
            status: file.status,
            headers: file.headers,
            body: file.body.get().to_owned(),
        }
    }

    /// All fixtures by name.
    pub fn all() -> Vec<Self> {
        let files = sources::files_below(FOLDER);
        let names = files
            .iter()
            .filter_map(|file| Path::new(file.strip_suffix(".json")?).file_name()?.to_str());
        names.map(Self::load).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a raw value is JSON")
    }

    /// The headers to replay it with: all but those that frame the message.
    pub fn headers_to_replay(&self) -> Vec<(&str, &str)> {
        self.headers
            .iter()
            .filter(|(name, _)| !FRAMING.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}
