//! The body of the operations that create a task.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The JSON body of an operation that creates a task, serialised once.
///
/// The request types of [`types`](crate::types) and their builders convert into it, so the methods named `body` accept
/// them. `body` drops the reason if a conversion fails; to get it, convert the builder first:
///
/// ```
/// use kling_omni_api::types::ReferenceToVideoRequest;
///
/// let request = ReferenceToVideoRequest::builder().prompt("A paper puppet".to_owned());
/// let error = ReferenceToVideoRequest::try_from(request).unwrap_err();
/// assert_eq!(error.to_string(), "no value supplied for video_url");
/// ```
///
/// Any other value that serialises as JSON can be sent, too:
///
/// ```
/// use kling_omni_api::RequestBody;
///
/// let body = RequestBody::new(&serde_json::json!({ "prompt": "A paper puppet" }))?;
/// assert_eq!(body.as_str(), r#"{"prompt":"A paper puppet"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct RequestBody(Box<RawValue>);

impl RequestBody {
    /// Serialises a value as JSON.
    ///
    /// # Errors
    ///
    /// Fails if JSON cannot represent the value, such as a map whose keys are not strings.
    pub fn new(value: &impl Serialize) -> serde_json::Result<Self> {
        to_raw_value(value).map(Self)
    }

    /// The JSON.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl From<Box<RawValue>> for RequestBody {
    fn from(json: Box<RawValue>) -> Self {
        Self(json)
    }
}

impl FromStr for RequestBody {
    type Err = serde_json::Error;

    /// Parses serialised JSON.
    fn from_str(json: &str) -> serde_json::Result<Self> {
        json.to_owned().try_into()
    }
}

impl TryFrom<String> for RequestBody {
    type Error = serde_json::Error;

    /// Parses serialised JSON.
    fn try_from(json: String) -> serde_json::Result<Self> {
        RawValue::from_string(json).map(Self)
    }
}

impl Serialize for RequestBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestBody").field(&self.as_str()).finish()
    }
}
