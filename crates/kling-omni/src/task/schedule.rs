use std::time::Duration;

/// When a waiting client asks how its task is doing.
///
/// The default begins slowly, since no video is ready within seconds, and then asks at growing intervals. Each interval
/// is varied by up to a tenth, so that many waits do not ask in step.
///
/// ```
/// use std::time::Duration;
/// use kling_omni::PollSchedule;
///
/// let every_ten_seconds = PollSchedule::fixed(Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PollSchedule {
    first: Duration,
    growth: f64,
    longest: Duration,
}

impl PollSchedule {
    /// The shortest interval between polls; shorter ones are lengthened to this.
    pub const SHORTEST: Duration = Duration::from_millis(100);

    /// The same interval throughout.
    pub fn fixed(interval: Duration) -> Self {
        Self::growing(interval, 1.0, interval)
    }

    /// Intervals that begin with `first` and become `growth` times longer after each poll, up to `longest`. A growth
    /// below 1 counts as 1.
    pub fn growing(first: Duration, growth: f64, longest: Duration) -> Self {
        let first = first.max(Self::SHORTEST);
        Self {
            first,
            growth: if growth.is_finite() {
                growth.max(1.0)
            } else {
                1.0
            },
            longest: longest.max(first),
        }
    }

    /// The interval before poll number `poll`, counted from 0; `jitter` between 0 and 1 says where in its range.
    pub(super) fn interval(&self, poll: u32, jitter: f64) -> Duration {
        let steps = i32::try_from(poll).unwrap_or(i32::MAX);
        let seconds = self.first.as_secs_f64() * self.growth.powi(steps);
        let seconds = seconds.min(self.longest.as_secs_f64());
        Duration::try_from_secs_f64(seconds * (0.9 + 0.2 * jitter))
            .unwrap_or(self.longest)
            .max(Self::SHORTEST)
    }
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self::growing(Duration::from_secs(3), 1.15, Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_and_stay_within_a_tenth() {
        let schedule = PollSchedule::growing(Duration::from_secs(2), 2.0, Duration::from_secs(10));
        for (poll, seconds) in [(0, 2.0), (1, 4.0), (2, 8.0), (3, 10.0), (u32::MAX, 10.0)] {
            for (jitter, factor) in [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)] {
                let interval = schedule.interval(poll, jitter).as_secs_f64();
                assert!(
                    (interval - seconds * factor).abs() < 1e-6,
                    "{poll} {jitter} {interval}"
                );
            }
        }
    }

    #[test]
    fn no_schedule_is_faster_than_the_shortest_interval_allows() {
        for schedule in [
            PollSchedule::fixed(Duration::ZERO),
            PollSchedule::growing(Duration::ZERO, f64::NAN, Duration::ZERO),
            PollSchedule::growing(Duration::MAX, f64::MAX, Duration::MAX),
        ] {
            for jitter in [0.0, 0.5, 1.0] {
                assert!(schedule.interval(7, jitter) >= PollSchedule::SHORTEST);
            }
        }
    }
}
