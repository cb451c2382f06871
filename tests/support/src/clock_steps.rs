//! When and by how much the wall clock is set while a create is settled.

use std::time::Duration;

/// Seconds by which the wall clock is set.
pub const STEPS: [i64; 4] = [-86_400, -360, 360, 86_400];

/// How long after its charge the task is listed, by the service's clock.
pub const LISTED_AFTER: Duration = Duration::from_secs(20);

/// When the wall clock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before anything is sent.
    BeforeTheCreate,
    /// After the charge, and before the list is read for the first time.
    BetweenChargeAndList,
    /// After the list was read for the first time.
    DuringSettling,
    /// While no process runs.
    BetweenKillAndResume,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 4] = [
        Self::BeforeTheCreate,
        Self::BetweenChargeAndList,
        Self::DuringSettling,
        Self::BetweenKillAndResume,
    ];
}
