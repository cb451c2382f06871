//! Counts for operators.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::metrics::{
    AccountMetrics, BatchMetrics, LedgerMetrics, QueuedJobs, RecentVideo,
};
use crate::ledger::sql::accounts;
use crate::ledger::sql::session::{SqlFailure, SqlSession, values};
use crate::ledger::{Batch, BatchId};

/// How many of the last ends of a batch are looked at for delays.
const RECENT_ENDS: u32 = 200;

/// Reads the counts of all batches, with a few statements for any number of items.
pub(super) fn read(ledger: &mut dyn SqlSession) -> Result<LedgerMetrics, SqlFailure> {
    let mut batches = BTreeMap::new();
    for batch in accounts::batches(ledger)? {
        let recent = recent_videos(ledger, batch.id)?;
        batches.insert(batch.id.0, new_batch(batch, recent));
    }
    count_items(ledger, &mut batches)?;
    count_tasks(ledger, &mut batches)?;
    count_jobs(ledger, &mut batches)?;
    let undecided =
        "select account_id, count(*) from attempt where state = 'undecided' group by account_id";
    let mut undecided = ledger
        .query(undecided, &[])?
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<Result<BTreeMap<i64, u64>, SqlFailure>>()?;
    let accounts = accounts::all(ledger)?;
    Ok(LedgerMetrics {
        batches: batches.into_values().collect(),
        accounts: accounts
            .into_iter()
            .map(|account| AccountMetrics {
                undecided: undecided.remove(&account.id.0).unwrap_or_default(),
                account: account.id,
                holder: account.holder,
                is_held: account.is_held,
            })
            .collect(),
    })
}

fn new_batch(batch: Batch, recent: Vec<RecentVideo>) -> BatchMetrics {
    BatchMetrics {
        name: batch.name,
        account: batch.account,
        state: batch.state,
        items: BTreeMap::new(),
        tasks: 0,
        seconds: 0,
        jobs: BTreeMap::new(),
        recent,
    }
}

/// The batches by their ids.
type Batches = BTreeMap<i64, BatchMetrics>;

fn count_items(ledger: &mut dyn SqlSession, batches: &mut Batches) -> Result<(), SqlFailure> {
    let items = "select batch_id, state, count(*) from item group by batch_id, state";
    for row in ledger.query(items, &[])? {
        if let Some(batch) = batches.get_mut(&row.get(0)?) {
            batch.items.insert(row.parse(1)?, row.get(2)?);
        }
    }
    Ok(())
}

fn count_tasks(ledger: &mut dyn SqlSession, batches: &mut Batches) -> Result<(), SqlFailure> {
    // The index has the seconds, so no row of an item is read.
    let tasks = format!(
        "select item.batch_id, count(*), cast(sum(item.seconds) as bigint)
         from item {} join attempt on attempt.item_id = item.id
         where attempt.task_id is not null or attempt.state in ('announced', 'unknown', 'undecided', 'created')
         group by item.batch_id",
        ledger.dialect().indexed_by("item_by_kind")
    );
    for row in ledger.query(&tasks, &[])? {
        if let Some(batch) = batches.get_mut(&row.get(0)?) {
            (batch.tasks, batch.seconds) = (row.get(1)?, row.get(2)?);
        }
    }
    Ok(())
}

fn count_jobs(ledger: &mut dyn SqlSession, batches: &mut Batches) -> Result<(), SqlFailure> {
    let jobs = format!(
        "select item.batch_id, job.step, count(*), {} - min(job.queued_at)
         from job join item on item.id = job.item_id group by item.batch_id, job.step",
        ledger.dialect().now
    );
    for row in ledger.query(&jobs, &[])? {
        if let Some(batch) = batches.get_mut(&row.get(0)?) {
            let jobs = QueuedJobs {
                jobs: row.get(2)?,
                oldest: between(0, row.get(3)?),
            };
            batch.jobs.insert(row.parse(1)?, jobs);
        }
    }
    Ok(())
}

/// The delays of the last saved videos of a batch.
fn recent_videos(
    ledger: &mut dyn SqlSession,
    batch: BatchId,
) -> Result<Vec<RecentVideo>, SqlFailure> {
    // The condition is that of the index.
    let recent = format!(
        "select created, ended, at from (
            select at,
                (select max(at) from event where item_id = last.item_id and state = 'created' and number < last.number) as created,
                (select max(at) from event where item_id = last.item_id and state = 'ended' and number < last.number) as ended
            from (select number, item_id, at, state from event {} where batch_id = $1
                and state in ('saved', 'rejected', 'failed', 'expired', 'unknown', 'skipped')
                order by number desc limit $2) as last
            where last.state = 'saved') as delay
         where created is not null and ended is not null",
        ledger.dialect().indexed_by("event_of_end")
    );
    let rows = ledger.query(&recent, values![batch.0, RECENT_ENDS])?;
    let videos = rows.iter().map(|row| {
        let ended = row.get(1)?;
        Ok(RecentVideo {
            created_to_ended: between(row.get(0)?, ended),
            ended_to_saved: between(ended, row.get(2)?),
        })
    });
    videos.collect()
}

/// The time between two times in milliseconds; none if the clock was set back.
fn between(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or_default())
}
