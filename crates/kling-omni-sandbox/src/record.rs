//! Records of the requests, tasks, uploads and deliveries of a sandbox.

mod delivery;
mod log;
mod response;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use kling_omni_api::enums::TaskStatus;
use serde_json::Value;

use crate::fault::FaultRule;
use crate::redact;
pub use delivery::{Delivery, DeliveryOutcome};
pub(crate) use log::{Changes, Entry, Log};
pub use response::SentResponse;
pub(crate) use response::{RecordedBody, ResponseRecorder};

/// One of the hosts of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// The API.
    Api,
    /// The result host, which serves results and uploaded files.
    Results,
    /// The storage host, which receives uploads.
    Storage,
}

/// A request to any host of the sandbox, with the status of its response.
///
/// The accessors return the request unchanged. `Debug` shows no key, no URL token and no body.
#[derive(Clone)]
pub struct ReceivedRequest {
    pub(crate) number: u64,
    pub(crate) host: Host,
    pub(crate) received_at: SystemTime,
    pub(crate) request_id: Option<String>,
    pub(crate) operation_id: Option<String>,
    pub(crate) task_id: Option<String>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) status: Option<StatusCode>,
    pub(crate) response: Option<SentResponse>,
    pub(crate) faults: Vec<Arc<FaultRule>>,
}

impl Entry for ReceivedRequest {
    fn body_bytes(&self) -> usize {
        let sent = self.response.as_ref();
        self.body.len() + sent.map_or(0, |sent| sent.body.len())
    }
}

impl ReceivedRequest {
    /// Returns the number of the request, in the order of arrival at any host, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the host that received the request.
    pub fn host(&self) -> Host {
        self.host
    }

    /// Returns when the request arrived, by the sandbox's clock.
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// Returns the `x-request-id` of the response, or `None` for the other hosts.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the `operationId` of the route, or `None` for an unknown route.
    pub fn operation_id(&self) -> Option<&str> {
        self.operation_id.as_deref()
    }

    /// Returns the id of the task that the request created, reads or downloads.
    pub fn task_id(&self) -> Option<&str> {
        self.task_id.as_deref()
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path, percent-encoded as received.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the query without `?`, as received.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Returns all headers, with keys. Headers that contain a key are marked as sensitive.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body. It is empty if it could not be read or was too large, and for the storage host, whose files
    /// [`Sandbox::uploads`](crate::Sandbox::uploads) returns.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as JSON, or `None` if it is not JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns the status of the response, or `None` before there is one. For a response that a fault delays or drops,
    /// this is the status it would have.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the response, as far as it was sent, or `None` before it is started.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = kling_omni_sandbox::Sandbox::builder().start().await?;
    /// let response = reqwest::get(format!("{}/v1/ai/nothing", sandbox.base_url())).await?;
    /// let requests = sandbox.requests();
    /// let sent = requests[0].response().unwrap();
    /// assert_eq!(sent.headers()["content-type"], "application/json");
    /// assert_eq!(sent.body(), &response.bytes().await?);
    /// # Ok(()) }
    /// ```
    pub fn response(&self) -> Option<&SentResponse> {
        self.response.as_ref()
    }

    /// Returns the faults that were applied.
    pub fn faults(&self) -> impl Iterator<Item = &FaultRule> {
        self.faults.iter().map(Arc::as_ref)
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("number", &self.number)
            .field("host", &self.host)
            .field("request_id", &self.request_id)
            .field("operation_id", &self.operation_id)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query.as_deref().map(redact::query))
            .field("headers", &self.headers)
            .field("body", &redact::Length(self.body.len()))
            .field("status", &self.status)
            .field("response", &self.response)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// A task that the sandbox created.
///
/// `Debug` shows the fields of the request without values, because URLs may contain tokens.
#[derive(Clone)]
pub struct TaskRecord {
    pub(crate) id: String,
    pub(crate) operation_id: String,
    pub(crate) status: TaskStatus,
    pub(crate) request: Value,
    pub(crate) created_at: SystemTime,
    pub(crate) ends_at: SystemTime,
}

impl TaskRecord {
    /// Returns the id of the task.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the `operationId` of the route that created the task.
    pub fn operation_id(&self) -> &str {
        &self.operation_id
    }

    /// Returns the status at the time of the record.
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// Returns the body of the create, as received.
    pub fn request(&self) -> &Value {
        &self.request
    }

    /// Returns when the task was created, by the sandbox's clock.
    pub fn created_at(&self) -> SystemTime {
        self.created_at
    }

    /// Returns when the task ends, by the sandbox's clock.
    pub fn ends_at(&self) -> SystemTime {
        self.ends_at
    }
}

impl fmt::Debug for TaskRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self
            .request
            .as_object()
            .map(|fields| fields.keys().collect())
            .unwrap_or_default();
        f.debug_struct("TaskRecord")
            .field("id", &self.id)
            .field("operation_id", &self.operation_id)
            .field("status", &self.status)
            .field("request", &fields)
            .finish_non_exhaustive()
    }
}

/// An upload slot, and the file that was uploaded to it, if any.
///
/// The accessors return the file even if it is expired. `Debug` shows no URL.
#[derive(Clone)]
pub struct UploadRecord {
    pub(crate) id: String,
    pub(crate) content_type: String,
    pub(crate) requested_at: SystemTime,
    pub(crate) file: Option<UploadedFile>,
}

/// The file of an [`UploadRecord`].
#[derive(Clone, Copy)]
pub(crate) struct UploadedFile {
    pub(crate) stored_at: SystemTime,
    pub(crate) length: u64,
    pub(crate) sha256: [u8; 32],
}

impl UploadRecord {
    /// Returns the id of the file.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the content type of the slot.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Returns when the slot was requested, by the sandbox's clock.
    pub fn requested_at(&self) -> SystemTime {
        self.requested_at
    }

    /// Returns when the file was last uploaded, by the sandbox's clock.
    pub fn uploaded_at(&self) -> Option<SystemTime> {
        self.file.map(|file| file.stored_at)
    }

    /// Returns the size of the file, in bytes.
    pub fn length(&self) -> Option<u64> {
        self.file.map(|file| file.length)
    }

    /// Returns the SHA-256 of the file.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.file.map(|file| file.sha256)
    }
}

impl fmt::Debug for UploadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadRecord")
            .field("id", &self.id())
            .field("content_type", &self.content_type())
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}
