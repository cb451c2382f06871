use crate::engine::polling::durations::samples::Samples;

/// The span from the shortest to the longest time that is told apart, in seconds, on a logarithmic scale.
const SHORTEST: f64 = 1.0;
const BINS: usize = 256;
/// Width of a bin, in logarithms of seconds: the last one ends after about two hours.
const STEP: f64 = 0.035;

/// How far off a kernel reaches, in bandwidths.
const REACH: f64 = 4.0;

/// What is taken to be the spread of one kind's times while few are known, and how many times that counts as.
const SPREAD: f64 = 0.3;
const SPREAD_WEIGHT: f64 = 3.0;
/// How much kinds are taken to differ from each other.
const SPREAD_OF_KINDS: f64 = 0.25;
/// No kernel is narrower, since times are known as exactly as polls are close.
const LEAST_BANDWIDTH: f64 = 0.03;
/// How many times of its own a kind needs until they count as much as what was believed before.
const WORTH_OF_BELIEF: f64 = 1.0;

/// What is believed before any time is known. Half a minute to two minutes are usual, and over seven minutes have been
/// seen.
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

/// This share of all tasks has times that are log-normally distributed.
struct Prior {
    share: f64,
    /// In seconds.
    median: f64,
    /// In logarithms of seconds.
    spread: f64,
}

/// How likely a task is to end when, as probabilities of spans that grow with the time.
#[derive(Clone, Debug)]
pub(crate) struct Histogram([f64; BINS]);

/// The end of bin number `bin`, and so the beginning of the next one, in seconds.
pub(crate) fn end_of(bin: usize) -> f64 {
    SHORTEST * ((bin + 1) as f64 * STEP).exp()
}

/// The place of a time on the scale, in bins.
fn place(seconds: f64) -> f64 {
    ((seconds / SHORTEST).ln() / STEP).clamp(0.0, BINS as f64 - 1e-9)
}

impl Histogram {
    /// What is believed before any task was seen.
    pub(crate) fn prior() -> Self {
        let mut bins = [0.0; BINS];
        for belief in PRIOR {
            let middle = place(belief.median);
            for (bin, mass) in bins.iter_mut().enumerate() {
                let off = (bin as f64 + 0.5 - middle) * STEP / belief.spread;
                *mass += belief.share / belief.spread * (-0.5 * off * off).exp();
            }
        }
        Self(bins).normalised()
    }

    /// What to believe of a kind of which `sample` was seen, and `before` was believed.
    pub(crate) fn learnt(sample: &Samples, before: &Self) -> Self {
        before.with(sample, 0.0)
    }

    /// What to believe of a kind of which nothing was seen, from a sample of all kinds.
    pub(crate) fn of_another_kind(sample: &Samples, before: &Self) -> Self {
        before.with(sample, SPREAD_OF_KINDS)
    }

    fn with(&self, sample: &Samples, blur: f64) -> Self {
        let Some(moments) = sample.moments() else {
            return self.clone();
        };
        let count = moments.count;
        let variance =
            (SPREAD_WEIGHT * SPREAD * SPREAD + count * moments.variance) / (SPREAD_WEIGHT + count);
        // Silverman's rule, which is a little too wide for a normal distribution and suits several peaks.
        let bandwidth = (0.9 * variance.sqrt() * count.powf(-0.2)).max(LEAST_BANDWIDTH);
        let mut raw = [0.0; BINS];
        for (seconds, weight) in sample.weighted() {
            let place = place(seconds);
            raw[place as usize] += weight;
        }
        let seen = Self(raw).blurred(bandwidth.hypot(blur)).normalised();
        let share = count / (count + WORTH_OF_BELIEF);
        let mut mixed = self.clone();
        for (mass, seen) in mixed.0.iter_mut().zip(seen.0) {
            *mass = share * seen + (1.0 - share) * *mass;
        }
        mixed
    }

    fn blurred(&self, bandwidth: f64) -> Self {
        let width = bandwidth / STEP;
        let reach = ((REACH * width) as usize).max(1);
        let kernel: Vec<f64> = (0..=reach)
            .map(|off| (-0.5 * (off as f64 / width).powi(2)).exp())
            .collect();
        let mut blurred = [0.0; BINS];
        for (bin, mass) in self.0.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            let span = bin.saturating_sub(reach)..(bin + reach + 1).min(BINS);
            for (to, into) in blurred[span.clone()]
                .iter_mut()
                .zip(span)
                .map(|(into, to)| (to, into))
            {
                *into += mass * kernel[to.abs_diff(bin)];
            }
        }
        Self(blurred)
    }

    fn normalised(mut self) -> Self {
        let whole: f64 = self.0.iter().sum();
        if whole > 0.0 {
            for mass in &mut self.0 {
                *mass /= whole;
            }
        }
        self
    }

    /// The probability of each span, and the span in seconds.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        let mut from = 0.0;
        self.0.iter().enumerate().map(move |(bin, mass)| {
            let span = (from, end_of(bin), *mass);
            from = span.1;
            span
        })
    }

    /// How long a task that is met at some moment of its life has still to go.
    pub(crate) fn residual(&self) -> Self {
        // The chance to be met grows with the life, and what is left of it is anything up to the whole.
        let mut alive = 1.0;
        let mut residual = [0.0; BINS];
        for ((from, to, mass), into) in self.spans().zip(&mut residual) {
            *into = (alive - mass / 2.0) * (to - from);
            alive -= mass;
        }
        Self(residual.map(|mass| mass.max(0.0))).normalised()
    }

    /// The time that half of the tasks take at most, in seconds.
    pub(crate) fn median(&self) -> f64 {
        let mut below = 0.0;
        for (from, to, mass) in self.spans() {
            if below + mass >= 0.5 && mass > 0.0 {
                return from + (to - from) * (0.5 - below) / mass;
            }
            below += mass;
        }
        end_of(BINS - 1)
    }
}
