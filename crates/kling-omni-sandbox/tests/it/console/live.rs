//! The streams of the pages.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::ConsoleBench;
use crate::harness::{Bench, LIST, PRO, request_body};

/// The events of a page, as a browser reads them.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn open(console: &ConsoleBench, path: &str) -> Self {
        let url = format!("{}/live{path}", console.url);
        let response = console.bench.http.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            response,
            text: String::new(),
        }
    }

    /// Returns the next part.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines = event.lines().filter_map(|line| line.strip_prefix("data: "));
                let part = lines.collect::<Vec<_>>().join("\n");
                self.text = rest.to_owned();
                if part.is_empty() {
                    continue;
                }
                return Some(part);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Returns the next part with this id.
    async fn part(&mut self, id: &str) -> String {
        let start = format!("<div id=\"{id}\"");
        loop {
            let part = self.next().await.unwrap();
            if part.starts_with(&start) {
                return part;
            }
        }
    }
}

#[tokio::test]
async fn stream_begins_with_the_page() {
    let console = ConsoleBench::start().await;
    console.bench.get(LIST).await;
    for path in ["/", "/tasks", "/requests/1", "/requests?show=errors"] {
        let page = console.page(path).await;
        let mut events = Events::open(&console, path).await;
        for _ in 0..page.matches("data-version").count() {
            let part = events.next().await.unwrap();
            assert!(page.contains(part.trim_end()), "{part}");
        }
    }
}

#[tokio::test]
async fn changes_are_sent() {
    let console = ConsoleBench::start().await;
    let mut events = Events::open(&console, "/").await;
    assert!(events.part("requests").await.contains("no requests"));
    let (_, _) = (events.part("deliveries").await, events.part("arm").await);

    let id = console.bench.create(PRO, &request_body()).await;
    let tasks = events.part("tasks").await;
    assert!(
        tasks.contains(&id) && tasks.contains(">CREATED<"),
        "{tasks}"
    );
    let requests = events.part("requests").await;
    assert!(requests.contains("id=\"request-1\""), "{requests}");

    // Statuses change with the time only.
    console.bench.clock.advance(Duration::from_secs(20));
    assert!(events.part("tasks").await.contains(">IN_PROGRESS<"));
    console.bench.clock.advance(Duration::from_secs(80));
    assert!(events.part("tasks").await.contains(">COMPLETED<"));

    console
        .bench
        .sandbox
        .inject("create:drop@1".parse().unwrap());
    assert!(events.part("faults").await.contains("create:drop@1"));
    console.bench.sandbox.clear_faults();
    assert!(!events.part("faults").await.contains("create:drop@1"));
}

#[tokio::test]
async fn slow_browser_does_not_slow_the_sandbox() {
    let console = ConsoleBench::with(|builder| builder.rate_limit(10_000).record_limit(50)).await;
    let mut events = Events::open(&console, "/requests").await;
    // More than any buffer of the connection would hold, if each state was sent.
    for _ in 0..3000 {
        console.bench.get(LIST).await;
    }
    let mut parts = 1;
    while !events
        .part("requests")
        .await
        .contains("id=\"request-3000\"")
    {
        parts += 1;
    }
    assert!(parts < 1500, "{parts}");
}

#[tokio::test]
async fn stream_ends_with_the_sandbox() {
    let console = ConsoleBench::start().await;
    let mut events = Events::open(&console, "/faults").await;
    events.part("arm").await;
    console.bench.sandbox.shutdown().await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn stream_of_an_evicted_record_ends() {
    let console = ConsoleBench::with(|builder| builder.record_limit(1)).await;
    console.bench.get(LIST).await;
    let mut events = Events::open(&console, "/requests/1").await;
    events.part("request").await;
    console.bench.get(LIST).await;
    while let Some(part) = events.next().await {
        assert!(!part.contains("Request 2"));
    }
}

#[tokio::test]
async fn open_pages_are_limited() {
    let console = ConsoleBench::start().await;
    let open = || Events::open(&console, "/faults");
    let pages: Vec<_> = futures_util::stream::iter(0..64)
        .then(|_| open())
        .collect()
        .await;
    assert_eq!(console.get("/live/faults").await.status, 503);
    assert_eq!(console.get("/faults").await.status, 200);
    drop(pages);
    while console
        .bench
        .http
        .get(format!("{}/live/faults", console.url))
        .send()
        .await
        .unwrap()
        .status()
        != 200
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn page_that_is_open_does_not_delay_a_shutdown() {
    let console = ConsoleBench::start().await;
    let _events = Events::open(&console, "/").await;
    let Bench { sandbox, .. } = console.bench;
    // A connection that does not end would be aborted after 5 seconds.
    let stopped = tokio::time::timeout(Duration::from_secs(4), sandbox.shutdown());
    assert!(stopped.await.is_ok());
}
