//! Measures how long the program takes to start and to report a status.

use std::future;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use kling_omni::{ApiKey, Client, VideoReference};
use kling_omni_sandbox::Sandbox;

use crate::sample::median;

/// Longer than the run.
const TASK_TIME: Duration = Duration::from_secs(24 * 3600);

/// What the program takes to tell its version, and how a task stands: medians in milliseconds.
pub fn times(program: &Path, starts: u32) -> Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sandbox, task) = runtime.block_on(async {
        let sandbox = Sandbox::builder()
            .task_time(TASK_TIME)
            .rate_limit(u32::MAX)
            .start()
            .await?;
        let client = Client::builder()
            .api_key(ApiKey::new(sandbox.api_key())?)
            .base_url(sandbox.base_url())
            .build()?;
        let request = VideoReference::builder()
            .prompt("The dancer of @Video1")
            .reference_video("https://example.com/dance.mp4")
            .build()?;
        let task = client.create(request).await?;
        anyhow::Ok((sandbox, task))
    })?;
    let served = sandbox.base_url().to_owned();
    let key = sandbox.api_key().to_owned();
    thread::spawn(move || runtime.block_on(future::pending::<()>()));
    let start = |arguments: &[&str]| {
        let began = Instant::now();
        let status = Command::new(program)
            .args(arguments)
            .env("FREEPIK_API_KEY", &key)
            .env("KLING_OMNI_BASE_URL", &served)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("the program cannot be run")?;
        ensure!(status.success(), "{arguments:?} ended with {status}");
        Ok(began.elapsed().as_secs_f64() * 1e3)
    };
    let (mut version, mut status) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        version.push(start(&["--version"])?);
        status.push(start(&["status", task.id()])?);
    }
    Ok((median(version), median(status)))
}
