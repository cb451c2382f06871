//! A sandbox with a manual clock, and a plain HTTP client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method};
use kling_omni_api::enums::OutputDuration;
use kling_omni_api::service;
use kling_omni_sandbox::{ManualClock, Sandbox, SandboxBuilder};
use serde_json::{Value, json};

/// The time at which every test starts.
pub const START: u64 = 1_800_000_000;
/// The time that a task takes, without jitter.
pub const TASK_TIME: Duration = Duration::from_secs(100);
pub const KEY_HEADER: &str = service::FREEPIK_API_KEY_HEADER;

pub const VIDEO_REFERENCE: &str = service::CREATE_VIDEO_REFERENCE.path;
pub const PRO: &str = service::CREATE_REFERENCE_TO_VIDEO_PRO.path;
pub const STANDARD: &str = service::CREATE_REFERENCE_TO_VIDEO_STD.path;
pub const LIST: &str = service::LIST_REFERENCE_TO_VIDEO_TASKS.path;
pub const STATUS: &str = service::GET_REFERENCE_TO_VIDEO_TASK.path;
pub const VIDEO_PRO: &str = service::CREATE_VIDEO_PRO.path;
pub const VIDEO_STANDARD: &str = service::CREATE_VIDEO_STD.path;
pub const VIDEO_LIST: &str = service::LIST_VIDEO_TASKS.path;
pub const VIDEO_STATUS: &str = service::GET_VIDEO_TASK.path;
pub const PLACES: &str = service::REQUEST_UPLOADS.path;
pub const FILES: &str = service::LIST_UPLOADS.path;

/// A sandbox, its clock, and a client without any opinion.
pub struct Bench {
    pub sandbox: Sandbox,
    pub clock: ManualClock,
    pub http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Bench {
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub async fn with(set: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Self {
        let clock = ManualClock::new(at(0));
        let builder = Sandbox::builder()
            .clock(clock.clone())
            .seed(1)
            .task_time(TASK_TIME)
            .jitter(0.0);
        Self {
            sandbox: set(builder).start().await.unwrap(),
            clock,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// A request to the API with the right key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.sandbox.base_url());
        self.http
            .request(method, url)
            .header(KEY_HEADER, self.sandbox.api_key())
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    /// Creates a task and answers its id.
    pub async fn create(&self, path: &str, body: &Value) -> String {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.data()["task_id"].as_str().unwrap().to_owned()
    }

    /// Asks for a place for a file.
    pub async fn place(&self, content_type: &str) -> Place {
        let files = json!({"files": [{"content_type": content_type}]});
        Place::of(self.post(PLACES, &files).await)
    }

    /// Reads a task where all but some tasks of the older route are read.
    pub async fn task(&self, id: &str) -> Value {
        let answer = self.get(&path_of(STATUS, id)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.data()
    }

    /// Creates a task, lets it complete, and answers its id and its result URL.
    pub async fn completed(&self, body: &Value) -> (String, String) {
        let id = self.create(PRO, body).await;
        self.clock.advance(TASK_TIME);
        let task = self.task(&id).await;
        assert_eq!(task["status"], "COMPLETED");
        (id, task["generated"][0].as_str().unwrap().to_owned())
    }
}

/// A place for an upload, as it was handed out.
pub struct Place {
    pub answer: Answer,
    pub file_id: String,
    pub upload_url: String,
    pub headers: HeaderMap,
    pub asset_url: String,
}

impl Place {
    fn of(answer: Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let place = answer.json()["files"][0].take();
        let text = |name: &str| place[name].as_str().unwrap().to_owned();
        let headers = place["headers"].as_object().unwrap().iter();
        Self {
            file_id: text("file_id"),
            upload_url: text("upload_url"),
            asset_url: text("asset_url"),
            headers: headers
                .map(|(name, value)| {
                    let value = value.as_str().unwrap().parse().unwrap();
                    (name.parse::<http::HeaderName>().unwrap(), value)
                })
                .collect(),
            answer,
        }
    }

    /// The file on its way, just as it is wanted.
    pub fn put(&self, bench: &Bench, file: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let put = bench.http.put(&self.upload_url);
        put.headers(self.headers.clone()).body(file)
    }
}

impl Answer {
    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn data(&self) -> Value {
        self.json()["data"].take()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The least that every creating route takes.
pub fn order() -> Value {
    json!({"video_url": "https://example.com/dance.mp4"})
}

/// [`order`] with one more field.
pub fn order_with(field: &str, value: impl Into<Value>) -> Value {
    let mut order = order();
    order[field] = value.into();
    order
}

/// [`order`] for the shortest video that there is.
pub fn short_order() -> Value {
    order_with("duration", OutputDuration::VALUES[0])
}

pub fn path_of(template: &str, id: &str) -> String {
    template.replace("{task-id}", id)
}

/// So many seconds after the start of the test.
pub fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START + seconds)
}
