//! The queue of a ledger in Postgres: apalis, in the same database and the same transactions.
//!
//! apalis delivers a job once or more: again if its worker is gone for 15 s, and at the same time if that worker was only
//! stopped. That is why only steps that cost nothing are jobs.

use std::time::Duration;

use apalis::prelude::{
    BackendExt as _, BackoffConfig, BoxDynError, Data, TaskBuilder, WorkerBuilder,
    WorkerBuilderExt as _,
};
use apalis_postgres::queries::push_tasks;
use apalis_postgres::{Config, PostgresStorage};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use crate::error::{BatchError, BatchResult};
use crate::ledger::job::RunJob;
use crate::ledger::postgres::session::PostgresSession;
use crate::ledger::sql::{SqlFailure, SqlSession, values};
use crate::ledger::{AccountId, ItemId, Job, JobConsumer, Step};

/// How often a worker says that it is alive, and how often it may fail to before its jobs are delivered again.
const HEARTBEAT: Duration = Duration::from_secs(5);
const MAX_MISSED_HEARTBEATS: usize = 3;
/// How often a queue is asked for jobs: at first, and at least.
const POLL_INTERVALS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));
/// How many connections the consumers of a ledger open at most.
const MAX_CONNECTIONS: u32 = 4;

/// The content of a job. Its format is part of the name of its queue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct JobContent {
    item: ItemId,
}

/// Runs the jobs of a queue.
#[derive(Clone)]
struct JobRunner {
    step: Step,
    run: RunJob,
}

/// The connections of consumers.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pool: PgPool,
    /// The schemas of apalis and of the extension that it uses.
    schemas: Vec<String>,
}

impl Queue {
    /// Creates the tables of apalis if they do not exist. Other processes wait for it.
    pub(super) async fn open(options: &PgConnectOptions) -> sqlx::Result<Self> {
        let mut connection = options.connect().await?;
        let lock = "select pg_advisory_lock(hashtext('kling-omni queue'))";
        sqlx::query(lock).execute(&mut connection).await?;
        let opened = Self::create(options, &mut connection).await;
        // The end of the session releases the lock.
        connection.close().await?;
        opened
    }

    async fn create(
        options: &PgConnectOptions,
        connection: &mut PgConnection,
    ) -> sqlx::Result<Self> {
        for create in [
            "create schema if not exists apalis",
            "create extension if not exists hstore with schema apalis",
        ] {
            connection.execute(create).await?;
        }
        let schema = "select nspname::text from pg_extension
            join pg_namespace on pg_namespace.oid = extnamespace where extname = 'hstore'";
        let of_extension: String = sqlx::query_scalar(schema).fetch_one(connection).await?;
        let mut schemas = vec!["apalis".to_owned()];
        if of_extension != "apalis" {
            schemas.push(of_extension);
        }
        let options = options
            .clone()
            .options([("search_path", schemas.join(","))]);
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect_lazy_with(options);
        let created = PostgresStorage::<()>::setup(&pool).await;
        created.map_err(|error| sqlx::Error::Configuration(error.into()))?;
        Ok(Self { pool, schemas })
    }

    /// The schemas of its types, as in a search path.
    pub(super) fn schemas(&self) -> String {
        self.schemas.join(", ")
    }

    /// Runs the jobs of a queue until the consumer is stopped.
    pub(super) async fn consume(&self, consumer: JobConsumer, queue: &str) -> BatchResult<()> {
        let JobConsumer {
            step,
            concurrency,
            run,
            mut stop,
            ..
        } = consumer;
        let config = Config::default()
            .queue(queue)
            .batch_size(concurrency)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MAX_MISSED_HEARTBEATS)
            // A job is the worker's from when it is fetched: another statement per job would say the same.
            .lock_tasks(false)
            // What it calls a result is the acknowledgement.
            .persist_results(true);
        let (interval, max_interval) = POLL_INTERVALS;
        let backend = PostgresStorage::<JobContent>::new(&self.pool)
            .with_config(config)
            .poll_with_backoff(interval, BackoffConfig::new(max_interval));
        // The jobs of a worker that is gone are delivered again only if no other one has its name.
        let name = format!("{step} {}", Uuid::new_v4());
        let worker = WorkerBuilder::new(name)
            .backend(backend)
            .concurrency(concurrency)
            .data(JobRunner { step, run })
            .build(run_job);
        let until = async move {
            // The handle of the worker was dropped, which also stops it.
            let _ = stop.wait_for(|stop| *stop).await;
            Ok::<(), std::io::Error>(())
        };
        let ended = worker.run_until(until).await;
        ended.map_err(|error| BatchError::Unavailable(error.into()))
    }
}

async fn run_job(content: JobContent, runner: Data<JobRunner>) -> Result<(), BoxDynError> {
    let job = Job {
        item: content.item,
        step: runner.step,
    };
    // A panic is an error of this job alone.
    tokio::spawn((runner.run)(job)).await??;
    Ok(())
}

/// Delivers jobs, in the transaction of the session.
pub(super) fn push(
    session: &mut PostgresSession,
    queue: &str,
    items: &[ItemId],
) -> Result<(), SqlFailure> {
    let mut tasks = Vec::new();
    for item in items {
        let content = serde_json::to_vec(&JobContent { item: *item })?;
        // At once, whatever the clock of this machine says.
        tasks.push(TaskBuilder::new(content).run_at_timestamp(0).build());
    }
    let queue = queue.to_owned();
    session.run(async |connection| {
        push_tasks(connection, &queue, tasks)
            .await
            .map_err(|error| match error {
                apalis_postgres::Error::Database(error) => error,
                other => sqlx::Error::Configuration(other.into()),
            })
    })
}

/// Removes the jobs of the ledger that apalis does not have, or has given up, and what it has of finished ones.
pub(super) fn remove_lost(
    session: &mut dyn SqlSession,
    queue: &str,
    account: AccountId,
    step: Step,
) -> Result<u64, SqlFailure> {
    let forget = "delete from apalis.jobs where job_type = $1
        and (status in ('Done', 'Killed') or (status = 'Failed' and attempts >= max_attempts))";
    session.execute(forget, values![queue])?;
    let forget_workers = "delete from apalis.workers where worker_type = $1
        and last_seen < now() - interval '1 day'
        and not exists (select 1 from apalis.jobs where lock_by = workers.id)";
    session.execute(forget_workers, values![queue])?;
    let remove = "delete from job using item, batch
        where item.id = job.item_id and batch.id = item.batch_id and job.step = $1 and batch.account_id = $2
            and not exists (select 1 from apalis.jobs
                where job_type = $3 and convert_from(jobs.job, 'UTF8')::json ->> 'item' = job.item_id::text)";
    session.execute(remove, values![step.as_str(), account.0, queue])
}
