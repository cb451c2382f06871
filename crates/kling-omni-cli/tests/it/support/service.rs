//! A sandbox, and a folder to run the program in.

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use kling_omni_sandbox::{Delivery, Sandbox, SandboxBuilder};
use tempfile::TempDir;

use super::{Background, KEY, Program};

/// A sandbox on a thread of its own, and a folder to work in.
pub struct Service {
    sandbox: Background<Sandbox>,
    folder: TempDir,
}

impl Service {
    /// Tasks end as soon as they are created.
    pub fn quick() -> Self {
        Self::start(|builder| builder.task_time(Duration::ZERO))
    }

    /// Tasks do not end while a test runs.
    pub fn slow() -> Self {
        Self::start(|builder| builder.task_time(Duration::from_secs(24 * 3600)))
    }

    pub fn start(settings: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Self {
        let builder = settings(Sandbox::builder().api_key(KEY).jitter(0.0));
        Self {
            sandbox: Background::start(async { builder.start().await.unwrap() }),
            folder: TempDir::new().unwrap(),
        }
    }

    /// A run of the program that has the key and talks to this sandbox.
    pub fn program(&self, line: &str) -> Program {
        Program::new(self.folder(), line)
            .key()
            .env("KLING_OMNI_BASE_URL", self.sandbox.base_url())
    }

    /// Creates a task that the older route takes, and answers its id.
    pub fn task(&self, prompt: &str) -> String {
        let ended = self
            .program("generate --no-wait --mode reference --prompt")
            .arg(prompt)
            .run()
            .expect(0);
        ended.stdout.trim().to_owned()
    }

    /// Creates one from text, and answers its id.
    pub fn text_task(&self, prompt: &str) -> String {
        let program = self.program("generate --no-wait --prompt").arg(prompt);
        program.run().expect(0).stdout.trim().to_owned()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Names of the files in the folder.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .folder()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The deliveries, once so many have been answered: their receivers know before the sandbox does.
    pub fn deliveries_once_there_are(&self, count: usize) -> Vec<Delivery> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(self.sandbox.wait_for_deliveries(count))
    }

    /// The bodies of the requests that made a task.
    pub fn bodies(&self) -> Vec<serde_json::Value> {
        let tasks = self.sandbox.tasks();
        tasks.iter().map(|task| task.request().clone()).collect()
    }
}

impl Deref for Service {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}
