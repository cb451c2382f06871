//! What tasks take, learnt from those that have ended, and when it is worth to look at one.

pub(crate) mod histogram;
pub(crate) mod kind;
pub(crate) mod poll_plan;
pub(crate) mod samples;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::polling::durations::histogram::Histogram;
pub(crate) use crate::engine::polling::durations::kind::TaskKind;
pub(crate) use crate::engine::polling::durations::poll_plan::{Plan, PollTarget};
use crate::engine::polling::durations::samples::Samples;

/// How many kinds are told apart.
const MOST_KINDS: usize = 256;
/// How many aims of one kind are remembered with their plans.
const MOST_PLANS: usize = 8;
/// Plans are made anew once there are so many new times for each one before.
const WORTH_A_NEW_PLAN: usize = 8;

/// A kind that was seen so often hardly learns from others.
const WELL_KNOWN: usize = 8;

/// What a plan aims at, as a part of the mean delay that is asked for: what was learnt is never quite the truth.
const SAFETY_FACTOR: f64 = 0.93;

/// The part of a poll after which a task is looked at first, for a number from 0 to 1.
pub(crate) fn initial_phase(random: f64) -> f64 {
    poll_plan::FIRST.0 + random * (poll_plan::FIRST.1 - poll_plan::FIRST.0)
}

/// How long tasks have taken, by kind: tier, length of the video, with or without an image to start from.
///
/// A client learns it from the tasks that it has created and seen completed, and [polls](crate::polling::PollSchedule::adaptive)
/// accordingly. Keep it across processes as JSON, so that the next one does not begin anew: take it with
/// [`Client::task_times`](crate::Client::task_times) and give it to
/// [`ClientBuilder::task_times`](crate::ClientBuilder::task_times). It holds nothing but kinds and seconds: at most 256
/// kinds, and the latest 128 times of each.
///
/// ```
/// use kling_omni::polling::TaskTimes;
/// use kling_omni::{ApiKey, Client};
///
/// let known: TaskTimes = serde_json::from_str(r#"{"reference/pro/5/without-image": [81.2, 94.0, 88.7]}"#)?;
/// let client = Client::builder()
///     .api_key(ApiKey::new("FPSX-secret")?)
///     .task_times(known)
///     .build()?;
/// let json = serde_json::to_string(&client.task_times())?;
/// assert!(json.contains("88.7"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct TaskTimes {
    kinds: HashMap<TaskKind, Samples>,
}

impl TaskTimes {
    /// Whether nothing has been learnt.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// How many times are remembered, of all kinds together.
    pub fn len(&self) -> usize {
        self.kinds.values().map(Samples::len).sum()
    }

    /// The latest times of all kinds, by turns, since nobody knows which came first.
    fn all(&self) -> Samples {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_cached_key(|(kind, _)| kind.to_string());
        let mut all = Vec::new();
        for place in (0..samples::CAPACITY).rev() {
            let latest = |sample: &Samples| sample.seconds().rev().nth(place);
            all.extend(kinds.iter().filter_map(|(_, sample)| latest(sample)));
        }
        Samples::of(all)
    }

    fn add(&mut self, kind: TaskKind, time: Duration) {
        if self.kinds.len() < MOST_KINDS || self.kinds.contains_key(&kind) {
            self.kinds.entry(kind).or_default().add(time);
        }
    }
}

impl fmt::Debug for TaskTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.iter();
        f.debug_map()
            .entries(kinds.map(|(kind, sample)| (kind.to_string(), sample.len())))
            .finish()
    }
}

impl Serialize for TaskTimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In order, so that a file of it differs only where something was learnt.
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_cached_key(|(kind, _)| kind.to_string());
        let seconds = |sample: &Samples| sample.seconds().collect::<Vec<_>>();
        serializer.collect_map(
            kinds
                .into_iter()
                .map(|(kind, sample)| (kind, seconds(sample))),
        )
    }
}

impl<'de> Deserialize<'de> for TaskTimes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = HashMap::<TaskKind, Vec<f32>>::deserialize(deserializer)?;
        if read.len() > MOST_KINDS {
            return Err(D::Error::custom(format_args!(
                "there are {} kinds of tasks, at most {MOST_KINDS} are told apart",
                read.len()
            )));
        }
        let kinds = read
            .into_iter()
            .map(|(kind, seconds)| (kind, Samples::of(seconds)))
            .collect();
        Ok(Self { kinds })
    }
}

/// What a client has learnt, and the plans that follow from it.
pub(crate) struct DurationModel {
    times: TaskTimes,
    /// The latest times of all kinds.
    all: Samples,
    outlooks: HashMap<Option<TaskKind>, Outlook>,
}

/// What is expected of a kind, or of tasks of which neither kind nor age is known.
struct Outlook {
    /// How many times it follows from.
    seen: usize,
    seen_of_all: usize,
    density: Histogram,
    median: Duration,
    plans: Vec<(PollTarget, Arc<Plan>)>,
}

impl DurationModel {
    pub(crate) fn new(times: TaskTimes) -> Self {
        Self {
            all: times.all(),
            times,
            outlooks: HashMap::new(),
        }
    }

    pub(crate) fn times(&self) -> &TaskTimes {
        &self.times
    }

    /// A task of this kind was seen completed after this time.
    pub(crate) fn add(&mut self, kind: TaskKind, time: Duration) {
        self.times.add(kind, time);
        self.all.add(time);
    }

    /// The time that half of the tasks of this kind take at most, as far as is known.
    pub(crate) fn median(&mut self, kind: Option<TaskKind>) -> Duration {
        self.outlook(kind).median
    }

    /// When to look at a task of this kind since its creation; without a kind, since it was taken up.
    pub(crate) fn plan(&mut self, kind: Option<TaskKind>, aim: PollTarget) -> Arc<Plan> {
        let outlook = self.outlook(kind);
        let aim = match outlook.seen {
            0 => aim,
            _ => PollTarget {
                mean_delay: aim.mean_delay * SAFETY_FACTOR,
                ..aim
            },
        };
        if let Some((_, plan)) = outlook.plans.iter().find(|(other, _)| *other == aim) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan::new(&outlook.density, aim));
        if outlook.plans.len() == MOST_PLANS {
            outlook.plans.remove(0);
        }
        outlook.plans.push((aim, Arc::clone(&plan)));
        plan
    }

    fn outlook(&mut self, kind: Option<TaskKind>) -> &mut Outlook {
        let Self {
            times,
            all,
            outlooks,
        } = self;
        let own = kind.and_then(|kind| times.kinds.get(&kind));
        let make = || match kind {
            Some(_) => Outlook::of_kind(own, all),
            None => Outlook::of_any(all),
        };
        let outlook = outlooks.entry(kind).or_insert_with(make);
        let seen = match kind {
            Some(_) => own.map_or(0, Samples::seen),
            None => all.seen(),
        };
        if outlook.is_old(seen, all.seen()) {
            *outlook = make();
        }
        outlook
    }
}

/// Whether so many more have been seen that it is worth to reckon anew.
fn is_worth_it(before: usize, now: usize) -> bool {
    now >= before + (before.min(samples::CAPACITY) / WORTH_A_NEW_PLAN).max(1)
}

impl Outlook {
    /// Whether much has been seen since: of the kind itself, or of all while the kind is hardly known.
    fn is_old(&self, seen: usize, of_all: usize) -> bool {
        is_worth_it(self.seen, seen)
            || self.seen < WELL_KNOWN && is_worth_it(self.seen_of_all, of_all)
    }

    fn of_kind(sample: Option<&Samples>, all: &Samples) -> Self {
        let before = Histogram::of_another_kind(all, &Histogram::prior());
        let density = match sample {
            Some(sample) => Histogram::learnt(sample, &before),
            None => before,
        };
        Self {
            seen: sample.map_or(0, Samples::seen),
            seen_of_all: all.seen(),
            median: seconds(density.median()),
            density,
            plans: Vec::new(),
        }
    }

    fn of_any(all: &Samples) -> Self {
        let density = Histogram::learnt(all, &Histogram::prior());
        Self {
            seen: all.seen(),
            seen_of_all: all.seen(),
            median: seconds(density.median()),
            density: density.residual(),
            plans: Vec::new(),
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
