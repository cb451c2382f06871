//! Jobs: which steps of items a queue delivers to workers.

use crate::digest::ledger_id;
use crate::ledger::sql::session::{SqlFailure, SqlSession, values};
use crate::ledger::sql::{accounts, mark, to_ms};
use crate::ledger::{AccountId, ItemId, Job, JobQuery, Lease, Step};

/// The version of the content of a job. Another content has another queue, which older workers do not consume.
const FORMAT: u32 = 1;

/// The name of the queue of a step on an account. Ledgers of one database have different queues.
pub(super) fn queue_name(
    ledger: &mut dyn SqlSession,
    account: AccountId,
    step: Step,
) -> Result<String, SqlFailure> {
    let id = ledger_id(&mark::salt(ledger)?);
    Ok(format!("kling-omni/{id}/{}/{step}/{FORMAT}", account.0))
}

/// Adds jobs for the next items that need a step and have no job for it.
pub(super) fn queue(
    ledger: &mut dyn SqlSession,
    lease: &Lease,
    query: &JobQuery,
) -> Result<Vec<Job>, SqlFailure> {
    accounts::check_lease(ledger, lease)?;
    let step = query.step.as_str();
    let count = "select count(*) from job join item on item.id = job.item_id
        where item.batch_id = $1 and job.step = $2";
    let queued: u32 = ledger.row(count, values![query.batch.0, step])?.get(0)?;
    let mut free = u64::from(query.max_jobs.saturating_sub(queued));
    let insert = format!(
        "insert into job (item_id, step, queued_at)
         select id, $1, {} from item
         where batch_id = $2 and state = $3 and coalesce(not_before, 0) <= $4
            and not exists (select 1 from job where job.item_id = item.id and job.step = $1)
         order by position limit $5 returning item_id",
        ledger.dialect().now
    );
    let mut items = Vec::new();
    for state in query.step.states() {
        let ready_at = to_ms(query.ready_at);
        let values = values![step, query.batch.0, state.as_str(), ready_at, free];
        for row in ledger.query(&insert, values)? {
            items.push(ItemId(row.get(0)?));
            free -= 1;
        }
    }
    if !items.is_empty() && ledger.has_queue() {
        let queue = queue_name(ledger, lease.account, query.step)?;
        ledger.push_jobs(&queue, &items)?;
    }
    let step = query.step;
    Ok(items.into_iter().map(|item| Job { item, step }).collect())
}

pub(super) fn finish(ledger: &mut dyn SqlSession, job: Job) -> Result<(), SqlFailure> {
    let delete = "delete from job where item_id = $1 and step = $2";
    ledger.execute(delete, values![job.item.0, job.step.as_str()])?;
    Ok(())
}

pub(super) fn unfinished(
    ledger: &mut dyn SqlSession,
    account: AccountId,
) -> Result<Vec<Job>, SqlFailure> {
    let select = "select job.item_id, job.step from job join item on item.id = job.item_id
        join batch on batch.id = item.batch_id
        where batch.account_id = $1 order by job.queued_at, job.item_id";
    let rows = ledger.query(select, values![account.0])?;
    let jobs = rows.iter().map(|row| {
        Ok(Job {
            item: ItemId(row.get(0)?),
            step: row.parse(1)?,
        })
    });
    jobs.collect()
}

/// Removes the jobs that the queue of the database has lost, and what the queue keeps of finished ones.
pub(super) fn remove_lost(ledger: &mut dyn SqlSession, lease: &Lease) -> Result<u64, SqlFailure> {
    accounts::check_lease(ledger, lease)?;
    if !ledger.has_queue() {
        return Ok(0);
    }
    let mut lost = 0;
    for step in Step::ALL {
        let queue = queue_name(ledger, lease.account, *step)?;
        lost += ledger.remove_lost_jobs(&queue, lease.account, *step)?;
    }
    Ok(lost)
}
