//! A sandbox, and a folder to run the program in.

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use kling_omni_sandbox::{Delivery, Sandbox, SandboxBuilder};
use tempfile::TempDir;

use super::{Background, KEY, Program};

/// A sandbox on its own thread, and a folder to run the program in.
pub struct Service {
    sandbox: Background<Sandbox>,
    folder: TempDir,
}

impl Service {
    /// Starts a service whose tasks complete immediately.
    pub fn quick() -> Self {
        Self::start(|builder| builder.task_time(Duration::ZERO))
    }

    /// Starts a service whose tasks do not complete during a test.
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

    /// Returns a run of the program with the key and the URL of this sandbox.
    pub fn program(&self, line: &str) -> Program {
        Program::new(self.folder(), line)
            .key()
            .env("KLING_OMNI_BASE_URL", self.sandbox.base_url())
    }

    /// Creates a task on the older route, and returns its id.
    pub fn task(&self, prompt: &str) -> String {
        let ended = self
            .program("generate --no-wait --mode reference --prompt")
            .arg(prompt)
            .run()
            .expect(0);
        ended.stdout.trim().to_owned()
    }

    /// Creates a task from text, and returns its id.
    pub fn text_task(&self, prompt: &str) -> String {
        let program = self.program("generate --no-wait --prompt").arg(prompt);
        program.run().expect(0).stdout.trim().to_owned()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the names of the files in the folder.
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

    /// Waits until `count` deliveries have a response, and returns all.
    pub fn wait_for_deliveries(&self, count: usize) -> Vec<Delivery> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(self.sandbox.wait_for_deliveries(count))
    }

    /// Returns the bodies of the requests that created a task.
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
