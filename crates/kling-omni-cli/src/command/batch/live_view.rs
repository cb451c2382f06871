//! The progress of a run on a terminal: a line for all items, and one for each in flight.

use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar};
use kling_omni_batch::ItemState;

use crate::progress::{self, elapsed};
use crate::report::printable;

/// The maximum number of lines for items. The terminal shows those that fit below the first line.
const MAX_LINES: usize = 50;

/// The lines of a run.
pub(super) struct LiveView {
    lines: MultiProgress,
    total: ProgressBar,
    items: Vec<ProgressBar>,
    /// The items in flight, oldest first.
    in_flight: Vec<ItemLine>,
}

struct ItemLine {
    key: String,
    activity: &'static str,
    since: Instant,
}

impl LiveView {
    pub(super) fn new() -> Self {
        let lines = MultiProgress::new();
        let total = lines.add(line("{spinner} {wide_msg}"));
        Self {
            lines,
            total,
            items: Vec::new(),
            in_flight: Vec::new(),
        }
    }

    /// Follows an item to its next state.
    pub(super) fn set_state(&mut self, key: &str, state: ItemState) {
        let activity = match state {
            ItemState::Sending => "creating",
            ItemState::Created => "in progress",
            ItemState::Ended | ItemState::Publishing => "saving",
            _ => return self.in_flight.retain(|item| item.key != key),
        };
        match self.in_flight.iter_mut().find(|item| item.key == key) {
            Some(item) => item.activity = activity,
            None => self.in_flight.push(ItemLine {
                key: key.to_owned(),
                activity,
                since: Instant::now(),
            }),
        }
    }

    /// Draws all lines.
    pub(super) fn draw(&mut self, summary: String) {
        self.total.set_message(summary);
        self.total.tick();
        let shown = self.in_flight.len().min(MAX_LINES);
        while self.items.len() > shown {
            if let Some(last) = self.items.pop() {
                self.lines.remove(&last);
            }
        }
        while self.items.len() < shown {
            let next = self.lines.add(line("  {spinner} {wide_msg}"));
            self.items.push(next);
        }
        for (item, line) in self.in_flight.iter().zip(&self.items) {
            line.set_message(format!(
                "{}: {} for {}",
                printable(&item.key),
                item.activity,
                elapsed(item.since.elapsed())
            ));
            line.tick();
        }
    }

    /// Prints something between the lines above and those of the run.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.lines.suspend(print)
    }

    /// Removes the lines.
    pub(super) fn clear(&mut self) {
        // A terminal that is gone needs no clearing.
        let _ = self.lines.clear();
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(template: &str) -> ProgressBar {
    ProgressBar::new_spinner().with_style(progress::style(template))
}
