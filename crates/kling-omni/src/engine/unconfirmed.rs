//! What is known of a create whose end is not known.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::clock::{self, BootTime, Clock};
use crate::engine::operations::{CreateOperation, ListOperation};

/// A create that may have made a paid task: everything that is needed to find out, now or from another process.
///
/// [`Client::reconcile`](crate::Client::reconcile) looks for the task. Keep it as JSON until then; it holds no secret, and
/// neither prompt nor URLs.
///
/// ```
/// # fn example(error: kling_omni::Error) -> Result<(), Box<dyn std::error::Error>> {
/// if let Some(unresolved) = error.unconfirmed_create() {
///     std::fs::write("unresolved.json", serde_json::to_vec(unresolved)?)?;
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
    /// The same two moments by a clock that no step of the wall clock can move.
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
    over: Option<BootTime>,
    #[serde(rename = "route")]
    operation: &'static CreateOperation,
    #[serde(
        rename = "create_nonce",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    create: Option<CreateNonce>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(rename = "snapshot", default, skip_serializing_if = "Option::is_none")]
    known: Option<Box<Snapshot>>,
}

/// What tells a create from all others. It is nothing that the service knows of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CreateNonce(String);

impl CreateNonce {
    pub(crate) fn new() -> Self {
        Self(format!("{:016x}", fastrand::u64(..)))
    }
}

/// The tasks that were listed before a create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// The lists that were read.
    pub(crate) lists: Vec<&'static ListOperation>,
    /// Those of them that the service has shown. Records of older versions do not say, and then none is known to be.
    #[serde(rename = "existing_lists", default)]
    pub(crate) shown: Vec<&'static ListOperation>,
    #[serde(rename = "task_ids")]
    pub(crate) ids: BTreeSet<String>,
    #[serde(rename = "is_complete")]
    pub(crate) complete: bool,
}

impl UnconfirmedCreate {
    /// Of a create that is sent now, and of which no attempt goes on for longer than `longest`.
    pub(crate) fn new(
        operation: &'static CreateOperation,
        create: CreateNonce,
        clock: &dyn Clock,
        longest: Duration,
        correlation: Option<String>,
        known: Option<Snapshot>,
    ) -> Self {
        let (sent_at, sent) = (clock.system_time(), clock.boot_time());
        Self {
            sent_at,
            ended_at: sent_at.checked_add(longest).unwrap_or(sent_at),
            over: Some(sent.saturating_add(longest)),
            sent: Some(sent),
            operation,
            create: Some(create),
            request_id: None,
            candidates: Vec::new(),
            correlation,
            known: known.map(Box::new),
        }
    }

    /// After its last attempt.
    pub(crate) fn given_up(self, clock: &dyn Clock, request_id: Option<String>) -> Self {
        Self {
            request_id,
            ..self.over_now(clock)
        }
    }

    /// When it is known that no attempt goes on beyond now.
    pub(crate) fn over_now(self, clock: &dyn Clock) -> Self {
        Self {
            ended_at: clock.system_time(),
            over: Some(clock.boot_time()),
            ..self
        }
    }

    /// When its last attempt is over, by the clock of the running boot; `None` if it was recorded in another one.
    pub(crate) fn over_in(&self, now: &BootTime) -> Option<&BootTime> {
        self.over.as_ref().filter(|over| now.since(over).is_some())
    }

    /// When it was sent.
    pub(crate) fn sent(&self) -> Option<&BootTime> {
        self.sent.as_ref()
    }

    pub(crate) fn with_candidates(self, candidates: Vec<String>) -> Self {
        Self { candidates, ..self }
    }

    /// When its first attempt began, by the client's clock. JSON has it to the second.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// When its last attempt was over, by the client's wall clock; before that is known, the latest time at which it can
    /// be. [`Client::reconcile`](crate::Client::reconcile) measures by a monotonic clock instead.
    pub fn ended_at(&self) -> SystemTime {
        self.ended_at
    }

    /// The service's own id of the last attempt (`x-request-id`), if it answered at all. Its support may know more.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The tasks that the service's answer names, where it does not tell which of them is the new one, or whether there is
    /// a new one at all. At most 20 ids, as they came.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// The correlation token in the `webhook_url` of the request, if there was one: deliveries bring it back. The feature
    /// `webhook` makes and reads such tokens.
    pub fn correlation(&self) -> Option<&str> {
        self.correlation.as_deref()
    }

    /// The ids of the tasks that were listed before it was sent, if [`Create::with_list_snapshot`](crate::Create::with_list_snapshot)
    /// asked for them.
    pub fn known_ids(&self) -> Option<impl Iterator<Item = &str>> {
        let known = self.known.as_ref()?;
        Some(known.ids.iter().map(String::as_str))
    }

    pub(crate) fn known(&self) -> Option<&Snapshot> {
        self.known.as_deref()
    }

    /// The lists to read: the same ones as before the create, for comparison.
    pub(crate) fn lists(&self) -> &[&'static ListOperation] {
        match &self.known {
            Some(known) => &known.lists,
            None => self.operation.lists,
        }
    }

    pub(crate) fn create(&self) -> Option<&CreateNonce> {
        self.create.as_ref()
    }

    pub(crate) fn operation(&self) -> &'static CreateOperation {
        self.operation
    }
}

impl fmt::Display for UnconfirmedCreate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a create on {} at ", self.operation)?;
        match clock::shown(self.sent_at) {
            Some(time) => f.write_str(&time)?,
            None => f.write_str("an unknown time")?,
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        f.write_str(", which may have made a paid task")
    }
}

/// Times as text that people can read.
mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use crate::clock;

    pub(crate) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        let text =
            clock::shown(*time).ok_or_else(|| ser::Error::custom("a time beyond all calendars"))?;
        to.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(de::Error::custom)
    }
}
