//! The distribution of durations, learned by kernel density estimation from a prior and samples.

use crate::engine::polling::durations::samples::Samples;

/// The lower bound of the scale, in seconds.
const MIN_SECONDS: f64 = 1.0;
const BINS: usize = 256;
/// The width of a bin in logarithms of seconds: the last one ends after about two hours.
const BIN_WIDTH: f64 = 0.035;

/// The reach of a kernel, in bandwidths.
const KERNEL_REACH: f64 = 4.0;

/// The assumed spread of the durations of one kind while few are known, and how many samples that counts as.
const SPREAD: f64 = 0.3;
const SPREAD_WEIGHT: f64 = 3.0;
/// The assumed spread between kinds.
const SPREAD_BETWEEN_KINDS: f64 = 0.25;
/// The minimum bandwidth of a kernel, because polls limit the precision of a duration.
const MIN_BANDWIDTH: f64 = 0.03;
/// How many samples the prior counts as.
const PRIOR_WEIGHT: f64 = 1.0;

/// The prior before any duration is known. Half a minute to two minutes are usual, and more than seven minutes have been
/// observed.
const PRIOR: [Prior; 2] = [
    Prior {
        share: 0.96,
        median: 105.0,
        spread: 0.5,
    },
    Prior {
        share: 0.04,
        median: 250.0,
        spread: 0.7,
    },
];

/// A share of all tasks, with log-normal durations.
struct Prior {
    share: f64,
    /// In seconds.
    median: f64,
    /// In logarithms of seconds.
    spread: f64,
}

/// The distribution of durations: the probability of each bin, on a logarithmic scale.
#[derive(Clone, Debug)]
pub(crate) struct Histogram([f64; BINS]);

/// The upper bound of a bin, in seconds.
pub(crate) fn bin_end(bin: usize) -> f64 {
    MIN_SECONDS * ((bin + 1) as f64 * BIN_WIDTH).exp()
}

/// The position of a duration on the scale, in bins.
fn position(seconds: f64) -> f64 {
    ((seconds / MIN_SECONDS).ln() / BIN_WIDTH).clamp(0.0, BINS as f64 - 1e-9)
}

impl Histogram {
    /// The prior before any sample.
    pub(crate) fn prior() -> Self {
        let mut bins = [0.0; BINS];
        for prior in PRIOR {
            let center = position(prior.median);
            for (bin, mass) in bins.iter_mut().enumerate() {
                let offset = (bin as f64 + 0.5 - center) * BIN_WIDTH / prior.spread;
                *mass += prior.share / prior.spread * (-0.5 * offset * offset).exp();
            }
        }
        Self(bins).normalized()
    }

    /// Updates `prior` with the samples of the same kind.
    pub(crate) fn learn(samples: &Samples, prior: &Self) -> Self {
        prior.with(samples, 0.0)
    }

    /// Updates `prior` with the samples of all kinds, for a kind that has none.
    pub(crate) fn learn_from_all(samples: &Samples, prior: &Self) -> Self {
        prior.with(samples, SPREAD_BETWEEN_KINDS)
    }

    fn with(&self, samples: &Samples, extra_bandwidth: f64) -> Self {
        let Some(stats) = samples.stats() else {
            return self.clone();
        };
        let count = stats.count;
        let variance =
            (SPREAD_WEIGHT * SPREAD * SPREAD + count * stats.variance) / (SPREAD_WEIGHT + count);
        // Silverman's rule: a little too wide for a normal distribution, and suitable for several peaks.
        let bandwidth = (0.9 * variance.sqrt() * count.powf(-0.2)).max(MIN_BANDWIDTH);
        let mut raw = [0.0; BINS];
        for (seconds, weight) in samples.weighted() {
            let position = position(seconds);
            raw[position as usize] += weight;
        }
        let observed = Self(raw)
            .smoothed(bandwidth.hypot(extra_bandwidth))
            .normalized();
        let share = count / (count + PRIOR_WEIGHT);
        let mut mixed = self.clone();
        for (mass, observed) in mixed.0.iter_mut().zip(observed.0) {
            *mass = share * observed + (1.0 - share) * *mass;
        }
        mixed
    }

    fn smoothed(&self, bandwidth: f64) -> Self {
        let width = bandwidth / BIN_WIDTH;
        let reach = ((KERNEL_REACH * width) as usize).max(1);
        let kernel: Vec<f64> = (0..=reach)
            .map(|offset| (-0.5 * (offset as f64 / width).powi(2)).exp())
            .collect();
        let mut smoothed = [0.0; BINS];
        for (bin, mass) in self.0.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            let span = bin.saturating_sub(reach)..(bin + reach + 1).min(BINS);
            for (to, into) in smoothed[span.clone()]
                .iter_mut()
                .zip(span)
                .map(|(into, to)| (to, into))
            {
                *into += mass * kernel[to.abs_diff(bin)];
            }
        }
        Self(smoothed)
    }

    fn normalized(mut self) -> Self {
        let total: f64 = self.0.iter().sum();
        if total > 0.0 {
            for mass in &mut self.0 {
                *mass /= total;
            }
        }
        self
    }

    /// The bounds of each bin in seconds, and its probability.
    pub(crate) fn bins(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let mut from = 0.0;
        self.0.iter().enumerate().map(move |(bin, mass)| {
            let bounds = (from, bin_end(bin), *mass);
            from = bounds.1;
            bounds
        })
    }

    /// The distribution of the remaining duration of a task of unknown age.
    pub(crate) fn residual(&self) -> Self {
        // A random moment falls into long tasks more often, and into each age of them with the same probability.
        let mut in_progress = 1.0;
        let mut residual = [0.0; BINS];
        for ((from, to, mass), into) in self.bins().zip(&mut residual) {
            *into = (in_progress - mass / 2.0) * (to - from);
            in_progress -= mass;
        }
        Self(residual.map(|mass| mass.max(0.0))).normalized()
    }

    /// The median duration, in seconds.
    pub(crate) fn median(&self) -> f64 {
        let mut below = 0.0;
        for (from, to, mass) in self.bins() {
            if below + mass >= 0.5 && mass > 0.0 {
                return from + (to - from) * (0.5 - below) / mass;
            }
            below += mass;
        }
        bin_end(BINS - 1)
    }
}
