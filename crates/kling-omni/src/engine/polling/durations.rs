//! The duration model: how long tasks take, learned from those that have completed, and when to poll them.

pub(crate) mod histogram;
pub(crate) mod poll_plan;
pub(crate) mod samples;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::expected_video::ExpectedVideo;
use crate::engine::polling::durations::histogram::Histogram;
pub(crate) use crate::engine::polling::durations::poll_plan::{
    PollPlan, PollTarget, initial_phase,
};
use crate::engine::polling::durations::samples::Samples;

/// The maximum number of kinds.
const MAX_KINDS: usize = 256;
/// The maximum number of cached plans of one kind.
const MAX_PLANS: usize = 8;
/// An estimate is stale once the number of samples has grown by one in this many.
const STALE_PART: usize = 8;

/// A kind with this many samples hardly learns from others.
const ENOUGH_SAMPLES: usize = 8;

/// Plans use this part of the requested mean delay, because estimates are not exact.
const SAFETY_FACTOR: f64 = 0.93;

/// A kind of tasks with similar durations. The service defines what the number means, and its text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct TaskKind(pub(crate) u32);

/// The kind of a task that this client created, what was asked of its video, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskOrigin {
    pub(crate) kind: TaskKind,
    pub(crate) expected: ExpectedVideo,
    pub(crate) created: Instant,
}

/// How long tasks have taken, by kind: tier, length of the video, with or without a start image.
///
/// A client learns the durations from tasks that it has created and seen completed, and
/// [polls](crate::polling::PollSchedule::adaptive) accordingly. Keep them across processes as JSON: get them from
/// [`Client::task_durations`](crate::Client::task_durations) and pass them to
/// [`ClientBuilder::task_durations`](crate::ClientBuilder::task_durations). They contain only kinds and seconds: at most 256 kinds, and
/// the latest 128 durations of each.
///
/// ```
/// use kling_omni::polling::TaskDurations;
/// use kling_omni::{ApiKey, Client};
///
/// let known: TaskDurations = serde_json::from_str(r#"{"reference/pro/5/without-image": [81.2, 94.0, 88.7]}"#)?;
/// let client = Client::builder()
///     .api_key(ApiKey::new("FPSX-secret")?)
///     .task_durations(known)
///     .build()?;
/// let json = serde_json::to_string(&client.task_durations())?;
/// assert!(json.contains("88.7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TaskDurations {
    kinds: HashMap<TaskKind, Samples>,
}

impl TaskDurations {
    /// Whether there are no durations.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The number of durations, of all kinds together.
    pub fn len(&self) -> usize {
        self.kinds.values().map(Samples::len).sum()
    }

    /// The latest durations of all kinds, interleaved, because their order in time is not known.
    fn all(&self) -> Samples {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_cached_key(|(kind, _)| kind.to_string());
        let mut all = Vec::new();
        for index in (0..samples::CAPACITY).rev() {
            let latest = |samples: &Samples| samples.seconds().rev().nth(index);
            all.extend(kinds.iter().filter_map(|(_, samples)| latest(samples)));
        }
        Samples::new(all)
    }

    fn add(&mut self, kind: TaskKind, duration: Duration) {
        if self.kinds.len() < MAX_KINDS || self.kinds.contains_key(&kind) {
            self.kinds.entry(kind).or_default().add(duration);
        }
    }
}

impl fmt::Debug for TaskDurations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.iter();
        f.debug_map()
            .entries(kinds.map(|(kind, samples)| (kind.to_string(), samples.len())))
            .finish()
    }
}

impl Serialize for TaskDurations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Sorted, so a file of it differs only in what was learned.
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_cached_key(|(kind, _)| kind.to_string());
        let seconds = |samples: &Samples| samples.seconds().collect::<Vec<_>>();
        serializer.collect_map(
            kinds
                .into_iter()
                .map(|(kind, samples)| (kind, seconds(samples))),
        )
    }
}

impl<'de> Deserialize<'de> for TaskDurations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = HashMap::<TaskKind, Vec<f32>>::deserialize(deserializer)?;
        if read.len() > MAX_KINDS {
            return Err(D::Error::custom(format_args!(
                "too many kinds of tasks: {} (limit {MAX_KINDS})",
                read.len()
            )));
        }
        let kinds = read
            .into_iter()
            .map(|(kind, seconds)| (kind, Samples::new(seconds)))
            .collect();
        Ok(Self { kinds })
    }
}

/// The durations that a client has learned, and the plans derived from them.
pub(crate) struct DurationModel {
    times: TaskDurations,
    /// The latest durations of all kinds.
    all: Samples,
    estimates: HashMap<Option<TaskKind>, DurationEstimate>,
}

/// The expected durations of one kind, or of tasks whose kind and age are unknown.
struct DurationEstimate {
    /// The number of samples that it is based on.
    samples: usize,
    samples_of_all: usize,
    histogram: Histogram,
    median: Duration,
    plans: Vec<(PollTarget, Arc<PollPlan>)>,
}

impl DurationModel {
    pub(crate) fn new(times: TaskDurations) -> Self {
        Self {
            all: times.all(),
            times,
            estimates: HashMap::new(),
        }
    }

    pub(crate) fn times(&self) -> &TaskDurations {
        &self.times
    }

    /// Records the duration of a completed task.
    pub(crate) fn add(&mut self, kind: TaskKind, duration: Duration) {
        self.times.add(kind, duration);
        self.all.add(duration);
    }

    /// The median duration of this kind.
    pub(crate) fn median(&mut self, kind: Option<TaskKind>) -> Duration {
        self.estimate(kind).median
    }

    /// When to poll a task of this kind, by its age; without a kind, by the time since it was attached.
    pub(crate) fn plan(&mut self, kind: Option<TaskKind>, target: PollTarget) -> Arc<PollPlan> {
        let estimate = self.estimate(kind);
        let target = match estimate.samples {
            0 => target,
            _ => PollTarget {
                mean_delay: target.mean_delay * SAFETY_FACTOR,
                ..target
            },
        };
        if let Some((_, plan)) = estimate.plans.iter().find(|(other, _)| *other == target) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(PollPlan::new(&estimate.histogram, target));
        if estimate.plans.len() == MAX_PLANS {
            estimate.plans.remove(0);
        }
        estimate.plans.push((target, Arc::clone(&plan)));
        plan
    }

    fn estimate(&mut self, kind: Option<TaskKind>) -> &mut DurationEstimate {
        let Self {
            times,
            all,
            estimates,
        } = self;
        let own = kind.and_then(|kind| times.kinds.get(&kind));
        let make = || match kind {
            Some(_) => DurationEstimate::for_kind(own, all),
            None => DurationEstimate::for_unknown_age(all),
        };
        let estimate = estimates.entry(kind).or_insert_with(make);
        let samples = match kind {
            Some(_) => own.map_or(0, Samples::total),
            None => all.total(),
        };
        if estimate.is_stale(samples, all.total()) {
            *estimate = make();
        }
        estimate
    }
}

/// Whether there are enough new samples for a new estimate.
fn has_grown(before: usize, now: usize) -> bool {
    now >= before + (before.min(samples::CAPACITY) / STALE_PART).max(1)
}

impl DurationEstimate {
    /// Whether there are enough new samples: of the kind itself, or of all kinds while it has few of its own.
    fn is_stale(&self, samples: usize, of_all: usize) -> bool {
        has_grown(self.samples, samples)
            || self.samples < ENOUGH_SAMPLES && has_grown(self.samples_of_all, of_all)
    }

    fn for_kind(samples: Option<&Samples>, all: &Samples) -> Self {
        let prior = Histogram::learn_from_all(all, &Histogram::prior());
        let histogram = match samples {
            Some(samples) => Histogram::learn(samples, &prior),
            None => prior,
        };
        Self {
            samples: samples.map_or(0, Samples::total),
            samples_of_all: all.total(),
            median: seconds(histogram.median()),
            histogram,
            plans: Vec::new(),
        }
    }

    fn for_unknown_age(all: &Samples) -> Self {
        let histogram = Histogram::learn(all, &Histogram::prior());
        Self {
            samples: all.total(),
            samples_of_all: all.total(),
            median: seconds(histogram.median()),
            histogram: histogram.residual(),
            plans: Vec::new(),
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
