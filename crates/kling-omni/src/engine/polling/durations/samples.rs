use std::collections::VecDeque;
use std::time::Duration;

/// How many times are remembered.
pub(crate) const CAPACITY: usize = 128;
/// After so many newer ones, a time counts half as much: what tasks take drifts.
const HALF_LIFE: f64 = 32.0;

/// No task is believed to take longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The latest times that tasks have taken, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    latest: VecDeque<f32>,
    seen: usize,
}

/// What is known of the logarithms of the times.
pub(crate) struct Stats {
    /// How many equally important times they are worth.
    pub(crate) count: f64,
    pub(crate) variance: f64,
}

impl Samples {
    /// Times in the order in which they were seen; those that are none are left out.
    pub(crate) fn of(seconds: impl IntoIterator<Item = f32>) -> Self {
        let mut sample = Self::default();
        for seconds in seconds {
            if let Ok(time) = Duration::try_from_secs_f32(seconds) {
                sample.add(time);
            }
        }
        sample
    }

    pub(crate) fn add(&mut self, time: Duration) {
        if time.is_zero() || time > LONGEST {
            return;
        }
        if self.latest.len() == CAPACITY {
            self.latest.pop_front();
        }
        self.latest.push_back(time.as_secs_f32());
        self.seen += 1;
    }

    /// How many have been added, forgotten ones included.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    pub(crate) fn len(&self) -> usize {
        self.latest.len()
    }

    pub(crate) fn seconds(&self) -> impl DoubleEndedIterator<Item = f32> {
        self.latest.iter().copied()
    }

    /// Each time in seconds, with its weight.
    pub(crate) fn weighted(&self) -> impl Iterator<Item = (f64, f64)> {
        let fading = (-1.0 / HALF_LIFE).exp2();
        let weights = std::iter::successors(Some(1.0), move |weight| Some(weight * fading));
        let latest_first = self.latest.iter().rev();
        latest_first.map(|seconds| f64::from(*seconds)).zip(weights)
    }

    /// `None` while nothing was seen.
    pub(crate) fn moments(&self) -> Option<Stats> {
        let (mut whole, mut squares, mut first, mut second) = (0.0, 0.0, 0.0, 0.0);
        for (seconds, weight) in self.weighted() {
            let log = seconds.ln();
            whole += weight;
            squares += weight * weight;
            first += weight * log;
            second += weight * log * log;
        }
        if whole == 0.0 {
            return None;
        }
        let mean = first / whole;
        Some(Stats {
            count: whole * whole / squares,
            variance: (second / whole - mean * mean).max(0.0),
        })
    }
}
