//! The durations of frames.

use crate::rate::{FrameRate, Rate};

/// The summed durations of the frames of a track, in ticks of its timescale.
#[derive(Clone, Debug, Default)]
pub(super) struct Timing {
    pub(super) frames: u64,
    /// Durations may be negative, as a correction of earlier ones.
    ticks: i128,
    /// The shortest and the longest of all frames but the last.
    range: Option<(i64, i64)>,
    last: Option<i64>,
}

/// Rates that low timescales can only approximate.
const COMMON_RATES: [(u64, u64); 16] = [
    (24, 1),
    (25, 1),
    (30, 1),
    (50, 1),
    (60, 1),
    (24_000, 1001),
    (30_000, 1001),
    (60_000, 1001),
    (48, 1),
    (100, 1),
    (120, 1),
    (240, 1),
    (48_000, 1001),
    (120_000, 1001),
    (15, 1),
    (12, 1),
];

/// In frames of at least this number of ticks, a difference of one tick is rounding.
const MIN_ROUNDED_TICKS: i64 = 8;

impl Timing {
    /// Frames in runs of the same duration.
    pub(super) fn from_runs(runs: impl Iterator<Item = (u32, i64)>) -> Self {
        let mut all = Self::default();
        for (count, length) in runs {
            all.push(count, length);
        }
        all
    }

    /// Adds a number of frames of the same duration.
    pub(super) fn push(&mut self, count: u32, length: i64) {
        if count == 0 {
            return;
        }
        self.frames = self.frames.saturating_add(count.into());
        let ticks = i128::from(count) * i128::from(length);
        self.ticks = self.ticks.saturating_add(ticks);
        if let Some(last) = self.last.replace(length) {
            self.extend_range(last);
        }
        if count > 1 {
            self.extend_range(length);
        }
    }

    /// The duration of all frames together.
    pub(super) fn ticks(&self) -> u128 {
        u128::try_from(self.ticks).unwrap_or_default()
    }

    /// Replaces the duration of all frames together, if that of the frames is not plausible.
    pub(super) fn correct(&mut self, ticks: u128) {
        self.ticks = i128::try_from(ticks).unwrap_or(i128::MAX);
        self.range = self.range.map(|_| (0, i64::MAX));
    }

    fn extend_range(&mut self, length: i64) {
        let (least, most) = self.range.unwrap_or((length, length));
        self.range = Some((least.min(length), most.max(length)));
    }

    /// The frame rate at this timescale; `None` without frames, or if they have no duration.
    pub(super) fn rate(&self, scale: u32) -> Option<FrameRate> {
        let scale = u128::from(scale);
        let all = fraction(u128::from(self.frames).checked_mul(scale)?, self.ticks());
        let constant = |average: Option<Rate>| {
            Some(FrameRate {
                average: average?,
                is_variable: false,
            })
        };
        match self.range {
            None => constant(all),
            Some((length, most)) if length == most => {
                let length = u128::try_from(length).ok()?;
                constant(fraction(scale, length).map(exact_rate))
            }
            Some((least, most)) if least >= MIN_ROUNDED_TICKS && most - least == 1 => {
                let frames = u128::from(self.frames - 1);
                let last = u128::try_from(self.last.unwrap_or_default()).ok()?;
                let ticks = self.ticks().checked_sub(last)?;
                let exact = fraction(frames.checked_mul(scale)?, ticks);
                constant(find_common_rate(frames, ticks, scale).or(exact))
            }
            Some(_) => Some(FrameRate {
                average: all?,
                is_variable: true,
            }),
        }
    }
}

/// The common rate at which this number of frames takes this number of ticks, within one tick of rounding.
fn find_common_rate(frames: u128, ticks: u128, scale: u128) -> Option<Rate> {
    let mut nearest: Option<(u128, Rate)> = None;
    for (numerator, denominator) in COMMON_RATES {
        // Both sides times the numerator, to avoid rounding.
        let due = frames.checked_mul(scale)?.checked_mul(denominator.into())?;
        let off = due.abs_diff(ticks.checked_mul(numerator.into())?);
        let is_nearer = match nearest {
            None => off <= numerator.into(),
            Some((least, rate)) => {
                let least = least.checked_mul(numerator.into())?;
                off.checked_mul(rate.numerator().into())? < least
            }
        };
        if is_nearer {
            nearest = Rate::new(numerator, denominator).map(|rate| (off, rate));
        }
    }
    nearest.map(|(_, rate)| rate)
}

/// 24000/1001 for 23.976, and likewise for other rates with up to three decimals.
fn exact_rate(rate: Rate) -> Rate {
    let is_it = |(numerator, denominator): &(u64, u64)| {
        let one = u128::from(rate.numerator()) * u128::from(*denominator);
        let other = u128::from(*numerator) * u128::from(rate.denominator());
        one.abs_diff(other) <= other / 500_000
    };
    let found = COMMON_RATES
        .iter()
        .find(|find_common_rate| is_it(find_common_rate));
    found
        .and_then(|(numerator, denominator)| Rate::new(*numerator, *denominator))
        .unwrap_or(rate)
}

fn fraction(numerator: u128, denominator: u128) -> Option<Rate> {
    let (mut a, mut b) = (numerator, denominator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let reduced = |part: u128| u64::try_from(part.checked_div(a)?).ok();
    Rate::new(reduced(numerator)?, reduced(denominator)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The timescale, runs of frames and their durations, the rate, and whether it varies.
    type Case = (u32, &'static [(u32, u32)], &'static str, bool);

    fn rate(scale: u32, runs: &[(u32, u32)]) -> Option<FrameRate> {
        let runs = runs
            .iter()
            .map(|(count, length)| (*count, i64::from(*length)));
        Timing::from_runs(runs).rate(scale)
    }

    #[test]
    fn rates_are_exact() {
        let cases: &[Case] = &[
            (24_000, &[(72, 1001)], "24000/1001", false),
            (30_000, &[(90, 1001)], "30000/1001", false),
            (600, &[(75, 24)], "25", false),
            (23_976, &[(720, 1000)], "24000/1001", false),
            (2997, &[(900, 50)], "60000/1001", false),
            (90_000, &[(90, 3754)], "45000/1877", false),
            // The last frame is ignored.
            (600, &[(74, 20), (1, 1)], "30", false),
            (600, &[(74, 20), (1, 0)], "30", false),
            // Not near a common rate, but the difference is rounding.
            (1000, &[(2, 58), (2, 59), (2, 58)], "1250/73", false),
            (30, &[(10, 1), (10, 2), (1, 1)], "630/31", true),
            (90_000, &[(10, 3000), (10, 6000), (10, 3000)], "45/2", true),
            (25, &[(1, 1)], "25", false),
        ];
        for (scale, runs, expected, is_variable) in cases {
            let rate = rate(*scale, runs).unwrap_or_else(|| panic!("{runs:?} has no rate"));
            assert_eq!(rate.average.to_string(), *expected, "{runs:?} at {scale}");
            assert_eq!(rate.is_variable, *is_variable, "{runs:?} at {scale}");
        }
    }

    #[test]
    fn common_rates_are_found_with_any_timescale() {
        for (numerator, denominator) in COMMON_RATES {
            for scale in [600, 1000, 1200, 2997, 12_800, 15_360, 90_000, 1_000_000] {
                let frames = 121_u64;
                let at = |frame: u64| {
                    let exact = frame * u64::from(scale) * denominator;
                    u32::try_from((exact + numerator / 2) / numerator).unwrap()
                };
                let lengths: Vec<_> = (0..frames)
                    .map(|frame| (1, at(frame + 1) - at(frame)))
                    .collect();
                if i64::from(lengths[0].1) < MIN_ROUNDED_TICKS {
                    continue;
                }
                let found = rate(scale, &lengths).unwrap();
                let expected = Rate::new(numerator, denominator).unwrap();
                assert_eq!(found.average, expected, "{expected} at {scale}");
                assert!(!found.is_variable, "{expected} at {scale}");
            }
        }
    }

    #[test]
    fn frames_without_duration_have_no_rate() {
        for runs in [&[] as &[_], &[(0, 5)], &[(5, 0)], &[(1, 0)]] {
            assert_eq!(rate(600, runs), None, "{runs:?}");
        }
        let most = [(u32::MAX, u32::MAX), (u32::MAX, 1), (u32::MAX, 0)];
        assert!(rate(u32::MAX, &most).is_some());
    }
}
