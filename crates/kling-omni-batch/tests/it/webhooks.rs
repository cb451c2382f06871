//! Runs with a webhook: time passes only when the test says so, and no poll is due, so what ends a wait is a delivery.

use std::collections::HashSet;
use std::time::Duration;

use kling_omni::clock::{Clock as _, ManualClock};
use kling_omni::polling::PollSchedule;
use kling_omni::request::Request;
use kling_omni::webhook::correlation::PARAMETER;
use kling_omni::webhook::{Received, Secret, WebhookErrorKind, WebhookReceiver};
use kling_omni::{ApiKey, Client, Mode};
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{BatchError, BatchRun, ItemState, RunEvent, RunOptions};
use kling_omni_sandbox::TaskRecord;
use kling_omni_test_support::setup::KEY;
use serde_json::json;

use crate::bench::{BATCH, BatchBench, text};

const URL: &str = "https://hooks.example.com/kling?team=7";
const ITEMS: usize = 4;
/// No wait of a test polls before.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// A batch whose clock the test moves.
struct WebhookBench {
    bench: BatchBench,
    clock: ManualClock,
    secret: Secret,
    receiver: WebhookReceiver,
}

impl WebhookBench {
    async fn new() -> Self {
        let mut bench = BatchBench::new(|sandbox| sandbox).await;
        let clock = bench.clock.for_sandbox();
        let client = Client::builder().api_key(ApiKey::new(KEY).unwrap());
        let client = client.base_url(bench.sandbox.base_url());
        bench.client = client.clock(clock.clone()).max_retries(0).build().unwrap();
        let secret = Secret::new("canary-of-a-webhook-secret").unwrap();
        let receiver = WebhookReceiver::builder(secret.clone())
            .clock(clock.clone())
            .build();
        Self {
            bench,
            clock,
            secret,
            receiver,
        }
    }

    async fn start(&self) -> BatchRun {
        let options = RunOptions::default()
            .webhook(URL, &self.receiver)
            .task_timeout(NEVER * 2)
            .poll_schedule(PollSchedule::fixed(NEVER));
        let run = self.bench.batches.run(BATCH, &self.bench.client, options);
        run.await.unwrap()
    }

    /// The tasks of the batch.
    fn tasks(&self) -> Vec<TaskRecord> {
        let tasks = self.bench.sandbox.tasks().into_iter();
        tasks
            .filter(|task| task.request().get("webhook_url").is_some())
            .collect()
    }

    /// Delivers a status of each task, and returns what the receiver says.
    async fn deliver(&self, message: &Message) -> Vec<Result<Received, WebhookErrorKind>> {
        let mut said = Vec::new();
        for task in self.tasks() {
            let hook = task.request()["webhook_url"].as_str().unwrap();
            let (_, query) = hook.split_once('?').unwrap();
            let id = message.task.unwrap_or(task.id());
            let generated = match (message.is_forged, message.status) {
                (true, _) => vec!["https://forger.example/video.mp4".to_owned()],
                (false, "COMPLETED") => self.results(task.id()).await,
                _ => Vec::new(),
            };
            let body = json!({"task_id": id, "status": message.status, "generated": generated});
            let body = body.to_string();
            let sent_at = self.clock.system_time() - message.age;
            let name = format!("{}-{}", message.name, task.id());
            let secret = match message.is_forged {
                true => &Secret::new("the-secret-of-another-account").unwrap(),
                false => &self.secret,
            };
            let headers = secret.headers(&name, sent_at, body.as_bytes()).unwrap();
            let received = self
                .receiver
                .receive(&headers, Some(query), body.as_bytes());
            said.push(received.map_err(|error| error.kind()));
        }
        said
    }

    /// The URLs that a delivery about a completed task has.
    async fn results(&self, id: &str) -> Vec<String> {
        let task = self.bench.client.task_of_mode(id, Mode::Text);
        let state = task.refresh().await.unwrap();
        state.generated().to_vec()
    }
}

/// A delivery about each task.
struct Message {
    name: &'static str,
    status: &'static str,
    /// The task that it names; by default the one whose URL it is sent to.
    task: Option<&'static str>,
    age: Duration,
    is_forged: bool,
}

impl Message {
    const CREATED: Self = Self {
        name: "created",
        status: "CREATED",
        task: None,
        age: Duration::ZERO,
        is_forged: false,
    };
    const COMPLETED: Self = Self {
        name: "completed",
        status: "COMPLETED",
        ..Self::CREATED
    };
    /// Would save another file, if it were trusted.
    const FORGED: Self = Self {
        name: "forged",
        status: "COMPLETED",
        is_forged: true,
        ..Self::CREATED
    };
    /// Would give the task of the forger to the create whose response was lost.
    const FORGED_TASK: Self = Self {
        name: "forged-task",
        task: Some("11111111-2222-3333-4444-555555555555"),
        is_forged: true,
        ..Self::CREATED
    };
    /// Would take the task back to an earlier status.
    const LATE: Self = Self {
        name: "late",
        status: "IN_PROGRESS",
        age: Duration::from_secs(30),
        ..Self::CREATED
    };
}

/// Reads the events of a run up to its first unconfirmed create, or until so many tasks exist.
async fn follow(run: &mut BatchRun, mut created: usize) -> Option<RunEvent> {
    while let Some(event) = run.next_event().await {
        match event {
            RunEvent::Settling { .. } => return Some(event),
            RunEvent::Item {
                state: ItemState::Created,
                ..
            } => created -= 1,
            _ => {}
        }
        if created == 0 {
            return Some(event);
        }
    }
    None
}

#[tokio::test]
async fn deliveries_end_the_waits() {
    let webhooks = WebhookBench::new().await;
    webhooks.bench.import(ITEMS).await;
    let mut run = webhooks.start().await;
    follow(&mut run, ITEMS).await.unwrap();
    let tokens: HashSet<_> = webhooks
        .tasks()
        .iter()
        .map(|task| {
            let hook = task.request()["webhook_url"].as_str().unwrap().to_owned();
            let (url, token) = hook.split_once(&format!("&{PARAMETER}=")).unwrap();
            assert_eq!(url, URL);
            token.to_owned()
        })
        .collect();
    assert_eq!(tokens.len(), ITEMS, "each create has its own token");
    webhooks.clock.advance(Duration::from_secs(60));
    webhooks.deliver(&Message::COMPLETED).await;
    run.await.unwrap();
    assert_eq!(webhooks.bench.charges(), ITEMS);
    webhooks.bench.check_saved(ITEMS).await;
}

#[tokio::test]
async fn doubled_late_and_forged_deliveries_change_nothing() {
    for fault in [None, Some("create:drop@2")] {
        let webhooks = WebhookBench::new().await;
        if let Some(fault) = fault {
            webhooks.bench.sandbox.inject(fault.parse().unwrap());
        }
        webhooks.bench.import(ITEMS).await;
        let mut run = webhooks.start().await;
        let refused = async |message: &Message| {
            let received = webhooks.deliver(message).await;
            assert!(!received.is_empty());
            let is_refused =
                |one: &Result<_, _>| one.as_ref().err() == Some(&WebhookErrorKind::BadSignature);
            assert!(received.iter().all(is_refused), "{received:?}");
        };
        if fault.is_some() {
            follow(&mut run, ITEMS).await.unwrap();
            assert_eq!(webhooks.tasks().len(), 2, "its response was lost");
            refused(&Message::FORGED_TASK).await;
            refused(&Message::FORGED).await;
            webhooks.deliver(&Message::CREATED).await;
        }
        // The task that a delivery named is reported like any other.
        follow(&mut run, ITEMS - usize::from(fault.is_some()))
            .await
            .unwrap();
        refused(&Message::FORGED).await;
        webhooks.clock.advance(Duration::from_secs(60));
        webhooks.deliver(&Message::COMPLETED).await;
        let again = webhooks.deliver(&Message::COMPLETED).await;
        let is_doubled = |one: &Result<_, _>| matches!(one, Ok(Received::Duplicate(_)));
        assert!(again.iter().all(is_doubled), "{again:?}");
        let late = webhooks.deliver(&Message::LATE).await;
        let is_late = |one: &Result<_, _>| matches!(one, Ok(Received::OutOfOrder(_)));
        assert!(late.iter().all(is_late), "{late:?}");
        refused(&Message::FORGED).await;
        run.await.unwrap();
        assert_eq!(webhooks.bench.charges(), ITEMS, "{fault:?}");
        webhooks.bench.check_saved(ITEMS).await;
    }
}

#[tokio::test]
async fn delivery_names_the_task_of_an_earlier_run() {
    let mut webhooks = WebhookBench::new().await;
    let lost = "create:drop@1".parse().unwrap();
    webhooks.bench.sandbox.inject(lost);
    webhooks.bench.import(1).await;
    let mut run = webhooks.start().await;
    let settling = follow(&mut run, 1).await;
    assert!(matches!(settling, Some(RunEvent::Settling { .. })));
    run.abort();
    assert!(matches!(run.await, Err(BatchError::Aborted)));
    // A process that starts has received nothing yet.
    webhooks.receiver = WebhookReceiver::builder(webhooks.secret.clone())
        .clock(webhooks.clock.clone())
        .build();
    let mut run = webhooks.start().await;
    follow(&mut run, 1).await.unwrap();
    webhooks.clock.advance(Duration::from_secs(60));
    webhooks.deliver(&Message::COMPLETED).await;
    run.await.unwrap();
    assert_eq!(webhooks.bench.charges(), 1);
    webhooks.bench.check_saved(1).await;
}

#[tokio::test]
async fn url_of_a_row_is_kept() {
    let webhooks = WebhookBench::new().await;
    let own = "https://example.com/own";
    let request = text("A cat 0").webhook_url(own).build().unwrap();
    let item = NewItem::new("0", &Request::from(request), webhooks.bench.video(0)).unwrap();
    webhooks.bench.import_items([item]).await;
    let mut run = webhooks.start().await;
    follow(&mut run, 1).await.unwrap();
    let tasks = webhooks.tasks();
    assert_eq!(tasks[0].request()["webhook_url"], own);
    run.abort();
}

#[tokio::test]
async fn url_that_is_not_one_is_refused_before_anything_is_sent() {
    let webhooks = WebhookBench::new().await;
    webhooks.bench.import(1).await;
    let requests = webhooks.bench.sandbox.requests().len();
    for url in ["hooks.example.com", "ftp://hooks.example.com", ""] {
        let options = RunOptions::default().webhook(url, &webhooks.receiver);
        let run = webhooks
            .bench
            .batches
            .run(BATCH, &webhooks.bench.client, options);
        let error = run.await.unwrap_err();
        assert!(matches!(error, BatchError::Client(_)), "{url}: {error}");
    }
    assert_eq!(webhooks.bench.sandbox.requests().len(), requests);
    assert_eq!(webhooks.bench.state("0").await, ItemState::Planned);
}
