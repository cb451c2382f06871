//! Records of webhook deliveries.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use kling_omni_api::enums::TaskStatus;

use super::Entry;
use crate::fault::FaultRule;
use crate::redact;

/// The outcome of a webhook delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryOutcome {
    /// The receiver responded with 2xx.
    Accepted(StatusCode),
    /// The receiver responded with another status. Redirects are not followed.
    Rejected(StatusCode),
    /// No response arrived, for this reason.
    Failed(String),
    /// The delivery was not sent, for this reason.
    Skipped(String),
}

/// A webhook delivery of one status change of one task. A fault may send it several times, with the same
/// [`id`](Self::id).
///
/// `Debug` shows neither the body nor the path and query of the URL, which may contain tokens.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) task_id: String,
    pub(crate) status: TaskStatus,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) outcome: DeliveryOutcome,
    pub(crate) sent_at: SystemTime,
    pub(crate) ended_at: SystemTime,
    pub(crate) is_forged: bool,
    pub(crate) faults: Vec<Arc<FaultRule>>,
}

impl Entry for Delivery {
    fn body_bytes(&self) -> usize {
        self.body.len()
    }
}

impl Delivery {
    /// Returns the number of the delivery, in the order of the outcomes, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the `webhook-id`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the id of the task.
    pub fn task_id(&self) -> &str {
        &self.task_id
    }

    /// Returns the status in the delivery.
    pub fn status(&self) -> &TaskStatus {
        &self.status
    }

    /// Returns the `webhook_url` of the request.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the headers, with the signature.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns when the delivery was sent, or skipped, by the sandbox's clock.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// Returns when the outcome was known, by the sandbox's clock.
    pub fn ended_at(&self) -> SystemTime {
        self.ended_at
    }

    /// Returns the outcome.
    pub fn outcome(&self) -> &DeliveryOutcome {
        &self.outcome
    }

    /// Returns the faults that were applied.
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
