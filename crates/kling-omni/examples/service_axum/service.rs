//! The HTTP routes, and a worker for each job.

use std::path::PathBuf;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use kling_omni::journal::{Journal, JournalOutcome, JournalRun};
use kling_omni::{Client, TextToVideo};
use rusqlite::{Connection, Result};

use super::jobs::Jobs;

const UNFINISHED: &str = "SELECT id, request FROM jobs WHERE end IS NULL";
const INSERT: &str = "INSERT INTO jobs (request) VALUES (?1) RETURNING id";
const FINISH: &str = "UPDATE jobs SET end = ?2 WHERE id = ?1";
const SHOW: &str = "
    SELECT coalesce(end, (SELECT state FROM records WHERE job = id ORDER BY number DESC), 'accepted')
    FROM jobs WHERE id = ?1";

#[derive(Clone)]
pub struct Service {
    pub client: Client,
    pub jobs: Jobs,
    pub folder: PathBuf,
    /// Sets options of each run.
    pub configure: fn(JournalRun<'_>) -> JournalRun<'_>,
}

impl Service {
    /// Continues the jobs that an earlier process did not finish, and returns the routes.
    pub async fn start(self) -> Result<Router> {
        let unfinished = self.jobs.query(|database| {
            let mut unfinished = database.prepare(UNFINISHED)?;
            let jobs = unfinished.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            jobs.collect::<Result<Vec<(i64, String)>>>()
        });
        for (job, request) in unfinished.await? {
            tokio::spawn(self.clone().work(job, request));
        }
        let router = Router::new().route("/videos", post(create));
        Ok(router.route("/videos/{job}", get(show)).with_state(self))
    }

    /// Runs the journal of a job until there is nothing left to do.
    async fn work(self, job: i64, request: String) {
        let end = loop {
            match self.run(job, &request).await {
                Ok(JournalOutcome::Saved(_)) => break "saved".to_owned(),
                // A person calls `resolve_as` or `resolve_not_created`, and removes the end of the job.
                Ok(JournalOutcome::NeedsDecision { reason, .. }) => break reason.to_string(),
                Err(error) if error.is_retryable() => {
                    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
                }
                Err(error) => break format!("{error} (charged: {})", error.charged()),
            }
        };
        let finishing = self
            .jobs
            .query(move |database| database.execute(FINISH, (job, end)));
        if let Err(error) = finishing.await {
            eprintln!("job {job} is continued after a restart: {error}");
        }
    }

    async fn run(&self, job: i64, request: &str) -> kling_omni::Result<JournalOutcome> {
        let mut journal = Journal::with_store(self.jobs.journal(job)).await?;
        let request = serde_json::from_str::<TextToVideo>(request).ok();
        let create = request.map(|request| self.client.create(request));
        let file = self.folder.join(format!("{job}.mp4"));
        (self.configure)(journal.run(&self.client, create, file)).await
    }
}

/// Accepts a job, and responds with its id when it is in the database.
async fn create(State(service): State<Service>, request: String) -> (StatusCode, String) {
    if let Err(error) = serde_json::from_str::<TextToVideo>(&request) {
        return (StatusCode::BAD_REQUEST, error.to_string());
    }
    // Spawned, because this handler is dropped if the caller disconnects.
    let accepted = tokio::spawn(async move {
        let row = [request.clone()];
        let insert =
            |database: &rusqlite::Connection| database.query_row(INSERT, row, |row| row.get(0));
        let job: i64 = service.jobs.query(insert).await?;
        tokio::spawn(service.work(job, request));
        Ok::<_, rusqlite::Error>(job)
    });
    match accepted.await {
        Ok(Ok(job)) => (StatusCode::ACCEPTED, job.to_string()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "not stored".to_owned()),
    }
}

async fn show(State(service): State<Service>, Path(job): Path<i64>) -> (StatusCode, String) {
    let show = move |database: &Connection| database.query_row(SHOW, [job], |row| row.get(0));
    match service.jobs.query(show).await {
        Ok(state) => (StatusCode::OK, state),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()),
    }
}
