//! What happened in a batch over time, derived from the events of its ledger.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::ledger::ItemEvent;
use crate::state::ItemState;

/// At most so many bins, which is what a narrow screen can show.
const MAX_BINS: u64 = 80;

/// The widths of bins that people can read, in seconds.
const WIDTHS: [u64; 18] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
    86_400,
];

/// What happened over time, in bins of the same width.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReportTimeline {
    /// When the first bin begins, in milliseconds since 1970.
    pub start_ms: u64,
    /// The width of a bin, in milliseconds.
    pub width_ms: u64,
    /// The bins, without gaps.
    pub bins: Vec<TimelineBin>,
}

/// What happened in one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimelineBin {
    /// The largest number of items at one time whose paid task was running or waited to be saved.
    pub in_flight: u64,
    /// The number of creates that were announced, and sent immediately afterwards.
    pub creates: u64,
    /// The number of videos that were saved.
    pub saved: u64,
    /// The number of items that ended without a video.
    pub failed: u64,
}

impl ReportTimeline {
    /// Derives it from the events of a batch, in order. Returns `None` before the first create.
    pub(crate) fn of(events: &[ItemEvent]) -> Option<Self> {
        let is_sent = |event: &&ItemEvent| event.state == ItemState::Sending;
        let first = events.iter().find(is_sent)?.at_ms;
        let last = events.iter().map(|event| event.at_ms).max()?;
        let width_ms = bin_width(last.saturating_sub(first));
        let start_ms = first - first % width_ms;
        let index = |at_ms: u64| (at_ms.saturating_sub(start_ms) / width_ms) as usize;
        let mut bins = vec![TimelineBin::default(); index(last) + 1];
        let mut states: HashMap<&str, ItemState> = HashMap::new();
        let mut in_flight = 0;
        let mut current = 0;
        for event in events {
            // Clocks may step back.
            let at = index(event.at_ms).max(current);
            for bin in &mut bins[current + 1..=at.max(current)] {
                bin.in_flight = in_flight;
            }
            current = at;
            let before = states.insert(&event.key, event.state);
            let was = before.is_some_and(ItemState::is_in_flight);
            match (was, event.state.is_in_flight()) {
                (false, true) => in_flight += 1,
                (true, false) => in_flight -= 1,
                _ => {}
            }
            let bin = &mut bins[at];
            bin.in_flight = bin.in_flight.max(in_flight);
            match event.state {
                ItemState::Sending => bin.creates += 1,
                ItemState::Saved => bin.saved += 1,
                state if state.is_final() => bin.failed += 1,
                _ => {}
            }
        }
        Some(Self {
            start_ms,
            width_ms,
            bins,
        })
    }

    /// The largest value of a bin.
    pub(crate) fn peak(&self, value: impl Fn(&TimelineBin) -> u64) -> u64 {
        self.bins.iter().map(value).max().unwrap_or_default()
    }
}

/// The smallest width with which a span has at most [`MAX_BINS`] bins, wherever in a bin it begins.
fn bin_width(span_ms: u64) -> u64 {
    let fits = |width: &u64| span_ms / (width * 1_000) < MAX_BINS - 1;
    let day = WIDTHS[WIDTHS.len() - 1];
    let width = WIDTHS.iter().copied().find(fits);
    1_000 * width.unwrap_or_else(|| day * (span_ms / (day * 1_000) / (MAX_BINS - 1) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::EventDetail;

    fn event(at_ms: u64, key: &str, state: ItemState) -> ItemEvent {
        ItemEvent {
            number: at_ms,
            key: key.to_owned(),
            at_ms,
            state,
            detail: EventDetail::default(),
        }
    }

    #[test]
    fn bins_cover_the_span() {
        for (span_s, width_s) in [
            (0, 1),
            (78, 1),
            (79, 2),
            (3_600, 60),
            (86_400, 1_800),
            (80 * 86_400, 2 * 86_400),
            (1_000 * 86_400, 13 * 86_400),
        ] {
            let width = bin_width(span_s * 1_000);
            assert_eq!(width, width_s * 1_000, "{span_s}");
            for offset_ms in [0, 1, width / 2, width - 1] {
                let start_ms = 1_764_547_200_000 / width * width + offset_ms;
                let events = [
                    event(start_ms, "a", ItemState::Sending),
                    event(start_ms + span_s * 1_000 + 999, "a", ItemState::Saved),
                ];
                let bins = ReportTimeline::of(&events).unwrap().bins.len() as u64;
                assert!(bins <= MAX_BINS, "{bins} bins for {span_s} s");
            }
        }
    }

    #[test]
    fn tasks_in_flight_are_carried_over_empty_bins() {
        use ItemState::{Created, Ended, Failed, Prepared, Saved, Sending};
        let events = [
            event(500, "a", Prepared),
            event(10_100, "a", Sending),
            event(10_200, "a", Created),
            event(10_300, "b", Sending),
            event(10_900, "b", Created),
            event(13_000, "a", Ended),
            event(13_500, "a", Saved),
            // The clock was set back.
            event(12_000, "b", Failed),
        ];
        let timeline = ReportTimeline::of(&events).unwrap();
        assert_eq!((timeline.start_ms, timeline.width_ms), (10_000, 1_000));
        let in_flight: Vec<_> = timeline.bins.iter().map(|bin| bin.in_flight).collect();
        assert_eq!(in_flight, [2, 2, 2, 2]);
        assert_eq!(timeline.bins[0].creates, 2);
        assert_eq!((timeline.bins[3].saved, timeline.bins[3].failed), (1, 1));
        assert_eq!(ReportTimeline::of(&events[..1]), None);
    }
}
