//! A sandbox, a client and a ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use kling_omni::request::Request;
use kling_omni::{Client, TextToVideo};
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{BatchStatus, Batches, ItemState, RunOptions};
use kling_omni_sandbox::{Sandbox, SandboxBuilder};
use kling_omni_test_support::setup::{KEY, client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tempfile::TempDir;

pub(crate) const BATCH: &str = "cats";

/// A sandbox with one older task on its list, a client, and a ledger.
pub(crate) struct BatchBench {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) clock: VirtualClock,
    pub(crate) folder: TempDir,
    pub(crate) batches: Batches,
}

fn new_client(sandbox: &Sandbox, clock: &VirtualClock) -> Client {
    let client = client(sandbox.base_url(), clock).max_retries(0);
    client.build().unwrap()
}

impl BatchBench {
    /// A client that knows of no create, as that of another process.
    pub(crate) fn new_client(&self) -> Client {
        new_client(&self.sandbox, &self.clock)
    }

    pub(crate) async fn new(settings: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Self {
        let bench = Self::with_new_account(settings).await;
        // Without any task, the service has no list, which proves nothing later.
        let older = text("An older task").build().unwrap();
        bench.client.create(older).await.unwrap();
        bench
    }

    /// A bench whose account has no older task.
    pub(crate) async fn with_new_account(
        settings: impl FnOnce(SandboxBuilder) -> SandboxBuilder,
    ) -> Self {
        let clock = VirtualClock::new();
        let sandbox = settings(sandbox(&clock).jitter(0.0)).start().await.unwrap();
        let client = new_client(&sandbox, &clock);
        let folder = TempDir::new().unwrap();
        let batches = Batches::open(folder.path().join("batch.db")).await.unwrap();
        Self {
            sandbox,
            client,
            clock,
            folder,
            batches,
        }
    }

    /// The number of tasks that were paid for since the bench was made.
    pub(crate) fn charges(&self) -> usize {
        self.sandbox.charges() - 1
    }

    pub(crate) fn video(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("videos/{number}.mp4"))
    }

    pub(crate) fn item(&self, number: usize, prompt: &str) -> NewItem {
        let request = text(&format!("{prompt} {number}")).build().unwrap();
        NewItem::new(
            number.to_string(),
            &Request::from(request),
            self.video(number),
        )
        .unwrap()
    }

    pub(crate) async fn import(&self, count: usize) {
        let items: Vec<_> = (0..count)
            .map(|number| Ok(self.item(number, "A cat, take")))
            .collect();
        self.batches.import(BATCH, items).await.unwrap();
    }

    pub(crate) async fn import_items(&self, items: impl IntoIterator<Item = NewItem>) {
        let items: Vec<_> = items.into_iter().map(Ok).collect();
        self.batches.import(BATCH, items).await.unwrap();
    }

    pub(crate) async fn run(&self, options: RunOptions) -> BatchStatus {
        let run = self
            .batches
            .run(BATCH, &self.client, options)
            .await
            .unwrap();
        run.await.unwrap()
    }

    pub(crate) async fn state(&self, key: &str) -> ItemState {
        self.batches.show(BATCH, key).await.unwrap().state
    }

    /// All videos are in place, each with the content of the task of its item.
    pub(crate) async fn check_saved(&self, count: usize) {
        let status = self.batches.status(BATCH).await.unwrap();
        assert_eq!(
            status.counts,
            BTreeMap::from([(ItemState::Saved, count as u64)]),
            "{status:?}"
        );
        let rows = self.batches.report(BATCH, 0).await.unwrap();
        let mut tasks: Vec<_> = rows
            .iter()
            .map(|row| row.task_id.clone().unwrap())
            .collect();
        for row in &rows {
            let file = row.file.as_ref().unwrap();
            assert_eq!(fs::metadata(&file.path).unwrap().len(), file.bytes);
            assert_eq!(file.path, self.video(row.position as usize));
            let made = self.sandbox.tasks();
            let made = made
                .iter()
                .find(|task| Some(task.id()) == row.task_id.as_deref())
                .unwrap();
            let prompt = made.request()["prompt"].as_str().unwrap();
            assert!(prompt.ends_with(&format!(" {}", row.key)), "{prompt}");
        }
        tasks.sort();
        tasks.dedup();
        assert_eq!(tasks.len(), count);
        let folder = self.folder.path().join("videos");
        assert_eq!(
            fs::read_dir(folder).unwrap().count(),
            count,
            "partial files are left"
        );
    }

    /// The ledger has neither the key nor the URL of a result.
    pub(crate) fn check_secrets(&self) {
        for name in ["batch.db", "batch.db-wal", "batch.db.lock", "results.jsonl"] {
            let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
            for secret in [KEY, "hmac=", self.sandbox.result_base_url()] {
                let found = bytes
                    .windows(secret.len())
                    .any(|bytes| bytes == secret.as_bytes());
                assert!(!found, "{name} has {secret}");
            }
        }
    }
}

pub(crate) fn text(prompt: &str) -> kling_omni::request::TextToVideoBuilder {
    TextToVideo::builder().prompt(prompt).duration(3)
}
