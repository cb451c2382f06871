//! The tasks and what they were charged for.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;

use super::Console;
use super::mask::MaskedText;
use super::shown::{Badge, Moment, status_badge};
use super::timeline::{Activity, Timeline, activities};
use crate::task::Task;

/// How many characters of a prompt are in a row.
const PROMPT_LIMIT: usize = 90;

/// The tasks of a page, newest first.
#[derive(Template)]
#[template(path = "tasks.html")]
pub(super) struct Tasks {
    rows: Vec<TaskRow>,
    total: usize,
    /// The number before which older tasks are, if there are any.
    older: Option<u64>,
    /// Whether this is the latest page.
    is_latest: bool,
    base_url: String,
}

struct TaskRow {
    number: u64,
    id: MaskedText,
    prompt: MaskedText,
    operation: String,
    seconds: u32,
    status: Badge,
    created: Moment,
    repeats: Option<u64>,
    timeline: Timeline,
    activity: Activity,
}

impl Tasks {
    /// Returns up to `limit` tasks whose number is less than `before`.
    pub(super) fn new(console: &Console, before: Option<u64>, limit: usize) -> Self {
        let tasks = &console.service.tasks;
        let shown = tasks.latest(before.unwrap_or(u64::MAX), limit);
        let mut activities = activities(console, shown.iter().map(Arc::as_ref));
        let rows: Vec<_> = shown
            .iter()
            .map(|task| {
                let activity = activities.remove(&task.id).unwrap_or_default();
                TaskRow::new(console, task, activity)
            })
            .collect();
        let oldest = rows.last().map_or(1, |row| row.number);
        Self {
            total: tasks.count(),
            older: (oldest > 1).then_some(oldest),
            is_latest: before.is_none(),
            base_url: console.base_url.clone(),
            rows,
        }
    }
}

impl TaskRow {
    fn new(console: &Console, task: &Task, activity: Activity) -> Self {
        let now = console.service.clock.now();
        let mask = &console.mask;
        Self {
            number: task.number.get(),
            id: mask.line(&task.id, 40),
            prompt: mask.line(&task.render_spec.prompt, PROMPT_LIMIT),
            operation: task.operation_id.clone(),
            seconds: task.render_spec.seconds,
            status: status_badge(mask, &task.stage(now).status),
            created: Moment::new(task.created_at),
            repeats: task.repeats.map(std::num::NonZero::get),
            timeline: Timeline::new(task, &activity, now),
            activity,
        }
    }
}

/// The charges by route.
#[derive(Template)]
#[template(path = "charges.html")]
pub(super) struct Charges {
    total: usize,
    /// How many tasks have the request of an earlier one.
    repeated: usize,
    routes: Vec<RouteCharges>,
}

struct RouteCharges {
    operation: String,
    count: usize,
    seconds: u64,
}

impl Charges {
    pub(super) fn new(console: &Console) -> Self {
        let tasks = console.service.tasks.all();
        let mut routes = BTreeMap::<&str, (usize, u64)>::new();
        for task in &tasks {
            let (count, seconds) = routes.entry(&task.operation_id).or_default();
            *count += 1;
            *seconds += u64::from(task.render_spec.seconds);
        }
        let routes = routes.into_iter();
        Self {
            total: tasks.len(),
            repeated: tasks.iter().filter(|task| task.repeats.is_some()).count(),
            routes: routes
                .map(|(operation, (count, seconds))| RouteCharges {
                    operation: operation.to_owned(),
                    count,
                    seconds,
                })
                .collect(),
        }
    }
}
