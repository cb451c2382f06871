//! The items that ended without a video, grouped by their cause, and what to do about them.

use std::collections::BTreeMap;

use crate::ledger::Reopening;
use crate::report::ReportItem;
use crate::state::ItemState;

/// So many different error texts of a group are shown.
const MAX_TEXTS: usize = 3;

/// Items that ended without a video for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailureGroup {
    /// The kind of their errors, or their state without one.
    pub(crate) kind: String,
    /// What happened, for people.
    pub(crate) title: &'static str,
    /// What to do.
    pub(crate) advice: String,
    /// The most frequent texts of their errors, with the number of items that have each.
    pub(crate) texts: Vec<(String, u64)>,
    /// The positions of the items on the page, from 0.
    pub(crate) items: Vec<usize>,
}

impl FailureGroup {
    /// Groups the items that ended without a video, the largest group first.
    pub(crate) fn of(items: &[ReportItem]) -> Vec<Self> {
        let mut by_kind: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            if item.state.is_final() && item.state != ItemState::Saved {
                by_kind.entry(cause(item)).or_default().push(index);
            }
        }
        let groups = by_kind.into_iter();
        let mut groups: Vec<_> = groups
            .map(|(kind, group)| Self::new(kind, group, items))
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.items.len()));
        groups
    }

    fn new(kind: &str, group: Vec<usize>, items: &[ReportItem]) -> Self {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for error in group.iter().filter_map(|index| text_of(&items[*index])) {
            *counts.entry(error).or_default() += 1;
        }
        let mut texts: Vec<_> = counts.into_iter().collect();
        texts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        texts.truncate(MAX_TEXTS);
        let (title, cause) = explanation(kind);
        let reopenings = group.iter().filter_map(|index| items[*index].reopening);
        let next = next_step(reopenings);
        Self {
            kind: kind.to_owned(),
            title,
            advice: format!("{cause} {next}").trim().to_owned(),
            texts,
            items: group,
        }
    }
}

/// The text of the error of an item, without its task, which no other item has.
fn text_of(item: &ReportItem) -> Option<String> {
    let text = &item.error.as_ref()?.text;
    Some(match &item.task_id {
        Some(task) if !task.is_empty() => text.replace(task.as_str(), "…"),
        _ => text.clone(),
    })
}

/// The kind of the error of an item, or its state without one.
fn cause(item: &ReportItem) -> &str {
    match &item.error {
        Some(error) if !error.kind.is_empty() => &error.kind,
        _ => item.state.as_str(),
    }
}

/// What `batch retry` does with these items.
fn next_step(reopenings: impl Iterator<Item = Reopening>) -> &'static str {
    let (fetches, creates): (Vec<_>, Vec<_>) =
        reopenings.partition(|reopening| *reopening == Reopening::Fetch);
    match (fetches.is_empty(), creates.is_empty()) {
        (true, true) => "",
        (false, true) => "`batch retry` fetches the paid videos again, at no cost.",
        (true, false) => "`batch retry` creates new tasks, which may cost money.",
        (false, false) => {
            "`batch retry` fetches paid videos again where that is possible; the other items get new tasks, which may cost money."
        }
    }
}

/// What an error of this kind means, and what to do before the items are put back.
fn explanation(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "task_failed" => (
            "The task failed",
            "Change the prompt or the files if the reason names them: the same request may fail again.",
        ),
        "empty_result" => (
            "The task has no video",
            "Most likely the safety filter of the service removed it. Change the prompt: the same request is likely to end the same way.",
        ),
        "corrupt_result" => (
            "The video is not complete",
            "The service returned a file that cannot be played.",
        ),
        "expired" => (
            "The video was not fetched in time",
            "The URL of a video is valid for about an hour. Keep a run or a worker running until all videos are saved.",
        ),
        "repeated_failure" => (
            "The same request failed before",
            "It was not sent again, and cost nothing. Change the request.",
        ),
        "ambiguous" | "unknown" => (
            "It is unknown whether a task exists",
            "Check the tasks and the usage of the account. `batch show` names the candidates, and `batch settle` records your decision.",
        ),
        "validation" | "invalid_request" | "rejected" => (
            "The request was rejected",
            "Nothing was paid. Correct the row, and give it another id.",
        ),
        "file" => (
            "A file could not be read or written",
            "Check the path, its permissions and the free space.",
        ),
        "upload" => (
            "A file could not be uploaded",
            "Check the file and the connection.",
        ),
        "timeout" => (
            "The task took too long",
            "It may be completed by now. `--task-timeout` sets how long a run waits.",
        ),
        "not_found" => (
            "The service does not know the task",
            "A task can be read only with the key of the account that created it.",
        ),
        "server" | "transport" | "unexpected_response" => (
            "The service did not respond as expected",
            "This often passes by itself.",
        ),
        "authentication" | "permission" | "insufficient_credits" | "plan_limit" | "spend_limit" => {
            (
                "The account or a limit did not allow it",
                "Check the key, the credits and the limits first.",
            )
        }
        "skipped" => ("Not sent", "The same request failed before."),
        _ => ("Ended without a video", ""),
    }
}

#[cfg(test)]
mod tests {
    use kling_omni::{Mode, Tier};

    use super::*;
    use crate::ledger::ItemError;

    #[test]
    fn groups_are_by_cause_and_the_largest_is_first() {
        let item = |state, kind: &str, text: &str, reopening| {
            let mut item = ReportItem::new("cat", state, Mode::Text, Tier::Pro);
            item.error = Some(ItemError {
                kind: kind.to_owned(),
                text: text.to_owned(),
            });
            item.reopening = reopening;
            item.task_id = text.strip_prefix("task ").map(str::to_owned);
            item
        };
        use ItemState::{Failed, Saved, Unknown};
        let items = [
            item(Unknown, "ambiguous", "two candidates", None),
            item(Saved, "", "", None),
            item(Failed, "task_failed", "a face", Some(Reopening::Create)),
            item(Failed, "task_failed", "task 1", Some(Reopening::Create)),
            item(Failed, "task_failed", "task 2", Some(Reopening::Create)),
            item(Failed, "transport", "closed", Some(Reopening::Fetch)),
            item(Failed, "a_new_kind", "new", Some(Reopening::Fetch)),
        ];
        let groups = FailureGroup::of(&items);
        let found: Vec<_> = groups
            .iter()
            .map(|group| (group.kind.as_str(), group.items.as_slice()))
            .collect();
        let expected: [(_, &[usize]); 4] = [
            ("task_failed", &[2, 3, 4]),
            ("a_new_kind", &[6]),
            ("ambiguous", &[0]),
            ("transport", &[5]),
        ];
        assert_eq!(found, expected);
        let texts = [("task …".to_owned(), 2), ("a face".to_owned(), 1)];
        assert_eq!(groups[0].texts, texts);
        assert!(groups[0].advice.ends_with("may cost money."));
        assert!(groups[3].advice.ends_with("at no cost."));
        assert!(groups[2].advice.contains("`batch settle`"));
    }
}
