//! Moves a ledger to another location.

use serde::Serialize;
use tokio::runtime::Handle;

use crate::error::{BatchError, BatchResult};
use crate::holder::holder_of;
use crate::ledger::sql::mark::{self, Mark, Target};
use crate::ledger::sql::tables::TABLES;
use crate::ledger::sql::{Loss, SqlDatabase, SqlFailure, SqlSession, values};

/// What a move copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MovedLedger {
    /// The number of batches.
    pub batches: u64,
    /// The number of their items.
    pub items: u64,
}

/// Moves everything in a ledger to an empty one: batches with their items, attempts, records, files, events and policies,
/// accounts with their known tasks, and the salt. Ids stay the same.
///
/// First the source gets a mark. From then on it refuses runs, workers and changes; its status and its reports can still be
/// read. Then one transaction of the target writes everything, so the two ledgers never spend money at the same time. If the
/// process ends in between, the target has nothing or everything, and the same move again completes it. If the move fails
/// and the target certainly has nothing, the mark is removed.
///
/// # Errors
///
/// [`BatchError::InUse`] if a run has an account of the source, [`BatchError::NotEmpty`] if the target is not empty,
/// [`BatchError::Moved`] if the source was moved to another ledger, and those of both ledgers.
pub async fn move_ledger<S, T>(source: &S, target: &T) -> BatchResult<MovedLedger>
where
    S: SqlDatabase + Clone,
    T: SqlDatabase + Clone,
{
    let location = target.location();
    let holder = holder_of(&format!("move to {location}"));
    // Keeps all other processes from a source in SQLite until the end of the move.
    let _hold = source.begin_run(&holder).await?;
    let plan = Plan::begin(source, target, location).await?;
    match copy(source, target, &plan).await {
        Ok(()) => {}
        // The target may have everything.
        Err(error @ BatchError::InDoubt(_)) => return Err(error),
        Err(error) => {
            undo(source, target, &plan).await;
            return Err(error);
        }
    }
    source.read(count).await
}

/// The two ledgers before the move.
#[derive(Clone, Debug)]
struct Plan {
    location: String,
    source_salt: Vec<u8>,
    target_salt: Vec<u8>,
}

impl Plan {
    /// Sets the mark of the source, unless an earlier move to this target did.
    async fn begin<S: SqlDatabase, T: SqlDatabase>(
        source: &S,
        target: &T,
        location: String,
    ) -> BatchResult<Self> {
        let found = source.read(|ledger| Ok((mark::salt(ledger)?, mark::read(ledger)?)));
        let (source_salt, mark) = found.await?;
        let salt = target.read(mark::salt).await?;
        let target_salt = match &mark {
            Some(mark) if ![&mark.salt, &source_salt].contains(&&salt) => {
                let location = mark.location.clone();
                return Err(BatchError::Moved { location });
            }
            Some(mark) => mark.salt.clone(),
            None => salt,
        };
        let plan = Self {
            location,
            source_salt,
            target_salt,
        };
        if mark.is_some() {
            return Ok(plan);
        }
        let is_empty = target.read(mark::is_empty).await?;
        // The salt of the source is that of itself, or of a copy of its file.
        if !is_empty || plan.source_salt == plan.target_salt {
            return Err(plan.not_empty());
        }
        let mark = Mark {
            location: plan.location.clone(),
            salt: plan.target_salt.clone(),
        };
        let set = source.transact(Loss::Money, move |ledger| mark::set(ledger, &mark));
        set.await?;
        Ok(plan)
    }

    fn not_empty(&self) -> BatchError {
        BatchError::NotEmpty {
            location: self.location.clone(),
        }
    }

    fn find_target(&self, ledger: &mut dyn SqlSession) -> Result<Target, SqlFailure> {
        mark::find_target(ledger, &self.target_salt, &self.source_salt)
    }
}

/// Copies everything in one transaction of the target, unless an earlier move did.
async fn copy<S, T>(source: &S, target: &T, plan: &Plan) -> BatchResult<()>
where
    S: SqlDatabase + Clone,
    T: SqlDatabase,
{
    let (source, plan) = (source.clone(), plan.clone());
    let runtime = Handle::current();
    let copy = target.transact(Loss::Money, move |ledger| {
        match plan.find_target(ledger)? {
            Target::Complete => return Ok(()),
            Target::Other => return Err(plan.not_empty().into()),
            Target::Empty => {}
        }
        for table in &TABLES {
            let mut last = None;
            loop {
                let read = source.read(move |source| table.read(source, last.as_ref()));
                let mut rows = runtime.block_on(read)?;
                if rows.is_empty() {
                    break;
                }
                table.insert(ledger, &rows)?;
                last = rows.pop();
            }
            table.set_identity(ledger)?;
        }
        mark::complete(ledger, &plan.source_salt, S::LEASE.is_none())
    });
    copy.await
}

/// Removes the mark of the source, once the target refuses the move.
async fn undo<S: SqlDatabase, T: SqlDatabase>(source: &S, target: &T, plan: &Plan) {
    let refuser = plan.clone();
    let refuse = target.transact(Loss::Money, move |ledger| {
        let found = refuser.find_target(ledger)?;
        if found == Target::Empty {
            // Another process may be about to copy: to it, this is another ledger.
            mark::set_salt(ledger, &mark::new_salt())?;
        }
        Ok(found)
    });
    let undone = match refuse.await {
        Ok(Target::Complete) => Ok(()),
        Ok(Target::Empty | Target::Other) => source.transact(Loss::Money, mark::remove).await,
        Err(error) => Err(error),
    };
    if let Err(error) = undone {
        tracing::warn!(%error, "mark of a moved ledger not removed");
    }
}

fn count(ledger: &mut dyn SqlSession) -> Result<MovedLedger, SqlFailure> {
    let count = "select (select count(*) from batch), (select count(*) from item)";
    let row = ledger.row(count, values![])?;
    Ok(MovedLedger {
        batches: row.get(0)?,
        items: row.get(1)?,
    })
}
