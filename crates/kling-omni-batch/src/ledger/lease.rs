//! The lease of an account.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::ledger::AccountId;

/// The right to spend money on an account, until it is dropped or lost.
#[derive(Clone)]
pub struct Lease {
    /// The account.
    pub account: AccountId,
    /// Grows each time the account is acquired.
    pub epoch: u64,
    /// Whether the processes that held the account before are known to have ended.
    pub earlier_senders_ended: bool,
    /// Keeps a lock until the last clone is dropped.
    hold: Option<Arc<dyn Any + Send + Sync>>,
}

impl Lease {
    /// Creates a lease. `hold` is dropped with its last clone. Pass it only if getting it proves that all earlier holders have
    /// ended: [`earlier_senders_ended`](Self::earlier_senders_ended) follows from it.
    pub fn new(account: AccountId, epoch: u64, hold: Option<Arc<dyn Any + Send + Sync>>) -> Self {
        Self {
            account,
            epoch,
            earlier_senders_ended: hold.is_some(),
            hold,
        }
    }

    /// Whether the account may be another run's before the lease is dropped.
    pub(crate) fn can_be_lost(&self) -> bool {
        self.hold.is_none()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("account", &self.account)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
