//! The tests that an implementation of [`Ledger`] has to pass.

mod attempts;
mod fixture;
mod items;
mod jobs;

use std::fmt;
use std::sync::Arc;

use crate::error::BatchResult;
use crate::ledger::Ledger;
use crate::ledger::conformance::fixture::CaseProblem;

/// A case that an implementation did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nonconformance {
    /// The name of the case.
    pub case: &'static str,
    /// What was wrong.
    pub problem: String,
}

impl fmt::Display for Nonconformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.problem)
    }
}

/// Runs all cases. `open` opens the ledger of this name, and creates it if it does not exist: called again with the same
/// name, it returns another handle to the same ledger.
///
/// # Errors
///
/// Every case that failed.
pub async fn check<F>(open: impl Fn(&'static str) -> F) -> Result<(), Vec<Nonconformance>>
where
    F: Future<Output = BatchResult<Arc<dyn Ledger>>>,
{
    let mut failed = Vec::new();
    macro_rules! cases {
        ($($topic:ident::$case:ident,)+) => {$(
            let case = stringify!($case);
            let result = match (open(case).await, open(case).await) {
                (Ok(first), Ok(second)) => $topic::$case(first, second).await,
                (Err(error), _) | (_, Err(error)) => Err(CaseProblem::from(error)),
            };
            if let Err(problem) = result {
                failed.push(Nonconformance { case, problem: problem.0 });
            }
        )+};
    }
    cases! {
        items::import_is_idempotent,
        items::changed_items_are_refused,
        items::items_are_paged_in_order,
        items::changes_compare_the_state,
        attempts::paid_once_holds,
        attempts::one_unconfirmed_holds,
        attempts::item_is_announced_once,
        attempts::attempt_without_a_task_is_closed,
        attempts::records_are_compared_and_appended,
        attempts::lost_lease_writes_nothing,
        attempts::second_run_is_refused,
        attempts::undecided_attempt_permits_another_create,
        attempts::failed_task_is_reopened,
        items::known_tasks_are_durable,
        items::batches_belong_to_one_account,
        items::events_are_in_order,
        items::ends_are_in_order,
        jobs::items_have_one_job_of_a_step,
        jobs::delayed_items_have_no_job,
        jobs::lost_lease_queues_nothing,
        jobs::end_of_a_task_needs_no_lease,
        jobs::policy_is_durable,
        jobs::metrics_count_everything,
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed),
    }
}
