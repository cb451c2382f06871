//! The HTTP routes, and a worker for each job.

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use kling_omni::journal::{Journal, JournalOutcome, JournalRun};
use kling_omni::{Client, TextToVideo};

use super::jobs::Jobs;

#[derive(Clone)]
pub struct Service {
    pub client: Client,
    pub jobs: Jobs,
    /// The folder of the videos.
    pub folder: PathBuf,
    /// Sets options of each run.
    pub run: fn(JournalRun<'_>) -> JournalRun<'_>,
}

impl Service {
    /// Continues the jobs that an earlier process did not finish, and returns the routes.
    pub async fn start(self) -> rusqlite::Result<Router> {
        for (job, request) in self.jobs.unfinished().await? {
            tokio::spawn(self.clone().work(job, request));
        }
        let router = Router::new().route("/videos", post(create));
        Ok(router.route("/videos/{job}", get(show)).with_state(self))
    }

    /// Runs the journal of a job until there is nothing left to do.
    async fn work(self, job: i64, request: String) {
        let end = loop {
            match self.attempt(job, &request).await {
                Ok(JournalOutcome::Saved(_)) => break "saved".to_owned(),
                // A person calls `resolve_as` or `resolve_not_created`, and removes the end of the job.
                Ok(JournalOutcome::NeedsDecision { reason, .. }) => break reason.to_string(),
                Err(error) if error.is_retryable() => {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                }
                Err(error) => break format!("{error} (charged: {})", error.charged()),
            }
        };
        if let Err(error) = self.jobs.finish(job, end).await {
            eprintln!("job {job} is continued after a restart: {error}");
        }
    }

    async fn attempt(&self, job: i64, request: &str) -> kling_omni::Result<JournalOutcome> {
        let mut journal = Journal::with_store(self.jobs.journal(job)).await?;
        let request: Option<TextToVideo> = serde_json::from_str(request).ok();
        let create = request.map(|request| self.client.create(request));
        let file = self.folder.join(format!("{job}.mp4"));
        (self.run)(journal.run(&self.client, create, file)).await
    }
}

/// Accepts a job, and responds with its id when it is in the database.
async fn create(State(service): State<Service>, request: String) -> (StatusCode, String) {
    if let Err(error) = serde_json::from_str::<TextToVideo>(&request) {
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    // Spawned, because this handler is dropped if the caller disconnects.
    let accepted = tokio::spawn(async move {
        let job = service.jobs.insert(request.clone()).await?;
        tokio::spawn(service.work(job, request));
        Ok::<_, rusqlite::Error>(job)
    });
    match accepted.await {
        Ok(Ok(job)) => (StatusCode::ACCEPTED, job.to_string()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "not stored".to_owned()),
    }
}

/// Responds with the end of a job, or with its state.
async fn show(State(service): State<Service>, Path(job): Path<i64>) -> (StatusCode, String) {
    match service.jobs.state(job).await {
        Ok(state) => (StatusCode::OK, state),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()),
    }
}
