//! The life of a task as a bar: its statuses, the requests about it and its deliveries.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::Console;
use super::shown::{self, status_class, thousandths};
use crate::record::Host;
use crate::task::{Stage, Task};

/// How many marks of each kind a bar has at most.
const MARKS: usize = 100;
/// The last position of a mark, whose width is 5.
const LAST_MARK: u64 = 995;
/// The part of the bar for the time after the end of the task: a quarter of its duration.
const AFTER_END: u32 = 4;

/// What the records have about a task.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub(super) reads: usize,
    pub(super) downloads: usize,
    pub(super) deliveries: usize,
    read_times: Vec<SystemTime>,
    download_times: Vec<SystemTime>,
    delivery_times: Vec<SystemTime>,
}

/// The bar of a task. Positions are in thousandths.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) text: String,
    pub(super) stages: Vec<Segment>,
    pub(super) reads: Vec<u64>,
    pub(super) downloads: Vec<u64>,
    pub(super) deliveries: Vec<u64>,
}

/// The time with one status.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) width: u64,
    pub(super) class: &'static str,
}

/// Returns what the records have about tasks, by their ids.
pub(super) fn activities<'a>(
    console: &Console,
    tasks: impl Iterator<Item = &'a Task>,
) -> HashMap<String, Activity> {
    let tasks = tasks.map(|task| (task.id.clone(), Activity::default()));
    let mut found: HashMap<_, _> = tasks.collect();
    console.service.requests.for_each(|request| {
        let id = request.task_id.as_deref().unwrap_or_default();
        if let Some(activity) = found.get_mut(id) {
            match request.host {
                Host::Results => activity.add_download(request.received_at),
                _ if request.method == http::Method::GET => activity.add_read(request.received_at),
                _ => {}
            }
        }
    });
    console.service.webhooks.deliveries.for_each(|delivery| {
        if let Some(activity) = found.get_mut(&delivery.task_id) {
            activity.deliveries += 1;
            push_mark(&mut activity.delivery_times, delivery.sent_at);
        }
    });
    found
}

impl Activity {
    fn add_read(&mut self, time: SystemTime) {
        self.reads += 1;
        push_mark(&mut self.read_times, time);
    }

    fn add_download(&mut self, time: SystemTime) {
        self.downloads += 1;
        push_mark(&mut self.download_times, time);
    }
}

fn push_mark(times: &mut Vec<SystemTime>, time: SystemTime) {
    if times.len() < MARKS {
        times.push(time);
    }
}

impl Timeline {
    pub(super) fn new(task: &Task, activity: &Activity, now: SystemTime) -> Self {
        let life = shown_span(task);
        let at = |time: &SystemTime| thousandths(*time, task.created_at, life).min(LAST_MARK);
        let marks = |times: &[SystemTime]| times.iter().map(at).collect();
        Self {
            text: describe(task, activity, now),
            stages: segments(task, now, life),
            reads: marks(&activity.read_times),
            downloads: marks(&activity.download_times),
            deliveries: marks(&activity.delivery_times),
        }
    }
}

/// Returns the time that a bar shows: the life of the task, and a while after its end.
fn shown_span(task: &Task) -> Duration {
    let life = task.ends_at().duration_since(task.created_at);
    let life = life.unwrap_or_default().max(Duration::from_millis(1));
    life + life / AFTER_END
}

/// Returns the statuses that the task has had, with the times at which they began.
pub(super) fn reached(task: &Task, now: SystemTime) -> impl Iterator<Item = (SystemTime, &Stage)> {
    let first = std::iter::once((task.created_at, task.first_stage()));
    first.chain(task.changes().filter(move |(at, _)| *at <= now))
}

fn segments(task: &Task, now: SystemTime, span: Duration) -> Vec<Segment> {
    let reached: Vec<_> = reached(task, now).collect();
    let ends = reached.iter().skip(1).map(|(at, _)| *at);
    let last = if task.ends_at() <= now {
        task.created_at + span
    } else {
        now
    };
    let ends = ends.chain(std::iter::once(last));
    let at = |time| thousandths(time, task.created_at, span);
    let segments = reached.iter().zip(ends);
    segments
        .map(|((start, stage), end)| Segment {
            start: at(*start),
            width: at(end).saturating_sub(at(*start)),
            class: status_class(&stage.status),
        })
        .collect()
}

fn describe(task: &Task, activity: &Activity, now: SystemTime) -> String {
    let statuses = reached(task, now).map(|(at, stage)| {
        let class = match status_class(&stage.status) {
            "odd" => "another status",
            _ => stage.status.as_str(),
        };
        match at.duration_since(task.created_at) {
            Ok(Duration::ZERO) => class.to_owned(),
            _ => format!("{class} after {}", shown::duration(task.created_at, at)),
        }
    });
    let statuses: Vec<_> = statuses.collect();
    format!(
        "{}; reads: {}, downloads: {}, webhooks: {}",
        statuses.join(", "),
        activity.reads,
        activity.downloads,
        activity.deliveries
    )
}
