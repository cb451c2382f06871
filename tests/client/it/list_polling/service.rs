//! A fake service with an incorrect list of tasks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// What is wrong with the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListDefect {
    /// Nothing: newest tasks first, in order.
    Honest,
    /// Every third task is missing.
    Incomplete,
    OldestFirst,
    /// Each page has another order, so tasks are on several pages or on none.
    Reordered,
    /// Every page is the first page.
    Repeating,
    /// No listed task ever completes.
    Lagging,
    /// Every listed task is completed from the start.
    Hasty,
    /// A thousand foreign tasks come first.
    Crowded,
    /// A thousand foreign tasks come between the newest hundred and the rest.
    Split,
    /// The request fails with this status.
    Refused(u16),
    /// The response is not a list.
    Garbled,
}

/// A request, with its time since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Create,
    List { page: usize },
    Read(String),
}

#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    twist: ListDefect,
    started: Instant,
    /// The duration of each task, in the order of creation.
    times: Vec<Duration>,
    log: Mutex<Log>,
    base_url: String,
}

#[derive(Default)]
struct Log {
    /// The completion time of each task.
    ends: Vec<Duration>,
    asked: Vec<(Duration, Request)>,
}

impl Service {
    pub async fn start(twist: ListDefect, times: Vec<Duration>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let service = Self(Arc::new(Shared {
            twist,
            started: Instant::now(),
            times,
            log: Mutex::default(),
            base_url: format!("http://{}", listener.local_addr().unwrap()),
        }));
        let family = "/v1/ai/reference-to-video/kling-v3-omni";
        let router = Router::new()
            .route(&format!("{family}-pro"), post(create))
            .route(family, get(list))
            .route(&format!("{family}/{{id}}"), get(read))
            .with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        service
    }

    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    pub fn requests(&self) -> Vec<(Duration, Request)> {
        self.0.log.lock().unwrap().asked.clone()
    }

    pub fn lists(&self) -> usize {
        let is_list = |(_, asked): &&(Duration, Request)| matches!(asked, Request::List { .. });
        self.requests().iter().filter(is_list).count()
    }

    /// The completion time of a task.
    pub fn end(&self, id: &str) -> Duration {
        self.0.log.lock().unwrap().ends[number(id)]
    }

    /// Records a request.
    fn record(&self, asked: Request) {
        let now = self.elapsed();
        self.0.log.lock().unwrap().asked.push((now, asked));
    }

    fn status(&self, number: usize) -> &'static str {
        let ends = self.0.log.lock().unwrap().ends[number];
        match ends <= self.elapsed() {
            true => "COMPLETED",
            false => "IN_PROGRESS",
        }
    }

    /// The listed ids and statuses, in order.
    fn listed(&self, page: usize) -> Vec<(String, &'static str)> {
        let count = self.0.log.lock().unwrap().ends.len();
        let mut tasks: Vec<_> = (0..count).map(|n| (id(n), self.status(n))).collect();
        match self.0.twist {
            ListDefect::OldestFirst => return tasks,
            ListDefect::Incomplete => tasks.retain(|(id, _)| !number(id).is_multiple_of(3)),
            ListDefect::Lagging => tasks
                .iter_mut()
                .for_each(|(_, status)| *status = "IN_PROGRESS"),
            ListDefect::Hasty => tasks
                .iter_mut()
                .for_each(|(_, status)| *status = "COMPLETED"),
            ListDefect::Reordered => {
                let by = 37 * page % count.max(1);
                tasks.rotate_left(by);
            }
            _ => {}
        }
        tasks.reverse();
        let place = match self.0.twist {
            ListDefect::Crowded => 0,
            ListDefect::Split => tasks.len().min(100),
            _ => return tasks,
        };
        let others = (0..1000).map(|n| (format!("other-{n}"), "IN_PROGRESS"));
        tasks.splice(place..place, others);
        tasks
    }
}

fn id(number: usize) -> String {
    format!("task-{number}")
}

fn number(id: &str) -> usize {
    id.trim_start_matches("task-").parse().unwrap()
}

/// The result URL of a task.
pub fn url(id: &str) -> String {
    format!("https://result.example/{id}.mp4")
}

async fn create(State(service): State<Service>) -> Response {
    service.record(Request::Create);
    let mut log = service.0.log.lock().unwrap();
    let number = log.ends.len();
    let time = service.0.times[number % service.0.times.len()];
    log.ends.push(service.elapsed() + time);
    let task = json!({"task_id": id(number), "status": "CREATED", "generated": []});
    json_response(&json!({"data": task}))
}

async fn read(State(service): State<Service>, Path(id): Path<String>) -> Response {
    service.record(Request::Read(id.clone()));
    let status = service.status(number(&id));
    let generated = match status {
        "COMPLETED" => vec![url(&id)],
        _ => Vec::new(),
    };
    json_response(&json!({"data": {"task_id": id, "status": status, "generated": generated}}))
}

async fn list(State(service): State<Service>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let number = |name: &str| -> usize {
        let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(name));
        values.next().unwrap().parse().unwrap()
    };
    let (asked, size) = (number("page="), number("page_size="));
    service.record(Request::List { page: asked });
    match service.0.twist {
        ListDefect::Refused(status) => {
            let response = Response::builder().status(status);
            let response = response.header("content-type", "application/json");
            let response = response.header("retry-after", "40");
            let body = Body::from(r#"{"message":"Tasks not found"}"#);
            return response.body(body).unwrap();
        }
        ListDefect::Garbled => return json_response(&json!({"data": "none"})),
        _ => {}
    }
    let page = match service.0.twist {
        ListDefect::Repeating => 1,
        _ => asked,
    };
    let tasks = service.listed(page).into_iter();
    let tasks = tasks.skip((page - 1) * size).take(size);
    let tasks: Vec<_> = tasks
        .map(|(id, status)| json!({"task_id": id, "status": status}))
        .collect();
    json_response(&json!({"data": tasks}))
}

fn json_response(body: &Value) -> Response {
    let response = Response::builder().header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}
