//! An item on the page of a report.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kling_omni::spend::Spent;
use kling_omni::{Mode, Tier};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ledger::{ItemError, ItemEvent, Reopening};
use crate::state::ItemState;

/// An item on the page of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReportItem {
    /// The key.
    pub key: String,
    /// The state.
    pub state: ItemState,
    /// The mode.
    pub mode: Mode,
    /// The tier.
    pub tier: Tier,
    /// The length of the video in seconds, or its maximum; 0 if it is not known.
    pub seconds: u32,
    /// Whether the request sets the length.
    pub has_exact_length: bool,
    /// The prompt, or the shots, one on a line. Empty if it is not known.
    pub prompt: String,
    /// The number of attempts that were begun.
    pub attempts: u32,
    /// What its tasks have used, or may have.
    pub spent: Spent,
    /// The task of the latest attempt.
    pub task_id: Option<String>,
    /// The saved video: a file, or the URL of an object.
    pub video: Option<PathBuf>,
    /// The length of the video file, in bytes.
    pub bytes: Option<u64>,
    /// A picture that is shown until the video is played, such as `clip.jpg` beside `clip.mp4`.
    pub poster: Option<PathBuf>,
    /// The last error.
    pub error: Option<ItemError>,
    /// How the item can be put back, if it ended without a video.
    pub reopening: Option<Reopening>,
    /// Differences between the video and its request, one text for each.
    pub findings: Vec<String>,
    /// How long its steps took.
    pub times: ItemTimes,
}

/// How long the steps of an item took, in milliseconds. Those of the latest attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ItemTimes {
    /// From the import of the batch to the announcement of the create.
    pub waited_ms: Option<u64>,
    /// From the create to the end of the task, as a run noticed it.
    pub task_ms: Option<u64>,
    /// From the end of the task until the video was saved.
    pub save_ms: Option<u64>,
}

impl ReportItem {
    /// An item in a state, of which nothing else is known.
    pub fn new(key: impl Into<String>, state: ItemState, mode: Mode, tier: Tier) -> Self {
        Self {
            key: key.into(),
            state,
            mode,
            tier,
            seconds: 0,
            has_exact_length: false,
            prompt: String::new(),
            attempts: 0,
            spent: Spent::default(),
            task_id: None,
            video: None,
            bytes: None,
            poster: None,
            error: None,
            reopening: None,
            findings: Vec::new(),
            times: ItemTimes::default(),
        }
    }

    /// Sets the prompt from the fields of a request, `prompt` or the shots of `multi_prompt`, and whether they have a
    /// `duration`.
    ///
    /// ```
    /// use kling_omni::{Mode, Tier};
    /// use kling_omni_batch::ItemState;
    /// use kling_omni_batch::report::ReportItem;
    ///
    /// let item = ReportItem::new("cat", ItemState::Saved, Mode::Text, Tier::Pro);
    /// let item = item.with_fields(&serde_json::json!({"multi_prompt": ["A cat", "It sleeps"]}));
    /// assert_eq!(item.prompt, "A cat\nIt sleeps");
    /// ```
    #[must_use]
    pub fn with_fields(mut self, fields: &Value) -> Self {
        let prompt = fields["prompt"].as_str().map(str::to_owned);
        let shots = fields["multi_prompt"].as_array();
        let shots = shots.into_iter().flatten().filter_map(Value::as_str);
        self.has_exact_length = fields
            .get("duration")
            .is_some_and(|duration| !duration.is_null());
        self.prompt = prompt.unwrap_or_else(|| shots.collect::<Vec<_>>().join("\n"));
        self
    }
}

impl ItemTimes {
    /// Derives them from the history of an item whose batch was imported at this time.
    pub(crate) fn of(imported_at_ms: u64, events: &[ItemEvent]) -> Self {
        let sent = events
            .iter()
            .rposition(|event| event.state == ItemState::Sending);
        let Some(sent) = sent else {
            return Self::default();
        };
        let at = |states: &[ItemState]| {
            let mut rest = events[sent..].iter();
            let event = rest.find(|event| states.contains(&event.state))?;
            Some(event.at_ms)
        };
        let created = at(&[ItemState::Created]);
        let ended = at(&[ItemState::Ended, ItemState::Failed, ItemState::Expired]);
        let saved = at(&[ItemState::Saved]);
        let between = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        Self {
            waited_ms: between(Some(imported_at_ms), Some(events[sent].at_ms)),
            task_ms: between(created, ended.or(saved)),
            save_ms: between(ended, saved),
        }
    }
}

/// How many tasks of an item were paid for, or may have been.
pub(crate) fn paid_tasks(state: ItemState, attempts: u32, events: &[ItemEvent]) -> u64 {
    let with_task = events
        .iter()
        .filter(|event| event.detail.task_id.is_some())
        .filter_map(|event| event.detail.attempt);
    let mut paid: BTreeSet<_> = with_task.collect();
    if matches!(state, ItemState::Sending | ItemState::Unknown) {
        paid.insert(attempts);
    }
    paid.len() as u64
}
