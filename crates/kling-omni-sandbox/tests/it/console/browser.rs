//! The console in a browser: what it shows and does, and what it never runs or loads.

mod barriers;
mod clicks;
mod record;
mod safety;

use http::StatusCode;
use kling_omni_sandbox::SandboxBuilder;
use kling_omni_test_browser::Browser;
use tokio::sync::mpsc::UnboundedReceiver;

use super::ConsoleBench;
use crate::harness::{Bench, LIST, PRO, TASK_TIME, VIDEO_PRO, request_body_with};
use crate::webhooks::{Received, receiver};

/// A console in the window of a browser.
pub struct Window {
    pub console: ConsoleBench,
    pub browser: Browser,
}

impl Window {
    /// Starts both. Returns `None` without a browser, which skips the test.
    pub async fn start() -> Option<Self> {
        Self::with(|builder| builder).await
    }

    pub async fn with(set: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Option<Self> {
        let browser = Browser::start().await?;
        let console = ConsoleBench::with(set).await;
        Some(Self { console, browser })
    }

    pub fn bench(&self) -> &Bench {
        &self.console.bench
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.console.url)
    }

    /// Opens a page, and waits until it is live.
    pub async fn open(&self, path: &str) {
        self.browser.open(&self.url(path)).await;
        self.wait_for("document.getElementById('connection').textContent === 'Live'")
            .await;
    }

    /// Waits until an expression is true in the page.
    pub async fn wait_for(&self, expression: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const check = () => (({expression}) ? done() : setTimeout(check, 20));
             check();"
        );
        self.browser.run_async(&script).await;
    }

    /// Waits until a part of the page contains a text.
    pub async fn wait_for_text(&self, part: &str, text: &str) {
        let text = serde_json::Value::from(text);
        self.wait_for(&format!(
            "document.getElementById('{part}').textContent.includes({text})"
        ))
        .await;
    }

    /// Returns the text of the first element of a selector, with single spaces.
    pub async fn text(&self, selector: &str) -> String {
        let text = self.browser.element(selector).await.text().await.unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub async fn click(&self, selector: &str) {
        self.browser.element(selector).await.click().await.unwrap();
    }

    /// Closes the window. Nothing was loaded from elsewhere, and nothing violated the policy.
    pub async fn close(self) {
        for url in self.browser.requested_urls().await {
            // The icons of the controls of a video are `data:` URLs of the browser.
            let is_own = url.starts_with(&self.console.url) || url.starts_with("data:");
            assert!(is_own, "{url}");
        }
        assert_eq!(self.browser.policy_violations().await, [""; 0]);
        assert_eq!(self.browser.console().await, [""; 0]);
        self.browser.close().await;
    }
}

/// Makes records of each kind: a completed task, a failed one and a running one, with reads and webhooks, and other requests.
pub async fn fill(bench: &Bench) -> UnboundedReceiver<Received> {
    let (hook, received) = receiver(StatusCode::NO_CONTENT).await;
    let mut body = request_body_with("prompt", "A paper puppet dances in the rain");
    body["duration"] = "3".into();
    body["webhook_url"] = hook.into();
    let (_, result) = bench.completed(&body).await;
    bench.http.get(result).send().await.unwrap();
    bench
        .create(VIDEO_PRO, &request_body_with("prompt", "[sandbox:fail]"))
        .await;
    bench.clock.advance(TASK_TIME);
    bench.sandbox.wait_for_deliveries(2).await;
    bench.sandbox.inject("status:503=1@9".parse().unwrap());
    bench.sandbox.inject("create:drop@2".parse().unwrap());
    for _ in 0..2 {
        let body = request_body_with("prompt", "A lighthouse in a storm");
        let sent = bench.request(http::Method::POST, PRO).json(&body);
        let _ = sent.send().await;
    }
    bench.get(LIST).await;
    bench.get("/v1/ai/nothing").await;
    received
}
