//! A test bench: a sandbox with a manual clock, and a plain HTTP client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method};
use kling_omni_api::enums::OutputDuration;
use kling_omni_api::service;
use kling_omni_sandbox::{ManualClock, Sandbox, SandboxBuilder};
use serde_json::{Value, json};

/// The start time of every test.
pub const START: u64 = 1_800_000_000;
/// The duration of a task, without jitter.
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
pub const SLOTS: &str = service::REQUEST_UPLOADS.path;
pub const FILES: &str = service::LIST_UPLOADS.path;

/// A sandbox, its clock, and an HTTP client that neither redirects nor retries.
pub struct Bench {
    pub sandbox: Sandbox,
    pub clock: ManualClock,
    pub http: reqwest::Client,
}

/// A response with its body.
#[derive(Debug)]
pub struct TestResponse {
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

    /// Returns a request to the API with the accepted key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.sandbox.base_url());
        self.http
            .request(method, url)
            .header(KEY_HEADER, self.sandbox.api_key())
    }

    pub async fn get(&self, path: &str) -> TestResponse {
        TestResponse::to(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> TestResponse {
        TestResponse::to(self.request(Method::POST, path).json(body)).await
    }

    /// Creates a task, and returns its id.
    pub async fn create(&self, path: &str, body: &Value) -> String {
        let response = self.post(path, body).await;
        assert_eq!(response.status, 200, "{response:?}");
        response.data()["task_id"].as_str().unwrap().to_owned()
    }

    /// Requests an upload slot.
    pub async fn slot(&self, content_type: &str) -> Slot {
        let files = json!({"files": [{"content_type": content_type}]});
        Slot::from_response(self.post(SLOTS, &files).await)
    }

    /// Reads a task on the default status route.
    pub async fn task(&self, id: &str) -> Value {
        let response = self.get(&path_of(STATUS, id)).await;
        assert_eq!(response.status, 200, "{response:?}");
        response.data()
    }

    /// Creates a task, completes it, and returns its id and its result URL.
    pub async fn completed(&self, body: &Value) -> (String, String) {
        let id = self.create(PRO, body).await;
        self.clock.advance(TASK_TIME);
        let task = self.task(&id).await;
        assert_eq!(task["status"], "COMPLETED");
        (id, task["generated"][0].as_str().unwrap().to_owned())
    }
}

/// An upload slot in a response.
pub struct Slot {
    pub response: TestResponse,
    pub file_id: String,
    pub upload_url: String,
    pub headers: HeaderMap,
    pub asset_url: String,
}

impl Slot {
    fn from_response(response: TestResponse) -> Self {
        assert_eq!(response.status, 200, "{response:?}");
        let slot = response.json()["files"][0].take();
        let text = |name: &str| slot[name].as_str().unwrap().to_owned();
        let headers = slot["headers"].as_object().unwrap().iter();
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
            response,
        }
    }

    /// Returns a valid upload of a file.
    pub fn put(&self, bench: &Bench, file: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let put = bench.http.put(&self.upload_url);
        put.headers(self.headers.clone()).body(file)
    }
}

impl TestResponse {
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

/// Returns a minimal body that every creating route accepts.
pub fn request_body() -> Value {
    json!({"video_url": "https://example.com/dance.mp4"})
}

/// [`request_body`] with one more field.
pub fn request_body_with(field: &str, value: impl Into<Value>) -> Value {
    let mut order = request_body();
    order[field] = value.into();
    order
}

/// [`request_body`] for the shortest video.
pub fn short_request_body() -> Value {
    request_body_with("duration", OutputDuration::VALUES[0])
}

pub fn path_of(template: &str, id: &str) -> String {
    template.replace("{task-id}", id)
}

/// Returns the time `seconds` after the start of the test.
pub fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START + seconds)
}
