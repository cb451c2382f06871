//! The options that publish metrics during a run.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clap::Args;
use kling_omni::Client;
use kling_omni_batch::{BatchResult, Batches, Metrics};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::explain::explain;
use crate::failure::Failure;
use crate::next::CommandOption;
use crate::{input, output, report};

/// How often the file is written. Prometheus scrapes at such intervals, too.
const INTERVAL: Duration = Duration::from_secs(15);
/// How a file of metrics begins, and what it is.
const METRICS: (&str, &str) = ("# HELP ", "a file of metrics");

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics")]
pub(super) struct MetricsArgs {
    /// Write the metrics to a file every 15 s, as OpenMetrics text; its name ends in .prom for node_exporter
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    metrics_file: Option<PathBuf>,

    /// Serve the metrics at /metrics of this address, such as 127.0.0.1:9464
    #[arg(long, value_name = "IP:PORT")]
    metrics_listen: Option<SocketAddr>,
}

/// Publishes metrics until it is dropped.
pub(super) struct MetricsPublisher {
    source: MetricsSource,
    file: Option<PathBuf>,
    /// Dropped, they are aborted.
    _tasks: JoinSet<()>,
}

/// A ledger, and the client of this process.
#[derive(Clone)]
struct MetricsSource {
    batches: Batches,
    client: Client,
}

impl MetricsArgs {
    /// Writes the file for the first time, and starts to publish, if an option says so.
    pub(super) async fn publish(
        &self,
        batches: &Batches,
        client: &Client,
    ) -> Result<MetricsPublisher, Failure> {
        let source = MetricsSource {
            batches: batches.clone(),
            client: client.clone(),
        };
        let mut tasks = JoinSet::new();
        if let Some(path) = &self.metrics_file {
            output::refuse_other_content(path, "--metrics-file", METRICS)?;
            source.write(path).await?;
            tasks.spawn(source.clone().keep_written(path.clone()));
        }
        if let Some(address) = self.metrics_listen {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                Failure::usage(format!("cannot listen on {address}"))
                    .with_cause(error)
                    .with_help("use another --metrics-listen, or port 0 for a free one")
            })?;
            if let Ok(address) = listener.local_addr() {
                report::say(format_args!("serving metrics on http://{address}/metrics"));
            }
            let router = Router::new()
                .route("/metrics", get(respond))
                .with_state(source.clone());
            tasks.spawn(async move {
                // It ends only with the task.
                let _ = axum::serve(listener, router).await;
            });
        }
        Ok(MetricsPublisher {
            source,
            file: self.metrics_file.clone(),
            _tasks: tasks,
        })
    }

    /// Whether something is published.
    pub(super) fn is_set(&self) -> bool {
        self.metrics_file.is_some() || self.metrics_listen.is_some()
    }

    /// Returns the options with the same meaning.
    pub(super) fn command_options(&self) -> Vec<CommandOption> {
        let file = self.metrics_file.iter();
        let file = file.map(|file| ("--metrics-file", file.into()));
        let listen = self.metrics_listen.iter();
        let listen = listen.map(|address| ("--metrics-listen", address.to_string().into()));
        file.chain(listen).collect()
    }
}

impl MetricsPublisher {
    /// Writes the file for the last time, and stops.
    pub(super) async fn stop(self) {
        if let Some(path) = &self.file
            && let Err(failure) = self.source.write(path).await
        {
            report::warn(failure.message());
        }
    }
}

impl MetricsSource {
    async fn text(&self) -> BatchResult<String> {
        let metrics = self.batches.metrics().await?;
        Ok(metrics.with_requests_of(&self.client).to_string())
    }

    async fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = self.text().await.map_err(explain)?;
        replace_file(path, &text).map_err(|error| {
            Failure::file(format!("cannot write {}", input::name(path))).with_cause(error)
        })
    }

    /// Writes the file at intervals. A failure that stays is reported once.
    async fn keep_written(self, path: PathBuf) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one is at once, and the file is written.
        ticks.tick().await;
        let mut has_failed = false;
        loop {
            ticks.tick().await;
            let written = self.write(&path).await;
            if let Err(failure) = &written
                && !has_failed
            {
                report::warn(failure.message());
            }
            has_failed = written.is_err();
        }
    }
}

async fn respond(State(source): State<MetricsSource>) -> Response {
    match source.text().await {
        Ok(text) => ([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Replaces a file, so its readers see the old or the new text. Other users may read it.
fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".metrics-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that reads all the time.
    #[test]
    fn file_is_never_seen_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("batch.prom");
        let text = |number: usize| format!("{}# EOF\n", format!("cats {number}\n").repeat(20_000));
        replace_file(&path, &text(0)).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                (1..100).for_each(|number| replace_file(&path, &text(number)).unwrap());
            });
            while !writer.is_finished() {
                let read = std::fs::read_to_string(&path).unwrap();
                let number = read.lines().next().unwrap().strip_prefix("cats ").unwrap();
                assert!(
                    read == text(number.parse().unwrap()),
                    "{} bytes",
                    read.len()
                );
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
