//! A well-behaved fake service. Tests override single responses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::Response;
use futures_util::StreamExt;
use kling_omni::{Client, Task};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::list_polling::fresh_client;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Create,
    /// A list of a family, with the page.
    List(&'static str, usize),
    Read(&'static str, usize),
}

/// An override of a response: its delay, its status and its `Retry-After`.
#[derive(Clone, Debug, Default)]
pub struct ResponseOverride {
    pub after: Duration,
    pub status: Option<u16>,
    pub retry_after: Option<u64>,
    /// Replaces the status of the task.
    pub says: Option<&'static str>,
}

type Rule = Box<dyn Fn(Duration, &Request) -> ResponseOverride + Send + Sync>;

/// A well-behaved fake service with overrides.
#[derive(Clone)]
pub struct FakeService(Arc<Stage>);

struct Stage {
    started: Instant,
    base_url: String,
    time: Duration,
    rule: Rule,
    /// The family and the completion time of each task.
    tasks: Mutex<Vec<(&'static str, Duration)>>,
    asked: Mutex<Vec<(Duration, Request)>>,
}

impl FakeService {
    pub async fn start(
        time: Duration,
        rule: impl Fn(Duration, &Request) -> ResponseOverride + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let service = Self(Arc::new(Stage {
            started: Instant::now(),
            base_url: format!("http://{}", listener.local_addr().unwrap()),
            time,
            rule: Box::new(rule),
            tasks: Mutex::default(),
            asked: Mutex::default(),
        }));
        let router = Router::new().fallback(respond).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        service
    }

    pub fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    pub fn requests(&self) -> Vec<(Duration, Request)> {
        self.0.asked.lock().unwrap().clone()
    }

    pub fn lists(&self) -> Vec<(Duration, Request)> {
        let mut asked = self.requests();
        asked.retain(|(_, asked)| matches!(asked, Request::List(..)));
        asked
    }

    pub fn reads(&self) -> Vec<(Duration, Request)> {
        let mut asked = self.requests();
        asked.retain(|(_, asked)| matches!(asked, Request::Read(..)));
        asked
    }

    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    pub fn client(&self) -> Client {
        fresh_client(&self.0.base_url)
    }

    pub fn end(&self, task: &Task) -> Duration {
        let number: usize = task.id()[5..].parse().unwrap();
        self.0.tasks.lock().unwrap()[number].1
    }

    /// Waits for all tasks, and returns the longest time from a completion to its detection.
    pub async fn max_detection_delay(&self, client: &Client, tasks: &[Task]) -> Duration {
        let mut max_detection_delay = Duration::ZERO;
        let mut ended = client.watch(tasks).no_timeout().as_completed();
        while let Some((task, video)) = ended.next().await {
            video.unwrap();
            max_detection_delay =
                max_detection_delay.max(self.elapsed().saturating_sub(self.end(&task)));
        }
        max_detection_delay
    }
}

async fn respond(State(service): State<FakeService>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let family = match path.starts_with("/v1/ai/video/") {
        true => "video",
        false => "reference-to-video",
    };
    let rest = path.rsplit_once("kling-v3-omni").unwrap().1;
    let query = uri.query().unwrap_or_default();
    let number = |name: &str, default: usize| {
        let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(name));
        values.next().map_or(default, |text| text.parse().unwrap())
    };
    let (page, size) = (number("page=", 1), number("page_size=", usize::MAX));
    let asked = match (method, rest) {
        (Method::POST, _) => Request::Create,
        (_, "") => Request::List(family, page),
        (_, id) => Request::Read(family, id.trim_start_matches("/task-").parse().unwrap()),
    };
    let now = service.elapsed();
    service.0.asked.lock().unwrap().push((now, asked.clone()));
    let other = (service.0.rule)(now, &asked);
    let status = |number: usize| {
        let end = service.0.tasks.lock().unwrap()[number].1;
        let usual = match end <= now {
            true => "COMPLETED",
            false => "IN_PROGRESS",
        };
        other.says.unwrap_or(usual)
    };
    let body = match asked {
        Request::Create => {
            let mut tasks = service.0.tasks.lock().unwrap();
            let family = match rest.ends_with("video-reference") {
                true => "reference-to-video",
                false => family,
            };
            tasks.push((family, now + service.0.time));
            let id = format!("task-{}", tasks.len() - 1);
            json!({"data": {"task_id": id, "status": "CREATED", "generated": []}})
        }
        Request::List(family, page) => {
            let tasks = service.0.tasks.lock().unwrap().clone();
            let ours = (0..tasks.len()).rev().filter(|n| tasks[*n].0 == family);
            let ours = ours.skip((page - 1).saturating_mul(size)).take(size);
            let ours: Vec<_> = ours
                .map(|n| json!({"task_id": format!("task-{n}"), "status": status(n)}))
                .collect();
            json!({"data": ours})
        }
        Request::Read(_, number) => {
            let id = format!("task-{number}");
            let status = status(number);
            let generated = match status {
                "COMPLETED" => vec![format!("https://result.example/{id}.mp4")],
                _ => Vec::new(),
            };
            json!({"data": {"task_id": id, "status": status, "generated": generated}})
        }
    };
    if !other.after.is_zero() {
        tokio::time::sleep(other.after).await;
    }
    let mut response = Response::builder().status(other.status.unwrap_or(200));
    if let Some(seconds) = other.retry_after {
        response = response.header("retry-after", seconds.to_string());
    }
    let response = response.header("content-type", "application/json");
    let body = match other.status {
        Some(_) => json!({"message": "no"}),
        None => body,
    };
    response.body(Body::from(body.to_string())).unwrap()
}
