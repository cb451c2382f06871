//! An honest service, but for what a test lets go wrong.

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

use crate::many::fresh_client;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Create,
    /// Of a family, with the page.
    List(&'static str, usize),
    Read(&'static str, usize),
}

/// What is answered otherwise than usual: after a while, with a status and `Retry-After`.
#[derive(Clone, Debug, Default)]
pub struct Odd {
    pub after: Duration,
    pub status: Option<u16>,
    pub retry_after: Option<u64>,
    /// In place of the honest status of tasks.
    pub says: Option<&'static str>,
}

type Rule = Box<dyn Fn(Duration, &Asked) -> Odd + Send + Sync>;

/// An honest service with an exception.
#[derive(Clone)]
pub struct Play(Arc<Stage>);

struct Stage {
    started: Instant,
    base_url: String,
    time: Duration,
    rule: Rule,
    /// Family and end of each task.
    tasks: Mutex<Vec<(&'static str, Duration)>>,
    asked: Mutex<Vec<(Duration, Asked)>>,
}

impl Play {
    pub async fn start(
        time: Duration,
        rule: impl Fn(Duration, &Asked) -> Odd + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let play = Self(Arc::new(Stage {
            started: Instant::now(),
            base_url: format!("http://{}", listener.local_addr().unwrap()),
            time,
            rule: Box::new(rule),
            tasks: Mutex::default(),
            asked: Mutex::default(),
        }));
        let router = Router::new().fallback(answer).with_state(play.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        play
    }

    pub fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    pub fn asked(&self) -> Vec<(Duration, Asked)> {
        self.0.asked.lock().unwrap().clone()
    }

    pub fn lists(&self) -> Vec<(Duration, Asked)> {
        let mut asked = self.asked();
        asked.retain(|(_, asked)| matches!(asked, Asked::List(..)));
        asked
    }

    pub fn reads(&self) -> Vec<(Duration, Asked)> {
        let mut asked = self.asked();
        asked.retain(|(_, asked)| matches!(asked, Asked::Read(..)));
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

    /// Waits for all, and answers the longest time from an end to its being known.
    pub async fn longest(&self, client: &Client, tasks: &[Task]) -> Duration {
        let mut longest = Duration::ZERO;
        let mut ended = client.watch(tasks).no_timeout().as_completed();
        while let Some((task, video)) = ended.next().await {
            video.unwrap();
            longest = longest.max(self.elapsed().saturating_sub(self.end(&task)));
        }
        longest
    }
}

async fn answer(State(play): State<Play>, method: Method, uri: Uri) -> Response {
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
        (Method::POST, _) => Asked::Create,
        (_, "") => Asked::List(family, page),
        (_, id) => Asked::Read(family, id.trim_start_matches("/task-").parse().unwrap()),
    };
    let now = play.elapsed();
    play.0.asked.lock().unwrap().push((now, asked.clone()));
    let odd = (play.0.rule)(now, &asked);
    let status = |number: usize| {
        let end = play.0.tasks.lock().unwrap()[number].1;
        let honest = match end <= now {
            true => "COMPLETED",
            false => "IN_PROGRESS",
        };
        odd.says.unwrap_or(honest)
    };
    let body = match asked {
        Asked::Create => {
            let mut tasks = play.0.tasks.lock().unwrap();
            let family = match rest.ends_with("video-reference") {
                true => "reference-to-video",
                false => family,
            };
            tasks.push((family, now + play.0.time));
            let id = format!("task-{}", tasks.len() - 1);
            json!({"data": {"task_id": id, "status": "CREATED", "generated": []}})
        }
        Asked::List(family, page) => {
            let tasks = play.0.tasks.lock().unwrap().clone();
            let ours = (0..tasks.len()).rev().filter(|n| tasks[*n].0 == family);
            let ours = ours.skip((page - 1).saturating_mul(size)).take(size);
            let ours: Vec<_> = ours
                .map(|n| json!({"task_id": format!("task-{n}"), "status": status(n)}))
                .collect();
            json!({"data": ours})
        }
        Asked::Read(_, number) => {
            let id = format!("task-{number}");
            let status = status(number);
            let generated = match status {
                "COMPLETED" => vec![format!("https://result.example/{id}.mp4")],
                _ => Vec::new(),
            };
            json!({"data": {"task_id": id, "status": status, "generated": generated}})
        }
    };
    if !odd.after.is_zero() {
        tokio::time::sleep(odd.after).await;
    }
    let mut response = Response::builder().status(odd.status.unwrap_or(200));
    if let Some(seconds) = odd.retry_after {
        response = response.header("retry-after", seconds.to_string());
    }
    let response = response.header("content-type", "application/json");
    let body = match odd.status {
        Some(_) => json!({"message": "no"}),
        None => body,
    };
    response.body(Body::from(body.to_string())).unwrap()
}
