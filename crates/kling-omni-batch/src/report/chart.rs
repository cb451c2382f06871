//! The charts of a page: rectangles for inline SVG.

use crate::report::text;
use crate::report::timeline::{ReportTimeline, TimelineBin};

/// A row of the timeline: one value over time. Each bin is one unit wide, and the row is 100 units high.
#[derive(Debug)]
pub(crate) struct Strip {
    pub(crate) label: &'static str,
    /// The class of its colour.
    pub(crate) tone: &'static str,
    /// The value that people look for.
    pub(crate) figure: String,
    /// What the chart shows, for those who do not see it.
    pub(crate) description: String,
    pub(crate) bars: Vec<Bar>,
}

/// A rectangle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) y: u64,
    pub(crate) width: String,
    pub(crate) height: u64,
}

/// A row of the table with the values of the timeline.
#[derive(Debug)]
pub(crate) struct TableRow {
    pub(crate) after: String,
    pub(crate) bin: TimelineBin,
}

/// The timeline as a page shows it.
#[derive(Debug)]
pub(crate) struct TimelineChart {
    pub(crate) bins: usize,
    pub(crate) strips: Vec<Strip>,
    /// The labels of the axis, at equal distances.
    pub(crate) ticks: Vec<String>,
    pub(crate) start: (String, String),
    pub(crate) bin_width: String,
    pub(crate) rows: Vec<TableRow>,
}

type Value = fn(&TimelineBin) -> u64;

impl TimelineChart {
    pub(crate) fn new(timeline: &ReportTimeline) -> Self {
        // Each quarter is a whole number of bins, so the axis has round times.
        let bins = timeline.bins.len().next_multiple_of(4);
        let quarter_ms = timeline.width_ms.saturating_mul((bins / 4) as u64);
        let add = |all: u64, one| all.saturating_add(one);
        let total = |value: Value| timeline.bins.iter().map(value).fold(0, add);
        let sum = |label, tone, value: Value| {
            let total = text::number(total(value));
            let figure = total.clone();
            Strip::new(
                label,
                tone,
                figure,
                format!("{label}: {total} in all"),
                timeline,
                value,
            )
        };
        let peak = text::number(timeline.peak(|bin| bin.in_flight));
        let mut strips = vec![
            Strip::new(
                "In flight",
                "active",
                format!("{peak} at most"),
                format!("Tasks in flight: {peak} at most"),
                timeline,
                |bin| bin.in_flight,
            ),
            sum("Creates sent", "idle", |bin| bin.creates),
            sum("Saved", "ok", |bin| bin.saved),
        ];
        if total(|bin| bin.failed) > 0 {
            strips.push(sum("Without a video", "bad", |bin| bin.failed));
        }
        let ticks = (0..=4_u64).map(|quarter| text::span(quarter.saturating_mul(quarter_ms)));
        let rows = (0..).zip(&timeline.bins);
        let rows = rows.filter(|(_, bin)| **bin != TimelineBin::default());
        Self {
            bins,
            strips,
            ticks: ticks.collect(),
            start: text::time(timeline.start_ms),
            bin_width: text::span(timeline.width_ms),
            rows: rows
                .map(|(index, bin)| TableRow {
                    after: text::span(timeline.width_ms.saturating_mul(index)),
                    bin: *bin,
                })
                .collect(),
        }
    }
}

impl Strip {
    fn new(
        label: &'static str,
        tone: &'static str,
        figure: String,
        description: String,
        timeline: &ReportTimeline,
        value: Value,
    ) -> Self {
        let peak = timeline.peak(value).max(1);
        let bars = timeline.bins.iter().map(value).enumerate();
        let bars = bars.filter(|(_, value)| *value > 0);
        Self {
            label,
            tone,
            figure,
            description,
            bars: bars
                .map(|(index, value)| {
                    let height = (u128::from(value) * 100).div_ceil(peak.into()) as u64;
                    Bar {
                        x: format!("{index}.1"),
                        y: 100 - height,
                        width: "0.8".to_owned(),
                        height,
                    }
                })
                .collect(),
        }
    }
}

/// The parts of a whole as rectangles beside each other, in percent of the width.
pub(crate) fn shares(parts: &[u64]) -> Vec<Bar> {
    let whole = parts.iter().sum::<u64>().max(1) as f64;
    let mut before = 0;
    let share = |part: u64| format!("{:.3}", part as f64 * 100.0 / whole);
    parts
        .iter()
        .map(|part| {
            let bar = Bar {
                x: share(before),
                y: 0,
                width: share(*part),
                height: 100,
            };
            before += part;
            bar
        })
        .collect()
}

/// How much of a limit is used, in percent with a decimal, at most 100.
pub(crate) fn percent(used: u64, limit: u64) -> String {
    let percent = match limit {
        0 => 100.0,
        limit => used as f64 * 100.0 / limit as f64,
    };
    format!("{:.1}", percent.min(100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fill_the_width() {
        let bars = shares(&[1, 0, 3]);
        let places: Vec<_> = bars
            .iter()
            .map(|bar| (bar.x.as_str(), bar.width.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                ("0.000", "25.000"),
                ("25.000", "0.000"),
                ("25.000", "75.000")
            ]
        );
        assert_eq!(shares(&[0])[0].width, "0.000");
    }

    #[test]
    fn axis_has_whole_bins() {
        for (bins, width_ms, ticks) in [
            (1, 1_000, ["0 s", "1 s", "2 s", "3 s", "4 s"]),
            (5, 1_000, ["0 s", "2 s", "4 s", "6 s", "8 s"]),
            (
                60,
                10_000,
                ["0 s", "2 min 30 s", "5 min", "7 min 30 s", "10 min"],
            ),
            (
                78,
                3_600_000,
                ["0 s", "20 h", "1 d 16 h", "2 d 12 h", "3 d 8 h"],
            ),
        ] {
            let chart = TimelineChart::new(&ReportTimeline {
                start_ms: 0,
                width_ms,
                bins: vec![TimelineBin::default(); bins],
            });
            assert_eq!(chart.ticks, ticks, "{bins}");
            assert_eq!(chart.bins % 4, 0, "{bins}");
        }
    }

    #[test]
    fn percent_of_a_limit_is_at_most_100() {
        for (used, limit, shown) in [
            (0, 10, "0.0"),
            (1, 3, "33.3"),
            (12, 10, "100.0"),
            (0, 0, "100.0"),
        ] {
            assert_eq!(percent(used, limit), shown);
        }
    }
}
