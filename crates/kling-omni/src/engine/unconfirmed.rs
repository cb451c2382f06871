//! A create with an unknown outcome.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::clock::{self, BootTime, Clock};
use crate::engine::operations::{CreateOperation, ListOperation};

/// A create that may have created a paid task: everything that is needed to recover its task, now or in another process.
///
/// [`Client::reconcile`](crate::Client::reconcile) searches for the task. Keep the value as JSON until then. It contains no
/// secrets, no prompt and no URLs.
///
/// ```
/// # fn example(error: kling_omni::Error) -> Result<(), Box<dyn std::error::Error>> {
/// if let Some(unconfirmed) = error.unconfirmed_create() {
///     std::fs::write("unconfirmed.json", serde_json::to_vec(unconfirmed)?)?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedCreate {
    #[serde(with = "rfc3339")]
    sent_at: SystemTime,
    #[serde(with = "rfc3339")]
    ended_at: SystemTime,
    /// The same two times, by a monotonic clock.
    #[serde(
        rename = "sent_monotonic",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    sent: Option<BootTime>,
    #[serde(
        rename = "ended_monotonic",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    ended: Option<BootTime>,
    #[serde(rename = "route")]
    operation: &'static CreateOperation,
    #[serde(
        rename = "create_nonce",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    nonce: Option<CreateNonce>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<Box<Snapshot>>,
    #[serde(
        rename = "known_tasks",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    known_mark: Option<Box<KnownMark>>,
}

/// A random id of a create within this SDK. The service does not see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CreateNonce(String);

impl CreateNonce {
    pub(crate) fn new() -> Self {
        Self(format!("{:016x}", fastrand::u64(..)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The tasks that the lists had before a create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The lists that were read.
    pub(crate) lists: Vec<&'static ListOperation>,
    /// The lists that existed. Records of older versions do not have this field, and then no list is known to exist.
    #[serde(rename = "existing_lists", default)]
    pub(crate) existing: Vec<&'static ListOperation>,
    #[serde(rename = "task_ids")]
    pub(crate) ids: BTreeSet<String>,
    pub(crate) is_complete: bool,
}

/// The position of a create in a set of known tasks: none of the tasks before it is the one of the create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownMark {
    /// The id of the set.
    pub(crate) set: String,
    /// The number of entries before the create.
    pub(crate) entries: usize,
    /// A hash of these entries.
    pub(crate) digest: String,
    /// The lists that may have the task.
    pub(crate) lists: Vec<&'static ListOperation>,
    /// The lists that existed.
    #[serde(rename = "existing_lists")]
    pub(crate) existing: Vec<&'static ListOperation>,
    /// Whether the set had all tasks of the lists.
    pub(crate) is_complete: bool,
}

impl UnconfirmedCreate {
    /// Records a create that is sent now, and whose attempts take at most `max_duration`.
    pub(crate) fn new(
        operation: &'static CreateOperation,
        nonce: CreateNonce,
        clock: &dyn Clock,
        max_duration: Duration,
        correlation: Option<String>,
        snapshot: Option<Snapshot>,
    ) -> Self {
        let (sent_at, sent) = (clock.system_time(), clock.boot_time());
        Self {
            sent_at,
            ended_at: sent_at.checked_add(max_duration).unwrap_or(sent_at),
            ended: Some(sent.saturating_add(max_duration)),
            sent: Some(sent),
            operation,
            nonce: Some(nonce),
            request_id: None,
            candidates: Vec::new(),
            correlation,
            snapshot: snapshot.map(Box::new),
            known_mark: None,
        }
    }

    pub(crate) fn with_known_mark(self, mark: KnownMark) -> Self {
        Self {
            known_mark: Some(Box::new(mark)),
            ..self
        }
    }

    /// Records that the last attempt has ended.
    pub(crate) fn given_up(self, clock: &dyn Clock, request_id: Option<String>) -> Self {
        Self {
            request_id,
            ..self.ended_now(clock)
        }
    }

    /// Records that its sender has ended, so no attempt continues beyond now. An end that has passed already stays.
    pub(crate) fn sender_ended_now(self, clock: &dyn Clock) -> Self {
        let now = clock.boot_time();
        let ended = self.ended.as_ref().and_then(|ended| now.since(ended));
        match ended {
            Some(passed) if !passed.is_zero() => self,
            _ => self.ended_now(clock),
        }
    }

    /// Records that no attempt continues beyond now.
    pub(crate) fn ended_now(self, clock: &dyn Clock) -> Self {
        Self {
            ended_at: clock.system_time(),
            ended: Some(clock.boot_time()),
            ..self
        }
    }

    /// The same create by the clock of another boot: it may still be running, and ends within the time that was announced
    /// when it was sent.
    pub(crate) fn ends_within_its_limit(self, clock: &dyn Clock) -> Self {
        let limit = self
            .ended_at
            .duration_since(self.sent_at)
            .unwrap_or_default();
        let (now, boot_time) = (clock.system_time(), clock.boot_time());
        Self {
            ended_at: now.checked_add(limit).unwrap_or(now),
            ended: Some(boot_time.saturating_add(limit)),
            ..self
        }
    }

    /// When the last attempt ended, by the monotonic clock of the running boot; `None` if it was recorded in another boot.
    pub(crate) fn ended_in_boot_of(&self, now: &BootTime) -> Option<&BootTime> {
        self.ended
            .as_ref()
            .filter(|ended| now.since(ended).is_some())
    }

    /// When the create was sent, by the monotonic clock.
    pub(crate) fn sent(&self) -> Option<&BootTime> {
        self.sent.as_ref()
    }

    pub(crate) fn with_candidates(self, candidates: Vec<String>) -> Self {
        Self { candidates, ..self }
    }

    /// When the first attempt began, by the client's wall clock. JSON has it in whole seconds.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// When the last attempt ended, by the client's wall clock. Until that is known, the latest possible time.
    /// [`Client::reconcile`](crate::Client::reconcile) uses a monotonic clock instead.
    pub fn ended_at(&self) -> SystemTime {
        self.ended_at
    }

    /// The service's id of the last attempt (`x-request-id`), if it responded. Quote it to the service's support.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The tasks that the response names, if it does not say which of them is new, or whether one is. At most 20 ids,
    /// unchanged.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// The correlation token in the `webhook_url` of the request, if it has one. Deliveries carry it back. The feature
    /// `webhook` creates and parses such tokens.
    pub fn correlation(&self) -> Option<&str> {
        self.correlation.as_deref()
    }

    /// The ids of the tasks that were listed before the create, if
    /// [`Create::with_list_snapshot`](crate::Create::with_list_snapshot) was set.
    pub fn known_ids(&self) -> Option<impl Iterator<Item = &str>> {
        let snapshot = self.snapshot.as_ref()?;
        Some(snapshot.ids.iter().map(String::as_str))
    }

    /// The number of entries that the set of [known tasks](crate::recovery::KnownTasks) had before the create, if
    /// [`Create::with_known_tasks`](crate::Create::with_known_tasks) was set.
    pub fn known_tasks_mark(&self) -> Option<usize> {
        Some(self.known_mark.as_ref()?.entries)
    }

    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_deref()
    }

    pub(crate) fn mark(&self) -> Option<&KnownMark> {
        self.known_mark.as_deref()
    }

    /// The lists to read: those that were read before the create, for comparison.
    pub(crate) fn lists(&self) -> &[&'static ListOperation] {
        match (&self.snapshot, &self.known_mark) {
            (Some(snapshot), _) => &snapshot.lists,
            (None, Some(mark)) => &mark.lists,
            (None, None) => self.operation.lists,
        }
    }

    pub(crate) fn nonce(&self) -> Option<&CreateNonce> {
        self.nonce.as_ref()
    }

    pub(crate) fn operation(&self) -> &'static CreateOperation {
        self.operation
    }
}

impl fmt::Display for UnconfirmedCreate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "create on {} at ", self.operation)?;
        match clock::shown(self.sent_at) {
            Some(time) => f.write_str(&time)?,
            None => f.write_str("an unknown time")?,
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        f.write_str(", outcome unknown")
    }
}

/// Serialises times as RFC 3339.
mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use crate::clock;

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        let text =
            clock::shown(*time).ok_or_else(|| ser::Error::custom("the time is out of range"))?;
        to.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(de::Error::custom)
    }
}
