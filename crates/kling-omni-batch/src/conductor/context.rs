//! What the tasks of a run share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kling_omni::Mode;
use kling_omni::clock::BootTime;
use tokio::sync::watch;

use crate::attempt_store::KnownStore;
use crate::error::BatchResult;
use crate::ledger::Lease;
use crate::run::Control;
use crate::start::Dispatch;
use crate::step::StepContext;

/// The delays between failures that concern the whole account: from 1 s, doubled up to 60 s.
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(Duration::from_millis(500))
    }

    pub(super) fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).min(Duration::from_secs(60));
        self.0
    }
}

/// A create begins only while the lease lasts so long. Each tick renews it, so a create seldom has to.
const MIN_LEASE: Duration = Duration::from_secs(5);

/// How often the lists of a mode are read in a run at most, while the service lacks one of them: all at first, then those.
const MAX_READINGS: u32 = 3;

/// How the lists of a mode were read in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListReadings {
    count: u32,
    /// The number of known tasks after the last reading.
    known: usize,
    has_lists: bool,
}

/// What the tasks of a run share.
pub(crate) struct RunContext {
    pub(crate) step: StepContext,
    pub(crate) lease: Lease,
    pub(crate) known: Arc<KnownStore>,
    pub(crate) dispatch: Dispatch,
    pub(crate) control: watch::Receiver<Control>,
    /// The modes whose lists were read in this run.
    pub(crate) listed: Mutex<BTreeMap<&'static str, ListReadings>>,
    /// When the lease was renewed, and for how long.
    pub(crate) renewed: Mutex<Option<(BootTime, Duration)>>,
}

impl RunContext {
    /// Reads the lists that may have tasks of a mode, once in a run: tasks that exist already are not those of its creates. A list
    /// that the service does not have, as for a new account, is read again after a create. Returns the error if a list could
    /// not be read.
    pub(super) async fn read_lists(
        &self,
        mode: Mode,
    ) -> BatchResult<Result<(), kling_omni::Error>> {
        let known = &self.known.known;
        let listed = self.listed().get(mode.as_str()).copied();
        let is_read = listed.is_some_and(|listed| {
            listed.has_lists || listed.count == MAX_READINGS || listed.known == known.len()
        });
        if is_read {
            return Ok(Ok(()));
        }
        let mut refresh = known.refresh(&self.step.client, mode);
        if listed.is_some() {
            refresh = refresh.only_missing();
        }
        if let Err(error) = refresh.await {
            return Ok(Err(error));
        }
        self.known.store(&*self.step.ledger, &self.lease).await?;
        let listed = ListReadings {
            count: listed.map_or(0, |listed| listed.count) + 1,
            known: known.len(),
            has_lists: known.has_lists(&self.step.client, mode),
        };
        self.listed().insert(mode.as_str(), listed);
        Ok(Ok(()))
    }

    fn listed(&self) -> MutexGuard<'_, BTreeMap<&'static str, ListReadings>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease.
    pub(super) async fn renew(&self) -> BatchResult<()> {
        let now = self.step.client.clock().boot_time();
        let lasts = self.step.ledger.renew(&self.lease).await?;
        *self.renewed() = Some((now, lasts.unwrap_or(Duration::MAX)));
        Ok(())
    }

    /// For how long the lease lasts at least. It is renewed before if it ends soon.
    pub(super) async fn lease_left(&self) -> BatchResult<Duration> {
        if self.known_lease_left() < MIN_LEASE {
            self.renew().await?;
        }
        Ok(self.known_lease_left())
    }

    fn known_lease_left(&self) -> Duration {
        let now = self.step.client.clock().boot_time();
        let left = self.renewed().as_ref().and_then(|(renewed, lasts)| {
            let passed = now.since(renewed)?;
            Some(lasts.saturating_sub(passed))
        });
        left.unwrap_or_default()
    }

    fn renewed(&self) -> MutexGuard<'_, Option<(BootTime, Duration)>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether workers prepare and fetch.
    pub(super) fn leaves_steps_to_workers(&self) -> bool {
        matches!(self.dispatch, Dispatch::Workers(_))
    }

    /// Completes when the run is asked to stop.
    pub(super) async fn stopped(&self) {
        let mut control = self.control.clone();
        // The handle of the run was dropped, which also stops it.
        let _ = control.wait_for(|control| *control == Control::Stop).await;
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.control.borrow() == Control::Stop || self.control.has_changed().is_err()
    }
}
