//! How long tasks take, as a distribution that both the tasks and the best policy know.

use std::f64::consts::{SQRT_2, TAU};

use fastrand::Rng;

/// A mixture of log-normal distributions, each as likely as the others: their medians and spreads.
#[derive(Clone, Debug)]
pub struct Times(Vec<(f64, f64)>);

impl Times {
    pub fn log_normal(median: f64, spread: f64) -> Self {
        Self(vec![(median, spread)])
    }

    /// Medians evenly spread over a span on the logarithmic scale, with one spread.
    pub fn between(from: f64, to: f64, spread: f64) -> Self {
        const STEPS: u32 = 41;
        let median = |step| from * (to / from).powf(f64::from(step) / f64::from(STEPS - 1));
        Self((0..STEPS).map(|step| (median(step), spread)).collect())
    }

    pub fn either(parts: [Self; 2]) -> Self {
        Self(parts.into_iter().flat_map(|part| part.0).collect())
    }

    /// The time of one task, in seconds.
    pub fn draw(&self, random: &mut Rng) -> f64 {
        let (median, spread) = self.0[random.usize(..self.0.len())];
        // Two evenly distributed numbers make a normally distributed one, after Box and Muller.
        let distance = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
        let normal = distance * (TAU * random.f64()).cos();
        median * (spread * normal).exp()
    }

    /// The chance to have ended by `seconds`.
    pub fn ended(&self, seconds: f64) -> f64 {
        if seconds <= 0.0 {
            return 0.0;
        }
        let ended = |(median, spread): &(f64, f64)| {
            let off = (seconds / median).ln() / spread;
            0.5 * (1.0 + libm::erf(off / SQRT_2))
        };
        self.0.iter().map(ended).sum::<f64>() / self.0.len() as f64
    }

    /// The mean time.
    pub fn mean(&self) -> f64 {
        let mean = |(median, spread): &(f64, f64)| median * (spread * spread / 2.0).exp();
        self.0.iter().map(mean).sum::<f64>() / self.0.len() as f64
    }
}
