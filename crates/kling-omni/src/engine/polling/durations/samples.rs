//! The latest durations of tasks of one kind.

use std::collections::VecDeque;
use std::time::Duration;

/// The maximum number of durations.
pub(crate) const CAPACITY: usize = 128;
/// The number of newer samples after which a sample has half the weight: durations drift.
const HALF_LIFE: f64 = 32.0;

/// Longer durations are ignored.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// The latest durations of tasks, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    latest: VecDeque<f32>,
    total: usize,
}

/// Statistics of the logarithms of durations.
pub(crate) struct Stats {
    /// The effective number of samples, given their weights.
    pub(crate) count: f64,
    pub(crate) variance: f64,
}

impl Samples {
    /// Creates samples from durations in the order of their observation. Invalid ones are skipped.
    pub(crate) fn new(seconds: impl IntoIterator<Item = f32>) -> Self {
        let mut samples = Self::default();
        for seconds in seconds {
            if let Ok(duration) = Duration::try_from_secs_f32(seconds) {
                samples.add(duration);
            }
        }
        samples
    }

    pub(crate) fn add(&mut self, duration: Duration) {
        if duration.is_zero() || duration > MAX_DURATION {
            return;
        }
        if self.latest.len() == CAPACITY {
            self.latest.pop_front();
        }
        self.latest.push_back(duration.as_secs_f32());
        self.total += 1;
    }

    /// The number of samples ever added, including those that were evicted.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn len(&self) -> usize {
        self.latest.len()
    }

    pub(crate) fn seconds(&self) -> impl DoubleEndedIterator<Item = f32> {
        self.latest.iter().copied()
    }

    /// Each duration in seconds, with its weight.
    pub(crate) fn weighted(&self) -> impl Iterator<Item = (f64, f64)> {
        let decay = (-1.0 / HALF_LIFE).exp2();
        let weights = std::iter::successors(Some(1.0), move |weight| Some(weight * decay));
        let latest_first = self.latest.iter().rev();
        latest_first.map(|seconds| f64::from(*seconds)).zip(weights)
    }

    /// `None` without samples.
    pub(crate) fn stats(&self) -> Option<Stats> {
        let (mut total, mut squares, mut first, mut second) = (0.0, 0.0, 0.0, 0.0);
        for (seconds, weight) in self.weighted() {
            let log = seconds.ln();
            total += weight;
            squares += weight * weight;
            first += weight * log;
            second += weight * log * log;
        }
        if total == 0.0 {
            return None;
        }
        let mean = first / total;
        Some(Stats {
            count: total * total / squares,
            variance: (second / total - mean * mean).max(0.0),
        })
    }
}
