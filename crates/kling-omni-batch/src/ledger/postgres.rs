//! A ledger in Postgres.

mod commit;
mod connect;
mod facts;
mod queue;
mod session;

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Semaphore;

use crate::blocking::run_blocking;
use crate::error::{BatchError, BatchResult};
use crate::failpoint::CommitHook;
use crate::ledger::postgres::queue::Queue;
use crate::ledger::postgres::session::PostgresSession;
use crate::ledger::sql::{Loss, SqlDatabase, SqlFailure, SqlSession};
use crate::ledger::{JobConsumer, LedgerFacts};

/// How long what may succeed later is repeated. A restart of the database takes less.
const RETRY_TIME: Duration = Duration::from_secs(300);
/// The delays between repetitions.
const RETRY_DELAYS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How many connections a ledger opens at most.
const MAX_CONNECTIONS: usize = 4;

/// A ledger in Postgres, for several machines. Needs the feature `postgres`, and Rust 1.94.
///
/// A schema has one ledger; others in the same database have another `search_path`. Requests in it may carry tokens in URLs, so
/// only the role of the batches should have access. It has no key, no URL of a result and no webhook secret.
///
/// A run has the account by a lease, which it renews. When its machine is gone, another one acquires the account after 10 s.
/// The former may still run, so the next run waits until an announced create can have no effect any more.
///
/// When the database is away, what may be repeated is repeated for five minutes. When the connection is lost during a
/// commit, the ledger is asked what became of it before a method returns.
#[derive(Clone)]
pub struct PostgresLedger {
    shared: Arc<PostgresShared>,
    on_commit: CommitHook,
}

/// What the clones of a ledger share.
struct PostgresShared {
    options: PgConnectOptions,
    location: String,
    idle: Mutex<Vec<PostgresSession>>,
    permits: Arc<Semaphore>,
    queue: OnceLock<Queue>,
}

impl PostgresShared {
    fn idle(&self) -> MutexGuard<'_, Vec<PostgresSession>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> Result<PostgresSession, SqlFailure> {
        let idle = self.idle().pop();
        let mut session = match idle {
            Some(session) => session,
            None => PostgresSession::connect(&self.options)?,
        };
        if let Some(queue) = self.queue.get() {
            session.find_types_of(queue)?;
        }
        Ok(session)
    }
}

impl PostgresLedger {
    /// Opens a ledger, and creates it if it does not exist. A ledger of an older version is migrated.
    ///
    /// The URL is that of libpq: `postgres://user@host:port/database?sslmode=verify-full&search_path=schema`. A password is
    /// read from the URL, `PGPASSWORD` or `.pgpass`.
    ///
    /// # Errors
    ///
    /// [`BatchError::NewerSchema`](crate::BatchError::NewerSchema), [`BatchError::Unavailable`](crate::BatchError::Unavailable),
    /// and [`BatchError::Ledger`](crate::BatchError::Ledger) if the URL is not valid or Postgres refuses the
    /// connection.
    pub async fn open(url: &str) -> BatchResult<Self> {
        let options = connect::parse(url)?;
        let ledger = Self {
            shared: Arc::new(PostgresShared {
                location: connect::location(&options),
                options,
                idle: Mutex::default(),
                permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
                queue: OnceLock::new(),
            }),
            on_commit: CommitHook::default(),
        };
        let shared = Arc::clone(&ledger.shared);
        let opened = run_blocking(move || connect::open(&shared.options, &shared.location));
        let session = opened.await.map_err(SqlFailure::into_error)?;
        ledger.shared.idle().push(session);
        Ok(ledger)
    }

    /// Delivers jobs to workers, by a queue in the same database. Its tables are in the schema `apalis`, and are created if they
    /// do not exist. All clones of the ledger have the queue then.
    ///
    /// # Errors
    ///
    /// [`BatchError::Ledger`](crate::BatchError::Ledger) if the role may not create the schema or the extension `hstore`, and
    /// [`BatchError::Unavailable`](crate::BatchError::Unavailable).
    pub async fn with_queue(self) -> BatchResult<Self> {
        if self.shared.queue.get().is_none() {
            let opened = Queue::open(&self.shared.options).await;
            let queue = opened.map_err(|error| session::classify(error).into_error())?;
            // Another clone may have opened it meanwhile.
            let _ = self.shared.queue.set(queue);
        }
        Ok(self)
    }

    /// The host, port and name of the database. It has no password.
    pub fn location(&self) -> &str {
        &self.shared.location
    }

    /// Calls `callback` in each transaction, immediately before it is committed, on a blocking thread.
    #[cfg(feature = "test-hooks")]
    #[doc(hidden)]
    #[must_use]
    pub fn on_commit(mut self, callback: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_commit.callback = Some(Arc::new(callback));
        self
    }

    /// Calls `work` with a connection on a blocking thread, again while it fails with something that may pass.
    async fn with_session<T: Send + 'static>(
        &self,
        work: impl Fn(PostgresSession, &PostgresShared) -> Result<T, SqlFailure> + Send + 'static,
    ) -> BatchResult<T> {
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&shared.permits).acquire_owned().await;
        // A caller that has gone wants no repetition.
        let caller = Arc::new(AtomicBool::new(true));
        let _gone = Gone(Arc::clone(&caller));
        run_blocking(move || {
            let _permit = permit;
            let start = Instant::now();
            let (mut delay, max_delay) = RETRY_DELAYS;
            loop {
                let done = shared.session();
                match done.and_then(|session| work(session, &shared)) {
                    Err(SqlFailure::Transient(error))
                        if start.elapsed() < RETRY_TIME && caller.load(Ordering::Acquire) =>
                    {
                        tracing::debug!(%error, "transaction repeated");
                        std::thread::sleep(delay);
                        delay = (delay * 2).min(max_delay);
                    }
                    done => return done.map_err(SqlFailure::into_error),
                }
            }
        })
        .await
    }
}

/// Notes that the caller of a method has gone.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl SqlDatabase for PostgresLedger {
    const LEASE: Option<Duration> = Some(session::LEASE);

    fn location(&self) -> String {
        self.shared.location.clone()
    }

    /// Everything is durable at once: the process goes on when the database has crashed.
    async fn transact<T: Send + 'static>(
        &self,
        _: Loss,
        work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure> + Send + 'static,
    ) -> BatchResult<T> {
        let on_commit = self.on_commit.clone();
        self.with_session(move |mut session, shared| {
            let done = commit::transact(&mut session, &work, &on_commit);
            let was_committed = match done {
                Ok(value) => Ok(value),
                Err(commit::Undone::Certain(failure)) => Err(failure),
                Err(commit::Undone::InDoubt(value, cause)) => {
                    commit::read_back(&session, &shared.options, cause).map(|()| value)
                }
            };
            if session.is_usable() {
                shared.idle().push(session);
            }
            was_committed
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn SqlSession) -> Result<T, SqlFailure> + Send + 'static,
    ) -> BatchResult<T> {
        self.with_session(move |mut session, shared| {
            let read = work(&mut session);
            if session.is_usable() {
                shared.idle().push(session);
            }
            read
        })
        .await
    }

    /// A lease by time proves nothing about earlier holders.
    async fn begin_run(&self, _: &str) -> BatchResult<Option<Arc<dyn Any + Send + Sync>>> {
        Ok(None)
    }

    fn has_queue(&self) -> bool {
        self.shared.queue.get().is_some()
    }

    async fn consume_jobs(&self, consumer: JobConsumer, queue: String) -> BatchResult<()> {
        match self.shared.queue.get() {
            Some(opened) => opened.consume(consumer, &queue).await,
            None => Err(BatchError::NoQueue),
        }
    }

    async fn inspect(&self) -> BatchResult<LedgerFacts> {
        self.read(facts::inspect).await
    }
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLedger")
            .field("location", &self.shared.location)
            .finish_non_exhaustive()
    }
}
