//! The entry point: batches in a ledger.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::{TryStreamExt as _, stream};
use kling_omni::journal::{Journal, State};
use serde::{Deserialize, Serialize};

use crate::attempt_store::{AttemptStore, KnownStore, Reason};
use crate::error::{BatchError, BatchResult};
use crate::failpoint::Failpoints;
#[cfg(feature = "postgres")]
use crate::ledger::PostgresLedger;
use crate::ledger::{
    Imported, ItemQuery, Ledger, MovedLedger, NewItem, Reopening, ReportRow, SqliteLedger,
    move_ledger,
};
use crate::report;
use crate::results::ResultsFile;
use crate::state::{AttemptState, BatchState, ItemState};
use crate::status::{BatchStatus, ItemHistory, find_item, reopening};

/// How many items are read from the ledger at once.
const PAGE: u32 = 500;

/// The batches of a ledger. Cheap to clone.
///
/// ```no_run
/// use kling_omni::request::Request;
/// use kling_omni::{Client, TextToVideo};
/// use kling_omni_batch::ledger::NewItem;
/// use kling_omni_batch::{Batches, RunOptions};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let batches = Batches::open("cats.db").await?;
/// let request = TextToVideo::builder().prompt("A cat by the window").build()?;
/// let item = NewItem::new("window", &Request::from(request), "videos/window.mp4");
/// batches.import("cats", [item]).await?;
/// let status = batches.run("cats", &client, RunOptions::default()).await?.await?;
/// println!("{} tasks", status.tasks());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    pub(crate) ledger: Arc<dyn Ledger>,
}

/// Which ended items to put back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetrySelection {
    /// Those in one of these states.
    States(Vec<ItemState>),
    /// Those with one of these keys.
    Keys(Vec<String>),
}

/// How many items a retry puts back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Retried {
    /// The number of items whose paid task is fetched again.
    pub fetches: u64,
    /// The number of items for which a new task is created. Each may cost money.
    pub creates: u64,
}

/// The decision of a person about an item whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// This is its task.
    Task(String),
    /// It has no task. It may be created again, which is paid twice if the decision is wrong.
    NotCreated,
}

/// The location of a ledger as a URL of Postgres, if it is one.
fn postgres_url(location: &Path) -> Option<&str> {
    let schemes = ["postgres://", "postgresql://"];
    let location = location.to_str()?;
    schemes
        .iter()
        .any(|scheme| location.starts_with(scheme))
        .then_some(location)
}

/// A ledger that was opened by its location.
enum AnyLedger {
    Sqlite(SqliteLedger),
    #[cfg(feature = "postgres")]
    Postgres(PostgresLedger),
}

impl AnyLedger {
    async fn open(location: PathBuf) -> BatchResult<Self> {
        match postgres_url(&location) {
            None => SqliteLedger::open(location).await.map(Self::Sqlite),
            #[cfg(feature = "postgres")]
            Some(url) => PostgresLedger::open(url).await.map(Self::Postgres),
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(BatchError::NoPostgres),
        }
    }
}

impl Batches {
    /// Opens a ledger, and creates it if it does not exist. `location` is a SQLite file, or the URL of a database in Postgres
    /// (`postgres://…`), which needs the feature `postgres`.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteLedger::open`] and `PostgresLedger::open`, and [`BatchError::NoPostgres`].
    pub async fn open(location: impl Into<PathBuf>) -> BatchResult<Self> {
        Ok(match AnyLedger::open(location.into()).await? {
            AnyLedger::Sqlite(ledger) => Self::new(ledger),
            #[cfg(feature = "postgres")]
            AnyLedger::Postgres(ledger) => Self::new(ledger),
        })
    }

    /// Moves the ledger at a location to another one, which must be empty or not exist. [`move_ledger`] describes it.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) and [`move_ledger`].
    pub async fn move_ledger(
        from: impl Into<PathBuf>,
        to: impl Into<PathBuf>,
    ) -> BatchResult<MovedLedger> {
        let source = AnyLedger::open(from.into()).await?;
        let target = AnyLedger::open(to.into()).await?;
        match (&source, &target) {
            (AnyLedger::Sqlite(source), AnyLedger::Sqlite(target)) => {
                move_ledger(source, target).await
            }
            #[cfg(feature = "postgres")]
            (AnyLedger::Sqlite(source), AnyLedger::Postgres(target)) => {
                move_ledger(source, target).await
            }
            #[cfg(feature = "postgres")]
            (AnyLedger::Postgres(source), AnyLedger::Sqlite(target)) => {
                move_ledger(source, target).await
            }
            #[cfg(feature = "postgres")]
            (AnyLedger::Postgres(source), AnyLedger::Postgres(target)) => {
                move_ledger(source, target).await
            }
        }
    }

    /// Opens a ledger as [`open`](Self::open) does, to be shared by [workers](Self::worker).
    ///
    /// # Errors
    ///
    /// [`BatchError::NoQueue`] unless it is in Postgres, and those of `PostgresLedger::with_queue`.
    pub async fn open_with_queue(location: impl Into<PathBuf>) -> BatchResult<Self> {
        let location = location.into();
        match postgres_url(&location) {
            None => Err(BatchError::NoQueue),
            #[cfg(feature = "postgres")]
            Some(url) => {
                let ledger = crate::ledger::PostgresLedger::open(url).await?;
                Ok(Self::new(ledger.with_queue().await?))
            }
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(BatchError::NoPostgres),
        }
    }

    /// Uses another ledger.
    pub fn new(ledger: impl Ledger) -> Self {
        Self {
            ledger: Arc::new(ledger),
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// Adds items to a batch, which is created if it does not exist. The items are read one at a time. Importing the same
    /// items again changes nothing.
    ///
    /// # Errors
    ///
    /// [`BatchError::Changed`] and [`BatchError::SamePath`], and the first error of an item. Nothing is added then.
    pub async fn import<I>(&self, batch: &str, items: I) -> BatchResult<Imported>
    where
        I: IntoIterator<Item = BatchResult<NewItem>>,
        I::IntoIter: Send + 'static,
    {
        self.ledger.import(batch, Box::new(items.into_iter())).await
    }

    /// The status of all batches, in the order of their creation.
    pub async fn list(&self) -> BatchResult<Vec<BatchStatus>> {
        let mut all = Vec::new();
        for batch in self.ledger.batches().await? {
            all.push(BatchStatus::read(&*self.ledger, &batch.name).await?);
        }
        Ok(all)
    }

    /// The status of a batch.
    pub async fn status(&self, batch: &str) -> BatchResult<BatchStatus> {
        BatchStatus::read(&*self.ledger, batch).await
    }

    /// The history of an item.
    pub async fn show(&self, batch: &str, key: &str) -> BatchResult<ItemHistory> {
        ItemHistory::read(&*self.ledger, batch, key).await
    }

    /// Pauses a batch: a run, in any process, creates nothing more within about a second. What is paid for is still
    /// saved. [`resume`](Self::resume) continues it.
    pub async fn pause(&self, batch: &str) -> BatchResult<()> {
        self.set_state(batch, BatchState::Paused).await
    }

    /// Lets a run that is paused continue.
    pub async fn resume(&self, batch: &str) -> BatchResult<()> {
        self.set_state(batch, BatchState::Running).await
    }

    /// Stops a batch: as [`pause`](Self::pause), and a run ends when what is paid for is saved. Another
    /// [`run`](Self::run) continues it.
    pub async fn stop(&self, batch: &str) -> BatchResult<()> {
        self.set_state(batch, BatchState::Stopped).await
    }

    async fn set_state(&self, batch: &str, state: BatchState) -> BatchResult<()> {
        let batch = self.ledger.batch(batch).await?;
        if batch.state == BatchState::Done {
            return Err(BatchError::BatchIs {
                name: batch.name,
                state: batch.state,
            });
        }
        self.ledger.set_batch_state(batch.id, state, None).await?;
        Ok(())
    }

    /// Counts what [`retry`](Self::retry) would put back. Changes nothing.
    pub async fn plan_retry(
        &self,
        batch: &str,
        selection: &RetrySelection,
    ) -> BatchResult<Retried> {
        self.each_retry(batch, selection, false).await
    }

    /// Puts ended items back, for the next run or for one that is in progress. An item whose paid task can still be fetched
    /// is fetched again at no cost; for the others a new task is created, **which may cost money**. Items that are saved, or
    /// that need a [decision](Self::settle), are left as they are.
    pub async fn retry(&self, batch: &str, selection: &RetrySelection) -> BatchResult<Retried> {
        self.each_retry(batch, selection, true).await
    }

    async fn each_retry(
        &self,
        batch: &str,
        selection: &RetrySelection,
        changes: bool,
    ) -> BatchResult<Retried> {
        let mut retried = Retried::default();
        let mut from = 0;
        loop {
            let items = match selection {
                RetrySelection::Keys(keys) => {
                    let mut items = Vec::new();
                    for key in keys {
                        items.push(find_item(&*self.ledger, batch, key).await?);
                    }
                    items
                }
                RetrySelection::States(states) if states.is_empty() => Vec::new(),
                RetrySelection::States(states) => {
                    let query = ItemQuery {
                        states: states.clone(),
                        from,
                        limit: PAGE,
                        ..ItemQuery::new(self.ledger.batch(batch).await?.id)
                    };
                    self.ledger.items(query).await?
                }
            };
            let Some(last) = items.last() else {
                return Ok(retried);
            };
            from = last.position + 1;
            for item in &items {
                let Some(reopening) = reopening(item) else {
                    continue;
                };
                if changes && !self.ledger.reopen(item.id, item.state, reopening).await? {
                    continue;
                }
                match reopening {
                    Reopening::Fetch => retried.fetches += 1,
                    Reopening::Create => retried.creates += 1,
                }
            }
            if matches!(selection, RetrySelection::Keys(_)) {
                return Ok(retried);
            }
        }
    }

    /// Records the decision of a person about an item that is [unknown](ItemState::Unknown).
    ///
    /// # Errors
    ///
    /// [`BatchError::ItemIs`] if the item has another state, and [`BatchError::NotItsTask`] if the task existed before its
    /// create or belongs to another one.
    pub async fn settle(&self, batch: &str, key: &str, decision: Decision) -> BatchResult<()> {
        let item = find_item(&*self.ledger, batch, key).await?;
        let attempt = self.ledger.latest_attempt(item.id).await?;
        let undecided = attempt.filter(|attempt| attempt.state == AttemptState::Undecided);
        let Some(attempt) = undecided else {
            return Err(BatchError::ItemIs {
                key: item.key,
                state: item.state,
            });
        };
        let mut journal = Journal::with_store(AttemptStore {
            ledger: Arc::clone(&self.ledger),
            lease: None,
            attempt: (&attempt).into(),
            known: None,
            reason: Reason::default(),
            failpoints: Failpoints::default(),
            spool: None,
        })
        .await?;
        match decision {
            Decision::Task(task) => {
                let known = KnownStore::load(&*self.ledger, attempt.account)
                    .await?
                    .known;
                if let State::Unconfirmed(create) = journal.state()
                    && known.rules_out(&create, &task)
                {
                    let key = item.key;
                    return Err(BatchError::NotItsTask { key, task });
                }
                journal.resolve_as(&task).await?;
            }
            Decision::NotCreated => journal.resolve_not_created().await?,
        }
        Ok(())
    }

    /// Makes a results file agree with the ledger: a line of JSON for each item that ended, in the order in which they ended.
    /// An item that was put back and ended again has several lines, of which the last one counts.
    pub async fn write_results(&self, batch: &str, path: impl Into<PathBuf>) -> BatchResult<()> {
        let batch = self.ledger.batch(batch).await?;
        ResultsFile::open(&*self.ledger, batch.id, path.into()).await?;
        Ok(())
    }

    /// What a report says about the items from a position on, in order; at most 500 at a time, and none at the end.
    pub async fn report(&self, batch: &str, from: u64) -> BatchResult<Vec<ReportRow>> {
        let batch = self.ledger.batch(batch).await?;
        self.ledger.report(batch.id, from, PAGE).await
    }

    /// What a report says about all items, in order. The rows are read from the ledger in pages.
    pub fn report_rows(&self, batch: &str) -> impl Stream<Item = BatchResult<ReportRow>> + Send {
        let pages = stream::try_unfold(0, move |from| async move {
            let rows = self.report(batch, from).await?;
            let next = rows.last().map(|last| last.position + 1);
            Ok::<_, BatchError>(next.map(|next| (stream::iter(rows.into_iter().map(Ok)), next)))
        });
        pages.try_flatten()
    }

    /// Writes a report as CSV, with a line for each item in the order of the import.
    ///
    /// # Errors
    ///
    /// [`BatchError::File`] if the file cannot be written.
    pub async fn write_csv(&self, batch: &str, path: impl Into<PathBuf>) -> BatchResult<()> {
        let path = path.into();
        let failed = |error: csv::Error| BatchError::file("write", &path)(error.into());
        let mut file = csv::Writer::from_path(&path).map_err(failed)?;
        file.write_record(report::csv::COLUMNS).map_err(failed)?;
        let mut rows = pin!(self.report_rows(batch));
        while let Some(row) = rows.try_next().await? {
            report::csv::write_row(&mut file, &row).map_err(failed)?;
        }
        file.flush().map_err(|error| failed(error.into()))
    }
}
