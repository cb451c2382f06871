//! What the template of a page shows: texts, URLs and charts that are ready to be written.

use std::collections::BTreeMap;
use std::path::Path;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kling_omni::spend::Spent;
use sha2::{Digest as _, Sha256};

use crate::report::chart::{Bar, TimelineChart, percent, shares};
use crate::report::failures::FailureGroup;
use crate::report::media_url::{VideoPlace, relative_url};
use crate::report::text::{count, number, size, span, time, visible};
use crate::report::{ReportItem, ReportPage, ReportSpend};
use crate::state::{BatchState, ItemState};

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// A group of failures links to so many of its items.
const MAX_LINKS: usize = 12;
/// A longer prompt is folded.
const MAX_PROMPT: usize = 320;

/// A page.
#[derive(Template)]
#[template(path = "report.html")]
pub(crate) struct PageView {
    title: String,
    name: String,
    kind: &'static str,
    version: &'static str,
    policy: String,
    style: &'static str,
    script: &'static str,
    state: Option<StateView>,
    reason: Option<String>,
    read_at: (String, String),
    is_batch: bool,
    counts: Vec<CountView>,
    budget: Vec<BudgetView>,
    timeline: Option<TimelineChart>,
    failures: Vec<FailureView>,
    cards: Vec<CardView>,
}

/// A state with its sign: each tone has a colour and an icon.
#[derive(Clone, Copy)]
struct StateView {
    name: &'static str,
    tone: &'static str,
}

/// How many items have a state.
struct CountView {
    state: StateView,
    value: &'static str,
    number: String,
    share: Bar,
}

/// What was used of one resource.
struct BudgetView {
    label: &'static str,
    used: String,
    limit: Option<String>,
    percent: Option<String>,
}

/// Items that failed for the same reason.
struct FailureView {
    title: &'static str,
    number: String,
    advice: Vec<AdvicePart>,
    texts: Vec<(String, String)>,
    links: Vec<(usize, String)>,
    more: usize,
}

/// A part of an advice: words, or a command.
struct AdvicePart {
    text: String,
    is_command: bool,
}

/// An item.
struct CardView {
    state: StateView,
    value: &'static str,
    key: String,
    place: Option<VideoPlace>,
    place_text: String,
    poster: Option<String>,
    hint: &'static str,
    prompt: String,
    /// The beginning of a long prompt.
    beginning: Option<String>,
    error: Option<String>,
    findings: Vec<String>,
    facts: Vec<(&'static str, String)>,
}

impl PageView {
    /// `folder` is the absolute folder of the page.
    pub(crate) fn new(page: &ReportPage, folder: &Path) -> Self {
        let is_batch = page.state.is_some();
        let name = visible(&page.name).replace('\n', " ");
        let kind = if is_batch {
            "Batch report"
        } else {
            "Video report"
        };
        Self {
            title: format!("{name} – {kind}"),
            name,
            kind,
            version: env!("CARGO_PKG_VERSION"),
            policy: policy(),
            style: STYLE,
            script: SCRIPT,
            state: page.state.map(of_batch),
            reason: page.reason.as_deref().map(visible),
            read_at: time(page.read_at_ms),
            is_batch,
            counts: counts(&page.items),
            budget: budget(&page.spend),
            timeline: page.timeline.as_ref().map(TimelineChart::new),
            failures: failures(&page.items),
            cards: page
                .items
                .iter()
                .map(|item| CardView::new(item, &page.spend, folder, is_batch))
                .collect(),
        }
    }
}

/// The policy of the page: only what is in the file runs, and only files are loaded.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; media-src 'self' file:; img-src 'self' file: data:; \
         base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn of_batch(state: BatchState) -> StateView {
    let (name, tone) = match state {
        BatchState::Running => ("Running", "active"),
        BatchState::Paused => ("Paused", "ask"),
        BatchState::Stopped => ("Stopped", "idle"),
        BatchState::Done => ("Done", "ok"),
    };
    StateView { name, tone }
}

fn of_item(state: ItemState) -> StateView {
    let (name, tone) = match state {
        ItemState::Planned => ("Planned", "idle"),
        ItemState::Prepared => ("Prepared", "idle"),
        ItemState::Sending => ("Sending", "active"),
        ItemState::Created => ("Created", "active"),
        ItemState::Ended => ("Ended", "active"),
        ItemState::Publishing => ("Publishing", "active"),
        ItemState::Saved => ("Saved", "ok"),
        ItemState::Rejected => ("Rejected", "bad"),
        ItemState::Failed => ("Failed", "bad"),
        ItemState::Expired => ("Expired", "bad"),
        ItemState::Unknown => ("Unknown", "ask"),
        ItemState::Skipped => ("Skipped", "idle"),
    };
    StateView { name, tone }
}

/// What a state means, where there is no video to show.
fn hint(state: ItemState) -> &'static str {
    match state {
        ItemState::Planned => "Not prepared yet",
        ItemState::Prepared => "Ready to be sent",
        ItemState::Sending => "The create is being sent",
        ItemState::Created => "The task is running",
        ItemState::Ended => "The video is about to be saved",
        ItemState::Publishing => "The video is being published",
        ItemState::Saved => "The video is saved",
        ItemState::Rejected => "Nothing was paid",
        ItemState::Failed => "No video",
        ItemState::Expired => "Paid, and not fetched in time",
        ItemState::Unknown => "A person has to decide",
        ItemState::Skipped => "Not sent",
    }
}

fn counts(items: &[ReportItem]) -> Vec<CountView> {
    let mut by_state: BTreeMap<ItemState, u64> = BTreeMap::new();
    for item in items {
        *by_state.entry(item.state).or_default() += 1;
    }
    // Videos first, then what went wrong, then what is left.
    let order = ["ok", "bad", "ask", "active", "idle"];
    let mut counts: Vec<_> = by_state.into_iter().collect();
    counts.sort_by_key(|(state, _)| order.iter().position(|tone| *tone == of_item(*state).tone));
    let numbers: Vec<_> = counts.iter().map(|(_, number)| *number).collect();
    let shares = shares(&numbers);
    let counts = counts.into_iter().zip(shares);
    counts
        .map(|((state, items), share)| CountView {
            state: of_item(state),
            value: state.as_str(),
            number: number(items),
            share,
        })
        .collect()
}

fn budget(spend: &ReportSpend) -> Vec<BudgetView> {
    let spent = spend.spent;
    let of = |label, used: u64, limit: Option<u64>, shown: &dyn Fn(u64) -> String| BudgetView {
        label,
        used: shown(used),
        limit: limit.map(shown),
        percent: limit.map(|limit| percent(used, limit)),
    };
    let mut all = vec![
        of("Tasks", spent.tasks, spend.max_tasks, &number),
        of(
            "Seconds of video",
            spent.seconds,
            spend.max_seconds,
            &number,
        ),
    ];
    if let Some(currency) = &spend.currency {
        let currency = visible(currency);
        let limit = spend.max_money;
        all.push(BudgetView {
            label: "Money",
            used: format!("{} {currency}", spent.money),
            limit: limit.map(|limit| format!("{limit} {currency}")),
            percent: limit.map(|limit| percent(spent.money.micros(), limit.micros())),
        });
    }
    all
}

fn failures(items: &[ReportItem]) -> Vec<FailureView> {
    let groups = FailureGroup::of(items).into_iter();
    let link = |index: usize| (index, visible(&items[index].key));
    groups
        .map(|group| FailureView {
            title: group.title,
            number: count(group.items.len() as u64, "item"),
            advice: advice_parts(&group.advice),
            texts: group
                .texts
                .iter()
                .map(|(text, number)| (visible(text), count(*number, "item")))
                .collect(),
            links: group
                .items
                .iter()
                .take(MAX_LINKS)
                .copied()
                .map(link)
                .collect(),
            more: group.items.len().saturating_sub(MAX_LINKS),
        })
        .collect()
}

/// Splits a text at its backticks.
fn advice_parts(text: &str) -> Vec<AdvicePart> {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| AdvicePart {
            text: part.to_owned(),
            is_command: index % 2 == 1,
        })
        .collect()
}

impl CardView {
    /// `is_folded` hides the end of a long prompt at first.
    fn new(item: &ReportItem, spend: &ReportSpend, folder: &Path, is_folded: bool) -> Self {
        let prompt = visible(&item.prompt);
        let place = item
            .video
            .as_deref()
            .map(|path| VideoPlace::of(path, folder));
        let path = item.video.as_deref().unwrap_or(Path::new(""));
        let poster = item.poster.as_deref();
        Self {
            state: of_item(item.state),
            value: item.state.as_str(),
            key: visible(&item.key),
            place,
            place_text: visible(&path.to_string_lossy()),
            poster: poster.map(|poster| relative_url(poster, folder)),
            hint: hint(item.state),
            beginning: is_folded.then(|| beginning(&prompt)).flatten(),
            prompt,
            error: item.error.as_ref().map(|error| visible(&error.text)),
            findings: item.findings.iter().map(|text| visible(text)).collect(),
            facts: facts(item, spend),
        }
    }
}

/// The first words of a prompt that is too long for a card.
fn beginning(prompt: &str) -> Option<String> {
    let (at, _) = prompt.char_indices().nth(MAX_PROMPT)?;
    let words = prompt[..at].trim_end();
    let end = words.rfind(char::is_whitespace).filter(|end| *end > at / 2);
    Some(format!("{}…", &words[..end.unwrap_or(words.len())]))
}

fn facts(item: &ReportItem, spend: &ReportSpend) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let length = match item.seconds {
        0 => String::new(),
        seconds if item.has_exact_length => format!("{seconds} s, "),
        seconds => format!("at most {seconds} s, "),
    };
    let size = item.bytes.map(|bytes| format!(", {}", size(bytes)));
    let video = format!(
        "{length}{}, {}{}",
        item.mode,
        item.tier,
        size.unwrap_or_default()
    );
    facts.push(("Video", video));
    facts.push(("Cost", cost(item.spent, spend)));
    facts.push(("Attempts", number(item.attempts.into())));
    let times = [
        ("Waited", item.times.waited_ms),
        ("Task took", item.times.task_ms),
        ("Save took", item.times.save_ms),
    ];
    let times = times
        .into_iter()
        .filter_map(|(name, time)| Some((name, span(time?))));
    facts.extend(times);
    if let Some(task) = &item.task_id {
        facts.push(("Task", visible(task)));
    }
    facts
}

/// What an item has used: `1 task, 0.5 EUR`.
fn cost(spent: Spent, spend: &ReportSpend) -> String {
    match (&spend.currency, spent.tasks) {
        (_, 0) => "none".to_owned(),
        (Some(currency), tasks) => {
            format!(
                "{}, {} {}",
                count(tasks, "task"),
                spent.money,
                visible(currency)
            )
        }
        (None, tasks) => count(tasks, "task"),
    }
}
