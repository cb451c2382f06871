//! The conductor of a run: the one task that spends the requests and the money of an account.
//!
//! It has no queue. What is to be done next is what the ledger says, read in pages, so a batch of any size takes little
//! memory, and a run after a crash is like any other.

mod context;
mod create;
mod dispatch;
mod fill;

use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;

use crate::conductor::context::Backoff;
pub(crate) use crate::conductor::context::RunContext;
use crate::conductor::create::CreateResult;
use crate::error::{BatchError, BatchResult};
use crate::ledger::{Attempt, Batch, BatchItem, ItemError, ItemId};
use crate::results::ResultsFile;
use crate::run::RunEvent;
use crate::state::{BatchState, ItemState};
use crate::status::BatchStatus;
use crate::step::fetch::{self, FetchResult, ReadyVideo};
use crate::step::prepare::PrepareResult;

/// How often the lease is renewed, the state of the batch is read, which another process may have changed, and the results
/// file is written.
const TICK: Duration = Duration::from_secs(1);

/// What ended.
enum RunStep {
    Prepared(ItemId, BatchResult<PrepareResult>),
    Created(BatchResult<CreateResult>),
    Fetched(BatchResult<FetchResult>),
    Tick,
    Timer,
    Stop,
}

type Steps<'a, T> = FuturesUnordered<BoxFuture<'a, T>>;

/// Which items the ledger may have that the run does not know yet. A query is repeated only after something changed.
#[derive(Clone, Copy, Debug)]
struct MayHave {
    planned: bool,
    prepared: bool,
    in_flight: bool,
    delayed: bool,
}

impl MayHave {
    const ALL: Self = Self {
        planned: true,
        prepared: true,
        in_flight: true,
        delayed: true,
    };
}

/// A run of one batch.
pub(crate) struct Conductor<'a> {
    shared: &'a RunContext,
    batch: Batch,
    results: Option<ResultsFile>,
    may_have: MayHave,
    /// The next items to prepare, as the ledger had them.
    planned: VecDeque<BatchItem>,
    preparing: Steps<'a, (ItemId, BatchResult<PrepareResult>)>,
    being_prepared: HashSet<ItemId>,
    /// The next items to create, by their positions.
    prepared: BTreeMap<u64, BatchItem>,
    creating: Option<BoxFuture<'a, BatchResult<CreateResult>>>,
    waiting: Steps<'a, BatchResult<FetchResult>>,
    ready: BinaryHeap<ReadyVideo>,
    saving: Steps<'a, BatchResult<FetchResult>>,
    /// Items that are being created, waited for, ready or being saved.
    in_flight: HashSet<ItemId>,
    being_created: Option<ItemId>,
    /// The attempts to settle before anything is sent; `None` if the ledger has to be asked.
    to_settle: Option<VecDeque<(Attempt, BatchItem)>>,
    /// No create begins before.
    not_before: Option<Instant>,
    backoff: Backoff,
    /// How many completed videos wait for workers.
    unfetched: usize,
    ticks: u32,
    /// The next timer, if the ledger has an item that may not begin yet.
    wake_at: Option<SystemTime>,
}

impl<'a> Conductor<'a> {
    pub(crate) fn new(shared: &'a RunContext, batch: Batch, results: Option<ResultsFile>) -> Self {
        Self {
            shared,
            batch,
            results,
            may_have: MayHave::ALL,
            planned: VecDeque::new(),
            preparing: FuturesUnordered::new(),
            being_prepared: HashSet::new(),
            prepared: BTreeMap::new(),
            creating: None,
            waiting: FuturesUnordered::new(),
            ready: BinaryHeap::new(),
            saving: FuturesUnordered::new(),
            in_flight: HashSet::new(),
            being_created: None,
            to_settle: None,
            not_before: None,
            backoff: Backoff::new(),
            unfetched: 0,
            ticks: 0,
            wake_at: None,
        }
    }

    /// Runs the batch until nothing is left to do, or it is stopped.
    pub(crate) async fn run(mut self) -> BatchResult<BatchStatus> {
        fetch::retry_earlier(&self.shared.step, self.batch.id).await?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.fill().await?;
            if self.is_done().await? {
                break;
            }
            let step = self.next_step(&mut tick).await;
            self.take(step).await?;
        }
        self.write_results().await?;
        BatchStatus::read(&*self.shared.step.ledger, &self.batch.name).await
    }

    /// Whether nothing is left to do.
    async fn is_done(&mut self) -> BatchResult<bool> {
        let is_idle = self.creating.is_none()
            && self.saving.is_empty()
            && (self.shared.is_stopping() || (self.waiting.is_empty() && self.ready.is_empty()));
        if !is_idle {
            return Ok(false);
        }
        if self.shared.is_stopping() {
            return Ok(true);
        }
        let counts = self.shared.step.ledger.counts(self.batch.id).await?;
        let count = |is: fn(ItemState) -> bool| {
            let counted = counts.iter().filter(|(state, _)| is(**state));
            counted.map(|(_, count)| count).sum::<u64>()
        };
        if count(ItemState::is_in_flight) > 0 {
            return Ok(false);
        }
        let has_ended = count(|state| !state.is_final()) == 0;
        Ok(match self.batch.state {
            BatchState::Running | BatchState::Paused if has_ended => {
                self.preparing.is_empty() && self.set_state(BatchState::Done, None).await?
            }
            BatchState::Running => false,
            // A person may resume it while the run waits; what only time or a person can change outside ends the run.
            // A worker has other batches to run meanwhile.
            BatchState::Paused => {
                self.batch.reason.is_some() || self.shared.leaves_steps_to_workers()
            }
            BatchState::Stopped | BatchState::Done => true,
        })
    }

    async fn set_state(
        &mut self,
        state: BatchState,
        reason: Option<ItemError>,
    ) -> BatchResult<bool> {
        let text = reason.as_ref().map(|reason| reason.text.clone());
        let set = self
            .shared
            .step
            .ledger
            .set_batch_state(self.batch.id, state, text.clone());
        if !set.await? {
            return Ok(false);
        }
        self.batch.state = state;
        self.batch.reason = text;
        if state == BatchState::Paused {
            self.shared.step.emit(RunEvent::Paused { reason });
        }
        Ok(true)
    }

    async fn next_step(&mut self, tick: &mut tokio::time::Interval) -> RunStep {
        let clock = self.shared.step.client.clock();
        let may_create = self.may_create() && self.creating.is_none();
        let create_at = self.not_before.filter(|_| may_create);
        let now = (clock.now(), clock.system_time());
        let until_create = create_at.map(|at| at.saturating_duration_since(now.0));
        let until_create = until_create.filter(|left| !left.is_zero());
        let until_ready = self.wake_at.and_then(|at| at.duration_since(now.1).ok());
        let timer = [until_create, until_ready].into_iter().flatten().min();
        let is_stopping = self.shared.is_stopping();
        tokio::select! {
            biased;
            Some(sent) = async { Some(self.creating.as_mut()?.await) } => {
                self.creating = None;
                RunStep::Created(sent)
            }
            Some(fetched) = self.saving.next(), if !self.saving.is_empty() => RunStep::Fetched(fetched),
            Some(fetched) = self.waiting.next(), if !self.waiting.is_empty() => RunStep::Fetched(fetched),
            Some((id, prepared)) = self.preparing.next(), if !self.preparing.is_empty() => {
                RunStep::Prepared(id, prepared)
            }
            () = self.shared.stopped(), if !is_stopping => RunStep::Stop,
            _ = tick.tick() => RunStep::Tick,
            () = async { clock.sleep(timer.unwrap_or_default()).await }, if timer.is_some() => RunStep::Timer,
        }
    }

    async fn take(&mut self, step: RunStep) -> BatchResult<()> {
        match step {
            RunStep::Prepared(id, prepared) => {
                self.being_prepared.remove(&id);
                match prepared? {
                    PrepareResult::Ready(item) => {
                        self.prepared.insert(item.position, *item);
                    }
                    PrepareResult::Done => self.may_have.planned = true,
                    PrepareResult::Pause(reason) => {
                        self.may_have.planned = true;
                        self.set_state(BatchState::Paused, Some(reason)).await?;
                    }
                }
                Ok(())
            }
            RunStep::Created(sent) => {
                if let Some(item) = self.being_created.take() {
                    self.in_flight.remove(&item);
                }
                self.take_sent(sent?).await
            }
            RunStep::Fetched(fetched) => self.take_fetched(fetched?).await,
            RunStep::Tick => self.tick().await,
            RunStep::Timer => {
                self.may_have = MayHave::ALL;
                Ok(())
            }
            // What costs nothing is dropped, and done by the next run.
            RunStep::Stop => {
                self.preparing.clear();
                self.waiting.clear();
                Ok(())
            }
        }
    }

    async fn take_sent(&mut self, sent: CreateResult) -> BatchResult<()> {
        match sent {
            CreateResult::Created(in_flight) => {
                self.backoff = Backoff::new();
                // Workers need some time to prepare the next items.
                let is_short = self.prepared.len() * 2 < self.max_ahead();
                self.may_have.planned |= is_short && self.shared.leaves_steps_to_workers();
                if in_flight.item.batch == self.batch.id {
                    self.wait_for(*in_flight);
                }
            }
            CreateResult::Done => {
                self.may_have.planned = true;
                self.may_have.prepared = true;
            }
            CreateResult::Later(reason) => {
                self.may_have.prepared = true;
                let delay = self.backoff.next();
                self.shared.step.emit(RunEvent::Waiting { reason, delay });
                self.not_before = Some(self.shared.step.client.clock().now() + delay);
            }
            CreateResult::Pause(reason) => {
                self.may_have.prepared = true;
                self.to_settle = None;
                self.set_state(BatchState::Paused, Some(reason)).await?;
            }
        }
        Ok(())
    }

    async fn take_fetched(&mut self, fetched: FetchResult) -> BatchResult<()> {
        match fetched {
            FetchResult::Completed(item) => {
                self.in_flight.remove(&item);
                self.unfetched += 1;
                self.queue_fetches().await?;
            }
            FetchResult::Ready(ready) => self.ready.push(*ready),
            FetchResult::Done(item) => {
                self.in_flight.remove(&item);
            }
            FetchResult::Reopened(item) => {
                self.in_flight.remove(&item);
                self.may_have.planned = true;
            }
            FetchResult::Pause(item, reason) => {
                self.in_flight.remove(&item);
                self.set_state(BatchState::Paused, Some(reason)).await?;
            }
        }
        Ok(())
    }

    /// Takes over what other processes changed, and keeps the lease.
    async fn tick(&mut self) -> BatchResult<()> {
        self.shared.step.forget_writable();
        self.shared.renew().await?;
        let batch = self.shared.step.ledger.batch(&self.batch.name).await?;
        if batch.state != self.batch.state {
            match batch.state {
                BatchState::Running => self.shared.step.emit(RunEvent::Resumed),
                BatchState::Paused => self.shared.step.emit(RunEvent::Paused { reason: None }),
                BatchState::Stopped | BatchState::Done => {}
            }
        }
        self.batch = batch;
        self.may_have = MayHave::ALL;
        if self.shared.leaves_steps_to_workers() {
            self.check_jobs().await?;
        }
        self.write_results().await
    }

    async fn write_results(&mut self) -> BatchResult<()> {
        let Some(results) = &mut self.results else {
            return Ok(());
        };
        let RunContext { step, lease, .. } = self.shared;
        match results.update(&*step.ledger, lease).await {
            // The file follows from the ledger, and paid tasks matter more.
            Err(error @ BatchError::File { .. }) => {
                tracing::warn!(%error, "results file not written");
                self.results = None;
                let error = error.to_string();
                self.shared.step.emit(RunEvent::ResultsNotWritten { error });
                Ok(())
            }
            updated => updated,
        }
    }
}
