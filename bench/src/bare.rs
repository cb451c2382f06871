//! The HTTP stack, as it is used without the client.

use std::time::Duration;

use anyhow::Result;
use kling_omni::reqwest::header::{ACCEPT, HeaderValue};
use kling_omni::reqwest::{self, redirect, retry};
use serde::Deserialize;
use serde_json::Value;

pub struct Bare {
    http: reqwest::Client,
    key: HeaderValue,
    create: String,
    tasks: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Task,
}

/// What there is to know of a task.
#[derive(Deserialize)]
#[allow(dead_code, reason = "a caller would read it")]
struct Task {
    task_id: String,
    status: String,
    generated: Vec<String>,
}

impl Bare {
    /// With the settings that the client has.
    pub fn new(base_url: &str, key: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent("bare")
            .connect_timeout(Duration::from_secs(10))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .build()?;
        Ok(Self {
            http,
            key: HeaderValue::from_str(key)?,
            create: format!("{base_url}/v1/ai/video/kling-v3-omni-pro/video-reference"),
            tasks: format!("{base_url}/v1/ai/reference-to-video/kling-v3-omni"),
        })
    }

    /// Reads a task, and answers its id.
    pub async fn read(&self, id: &str) -> Result<String> {
        self.send(self.http.get(format!("{}/{id}", self.tasks)))
            .await
    }

    /// Creates a task, and answers its id.
    pub async fn create(&self, body: &Value) -> Result<String> {
        self.send(self.http.post(&self.create).json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<String> {
        let answer = request
            .header("x-freepik-api-key", &self.key)
            .header(ACCEPT, "application/json")
            .timeout(Duration::from_secs(60))
            .send()
            .await?
            .error_for_status()?
            .json::<Answer>()
            .await?;
        Ok(answer.data.task_id)
    }
}
