//! One task: what it was charged for, its life, its request and its result.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;

use super::mask::{MaskedText, ShownBody};
use super::shown::{self, Badge, Moment, outcome_badge, response_badge, status_badge};
use super::timeline::{Timeline, activities, reached};
use super::{Console, plain};
use crate::record::{Delivery, Host, ReceivedRequest};
use crate::results::host::clip_response;
use crate::task::Task;

/// How many events of a task are shown.
const EVENT_LIMIT: usize = 200;

/// What is known of a task.
#[derive(Template)]
#[template(path = "task.html")]
pub(super) struct TaskDetail {
    id: MaskedText,
    operation: String,
    status: Badge,
    error: Option<MaskedText>,
    seconds: u32,
    aspect_ratio: MaskedText,
    created: Moment,
    ended: Option<Moment>,
    life: String,
    repeats: Option<u64>,
    timeline: Timeline,
}

/// The result of a task, which the console serves itself: watching it does not count as a download.
#[derive(Template)]
#[template(path = "task_video.html")]
pub(super) struct TaskVideo {
    number: u64,
    has_result: bool,
    is_running: bool,
}

/// The request that created a task.
#[derive(Template)]
#[template(path = "task_request.html")]
pub(super) struct TaskRequest {
    body: ShownBody,
}

/// What happened to a task, in the order of time.
#[derive(Template)]
#[template(path = "task_events.html")]
pub(super) struct TaskEvents {
    events: Vec<TaskEvent>,
    limit: Option<usize>,
}

struct TaskEvent {
    at: std::time::SystemTime,
    moment: Moment,
    since: String,
    what: MaskedText,
    badge: Badge,
    /// The page with more about it.
    link: Option<EventLink>,
    faults: Vec<MaskedText>,
}

struct EventLink {
    path: String,
    text: String,
}

impl TaskDetail {
    pub(super) fn new(console: &Console, task: &Task) -> Self {
        let now = console.service.clock.now();
        let (mask, stage) = (&console.mask, task.stage(now));
        let mut activities = activities(console, std::iter::once(task));
        let activity = activities.remove(&task.id).unwrap_or_default();
        let ends_at = task.ends_at();
        Self {
            id: mask.text(&task.id),
            operation: task.operation_id.clone(),
            status: status_badge(mask, &stage.status),
            error: task.error(stage).map(|error| mask.text(error)),
            seconds: task.render_spec.seconds,
            aspect_ratio: mask.line(&task.render_spec.aspect_ratio, 20),
            created: Moment::new(task.created_at),
            ended: (ends_at <= now).then(|| Moment::new(ends_at)),
            life: shown::duration(task.created_at, ends_at),
            repeats: task.repeats.map(std::num::NonZero::get),
            timeline: Timeline::new(task, &activity, now),
        }
    }
}

impl TaskVideo {
    pub(super) fn new(console: &Console, task: &Task) -> Self {
        let now = console.service.clock.now();
        Self {
            number: task.number.get(),
            has_result: task.has_result(task.stage(now)),
            is_running: now < task.ends_at(),
        }
    }
}

impl TaskRequest {
    pub(super) fn new(console: &Console, task: &Task) -> Self {
        let body = task.request.to_string();
        Self {
            body: console.mask.body(body.as_bytes()),
        }
    }
}

impl TaskEvents {
    pub(super) fn new(console: &Console, task: &Task) -> Self {
        let service = &console.service;
        let now = service.clock.now();
        let mut events: Vec<_> = reached(task, now)
            .skip(1)
            .map(|(at, stage)| {
                let what = "The status changes";
                let badge = status_badge(&console.mask, &stage.status);
                TaskEvent::new(console, task, at, what, badge)
            })
            .collect();
        let id = Some(task.id.as_str());
        let requests = service
            .requests
            .latest(u64::MAX, EVENT_LIMIT, |request| request.task_id() == id);
        events.extend(
            requests
                .iter()
                .map(|request| TaskEvent::request(console, task, request)),
        );
        let deliveries = &service.webhooks.deliveries;
        let deliveries = deliveries.latest(u64::MAX, EVENT_LIMIT, |delivery| {
            Some(delivery.task_id()) == id
        });
        events.extend(
            deliveries
                .iter()
                .map(|delivery| TaskEvent::delivery(console, task, delivery)),
        );
        // The sort is stable, and records are newest first.
        events.reverse();
        events.sort_by_key(|event| event.at);
        let surplus = events.len().saturating_sub(EVENT_LIMIT);
        events.drain(..surplus);
        Self {
            events,
            limit: (surplus > 0).then_some(EVENT_LIMIT),
        }
    }
}

impl TaskEvent {
    fn new(
        console: &Console,
        task: &Task,
        at: std::time::SystemTime,
        what: &str,
        badge: Badge,
    ) -> Self {
        Self {
            at,
            moment: Moment::new(at),
            since: shown::duration(task.created_at, at),
            what: console.mask.text(what),
            badge,
            link: None,
            faults: Vec::new(),
        }
    }

    fn request(console: &Console, task: &Task, request: &ReceivedRequest) -> Self {
        let what = match (request.host(), request.method().as_str()) {
            (Host::Results, _) => "Result requested",
            (_, "POST") => "Task created and charged",
            _ => "Task read",
        };
        let badge = response_badge(&console.mask, request);
        let faults = request.faults().map(|rule| console.mask.fault(rule));
        Self {
            link: Some(EventLink {
                path: format!("/requests/{}", request.number()),
                text: format!("request {}", request.number()),
            }),
            faults: faults.collect(),
            ..Self::new(console, task, request.received_at(), what, badge)
        }
    }

    fn delivery(console: &Console, task: &Task, delivery: &Delivery) -> Self {
        let what = format!("Webhook {}", delivery.status().as_str());
        let badge = outcome_badge(&console.mask, delivery);
        let faults = delivery.faults().map(|rule| console.mask.fault(rule));
        Self {
            link: Some(EventLink {
                path: format!("/deliveries/{}", delivery.number()),
                text: format!("delivery {}", delivery.number()),
            }),
            faults: faults.collect(),
            ..Self::new(console, task, delivery.sent_at(), &what, badge)
        }
    }
}

/// Returns a task by its number.
pub(super) fn find(console: &Console, number: u64) -> Option<Arc<Task>> {
    let mut found = console.service.tasks.latest(number.checked_add(1)?, 1);
    found.pop().filter(|task| task.number.get() == number)
}

/// Serves the result of a task, even after its URL has expired.
pub(super) async fn video(
    State(console): State<Arc<Console>>,
    Path(number): Path<u64>,
    request: Request,
) -> Response {
    let task = find(&console, number);
    let now = console.service.clock.now();
    let Some(task) = task.filter(|task| task.has_result(task.stage(now))) else {
        return plain(StatusCode::NOT_FOUND, "The task has no result\n");
    };
    let (parts, _) = request.into_parts();
    clip_response(&console.service, &task, &parts).await
}
