//! Records of the requests, tasks, uploads and deliveries of a sandbox.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use kling_omni_api::enums::TaskStatus;
use serde_json::Value;
use tokio::sync::watch;

use crate::fault::FaultRule;
use crate::redact;

/// Which of the servers got a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// The API.
    Api,
    /// The host of the results, and of uploaded files.
    Results,
    /// The host that takes uploads.
    Storage,
}

/// A request that the sandbox got, on any of its servers, and how it was answered.
///
/// The accessors give everything as it came. `Debug` shows no key, no URL token and no body.
#[derive(Clone)]
pub struct ReceivedRequest {
    pub(crate) host: Host,
    pub(crate) received_at: SystemTime,
    pub(crate) request_id: Option<String>,
    pub(crate) operation_id: Option<String>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) status: Option<StatusCode>,
    pub(crate) faults: Vec<Arc<FaultRule>>,
}

impl ReceivedRequest {
    /// The server that got it.
    pub fn host(&self) -> Host {
        self.host
    }

    /// When it came, by the sandbox's clock.
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// The `x-request-id` of the answer; `None` at the other hosts, which have no such ids.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The spec's `operationId` of the route; `None` where no operation of the spec was met.
    pub fn operation_id(&self) -> Option<&str> {
        self.operation_id.as_deref()
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, percent-encoded as it came.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query without its `?`, as it came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// All headers, keys included. Those that hold a key are marked as sensitive.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body; empty where it could not be read or was too long, and at the storage host, whose files
    /// [`Sandbox::uploads`](crate::Sandbox::uploads) returns.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON; `None` when it is none.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The status of the answer; `None` as long as there is none. Of an answer that a fault held up or kept back, the
    /// status that it has or would have had.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The faults that struck it.
    pub fn faults(&self) -> impl Iterator<Item = &FaultRule> {
        self.faults.iter().map(Arc::as_ref)
    }
}

impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("host", &self.host)
            .field("request_id", &self.request_id)
            .field("operation_id", &self.operation_id)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query.as_deref().map(redact::query))
            .field("headers", &self.headers)
            .field("body", &redact::Length(self.body.len()))
            .field("status", &self.status)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// A task that the sandbox created.
///
/// `Debug` names the fields of the request without their values, since URLs in it may hold tokens.
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
    /// The id of the task.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The spec's `operationId` of the route that created it.
    pub fn operation_id(&self) -> &str {
        &self.operation_id
    }

    /// The status when the record was taken.
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// The body that the task was created with, as it came.
    pub fn request(&self) -> &Value {
        &self.request
    }

    /// When it was created, by the sandbox's clock.
    pub fn created_at(&self) -> SystemTime {
        self.created_at
    }

    /// When it ends or has ended, by the sandbox's clock.
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

/// An upload slot that the sandbox handed out, and the file that came to it, if one has.
///
/// The accessors know the file even when it is no longer served. `Debug` has no URL.
#[derive(Clone)]
pub struct UploadRecord {
    pub(crate) id: String,
    pub(crate) content_type: String,
    pub(crate) asked_at: SystemTime,
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
    /// The id of the file.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The content type that the slot was asked for with.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// When the slot was asked for, by the sandbox's clock.
    pub fn asked_at(&self) -> SystemTime {
        self.asked_at
    }

    /// When the file came, by the sandbox's clock; the last time, where it came again.
    pub fn uploaded_at(&self) -> Option<SystemTime> {
        self.file.map(|file| file.stored_at)
    }

    /// How many bytes it has.
    pub fn length(&self) -> Option<u64> {
        self.file.map(|file| file.length)
    }

    /// Its SHA-256.
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

/// What became of a webhook delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryOutcome {
    /// The receiver answered 2xx.
    Accepted(StatusCode),
    /// The receiver answered something else; redirects are not followed.
    Refused(StatusCode),
    /// There was no answer; the text says why.
    Failed(String),
    /// Nothing was sent; the text says why.
    Skipped(String),
}

/// A webhook delivery: one change of status of one task, once. A fault may deliver one several times, under the same
/// [`id`](Self::id).
///
/// `Debug` shows neither the body nor the path and the query of the URL, since both may hold tokens.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) id: String,
    pub(crate) task_id: String,
    pub(crate) status: TaskStatus,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) outcome: DeliveryOutcome,
    pub(crate) faults: Vec<Arc<FaultRule>>,
}

impl Delivery {
    /// The `webhook-id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id of the task.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// The status that it told of.
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// The `webhook_url` of the request.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers it was sent with, signature included.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body it was sent with.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What became of it.
    pub fn outcome(&self) -> &DeliveryOutcome {
        &self.outcome
    }

    /// The faults that struck it.
    pub fn faults(&self) -> impl Iterator<Item = &FaultRule> {
        self.faults.iter().map(Arc::as_ref)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("task_id", &self.task_id)
            .field("status", &self.status)
            .field("url", &redact::origin(&self.url))
            .field("body", &redact::Length(self.body.len()))
            .field("outcome", &self.outcome)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// A list of records that forgets its oldest entries at its limit.
#[derive(Debug)]
pub(crate) struct Log<T> {
    limit: usize,
    entries: Mutex<Entries<T>>,
    total: watch::Sender<u64>,
}

#[derive(Debug)]
struct Entries<T> {
    forgotten: u64,
    kept: VecDeque<T>,
}

impl<T: Clone> Log<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: Mutex::new(Entries {
                forgotten: 0,
                kept: VecDeque::new(),
            }),
            total: watch::Sender::new(0),
        }
    }

    /// Adds an entry and answers its number, for [`update`](Self::update).
    pub(crate) fn push(&self, entry: T) -> u64 {
        let mut entries = self.lock();
        entries.kept.push_back(entry);
        let number = entries.forgotten + entries.kept.len() as u64 - 1;
        if entries.kept.len() > self.limit {
            entries.kept.pop_front();
            entries.forgotten += 1;
        }
        drop(entries);
        self.total.send_modify(|total| *total += 1);
        number
    }

    /// Changes an entry, unless it is forgotten already.
    pub(crate) fn update(&self, number: u64, change: impl FnOnce(&mut T)) {
        let mut entries = self.lock();
        let entry = number
            .checked_sub(entries.forgotten)
            .and_then(|index| usize::try_from(index).ok())
            .and_then(|index| entries.kept.get_mut(index));
        if let Some(entry) = entry {
            change(entry);
        }
    }

    /// The entries that are kept, oldest first.
    pub(crate) fn all(&self) -> Vec<T> {
        self.lock().kept.iter().cloned().collect()
    }

    /// Waits until `total` entries have been added, forgotten ones included.
    pub(crate) async fn reached(&self, total: u64) {
        let mut seen = self.total.subscribe();
        // The sender is borrowed for as long as this future lives, so that the wait cannot end in an error.
        let _ = seen.wait_for(|seen| *seen >= total).await;
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_forgets_its_oldest_entries() {
        let log = Log::new(2);
        let numbers: Vec<u64> = [10, 11, 12].map(|entry| log.push(entry)).to_vec();
        for number in &numbers {
            log.update(*number, |entry| *entry *= 2);
        }
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(log.all(), [22, 24]);
    }
}
