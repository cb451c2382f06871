//! The search for the tasks of unconfirmed creates: by responses, by deliveries and by lists.

mod compare;

use std::collections::{BTreeSet, HashSet};
#[cfg(not(feature = "webhook"))]
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "webhook")]
use futures_util::StreamExt as _;

use crate::engine::client::ClientInner;
use crate::engine::error::{Charged, Result};
use crate::engine::known_tasks::KnownTasks;
use crate::engine::operations::ListOperation;
use crate::engine::recovery::Reconcile;
use crate::engine::recovery::full_list::FullList;
use crate::engine::recovery::read_lists::{Depth, read_lists};
use crate::engine::recovery::reconciled::{AmbiguityReason, MatchedBy, Reconciled};
use crate::engine::recovery::search::compare::Before;
use crate::engine::task::Task;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::UnconfirmedCreate;
#[cfg(feature = "webhook")]
use crate::engine::webhook::{Deliveries, WebhookReceiver};

/// The delays between two searches grow from the first to the second.
const MIN_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(60);

/// A search for the tasks of one or several creates.
pub(crate) struct Search {
    client: Arc<ClientInner>,
    creates: Vec<UnconfirmedCreate>,
    /// Creates that are not searched for, and may have made the new tasks.
    pub(super) others: Vec<UnconfirmedCreate>,
    pub(super) exclude: HashSet<String>,
    pub(super) settle_time: Duration,
    pub(super) until_settled: bool,
    pub(super) known: Option<KnownTasks>,
    #[cfg(feature = "webhook")]
    pub(super) receiver: Option<WebhookReceiver>,
}

/// The results that are final, by create.
type Results = Vec<Option<Reconciled>>;

impl Search {
    pub(super) fn new(client: Arc<ClientInner>, creates: Vec<UnconfirmedCreate>) -> Self {
        Self {
            client,
            creates,
            others: Vec::new(),
            exclude: HashSet::new(),
            settle_time: Reconcile::DEFAULT_SETTLE_TIME,
            until_settled: false,
            known: None,
            #[cfg(feature = "webhook")]
            receiver: None,
        }
    }

    /// The time left until the last create is settled.
    pub(super) fn longest_time_left(&self) -> Duration {
        let left = self.creates.iter().map(|create| self.time_left(create));
        left.max().unwrap_or_default()
    }

    fn time_left(&self, create: &UnconfirmedCreate) -> Duration {
        let now = self.client.clock().boot_time();
        let ended = match (create.ended_in_boot_of(&now), create.nonce()) {
            (Some(ended), _) => ended.clone(),
            (None, Some(create)) => self.client.attribution().search_began(create, &now),
            (None, None) => now.clone(),
        };
        let until = ended.saturating_add(self.settle_time);
        until.since(&now).unwrap_or(self.settle_time)
    }

    /// Returns a result for each create.
    pub(super) async fn run(self) -> Result<Vec<Reconciled>> {
        let mut pause = MIN_DELAY;
        let mut deliveries = self.subscribe();
        let mut results: Results = self.creates.iter().map(|_| None).collect();
        // Without a common clock, the settle time starts only once.
        let start = self.client.clock().boot_time();
        let settle: Vec<_> = self.creates.iter().map(|one| self.time_left(one)).collect();
        loop {
            self.match_by_responses(&mut results);
            // The time is read before the lists: the lists are at least as recent.
            let passed = self.client.clock().boot_time().since(&start);
            let passed = passed.unwrap_or_default();
            let left: Vec<_> = settle
                .iter()
                .map(|left| left.saturating_sub(passed))
                .collect();
            let mut depth = self.first_depth();
            let ambiguous = loop {
                let list = tokio::select! {
                    biased;
                    () = self.wait_for_deliveries(&mut deliveries, &mut results) => {
                        return Ok(results.into_iter().flatten().collect());
                    }
                    list = self.read_lists(depth) => list,
                };
                let open = open_creates(&results);
                match list.map(|list| self.match_by_lists(&open, &list, &left, depth)) {
                    Err(error) => break Err(error),
                    // A create without a task is settled only after the lists were read to their end.
                    Ok(None) => depth = Depth::All,
                    Ok(Some(found)) => {
                        let mut ambiguous = Vec::new();
                        for (index, reconciled) in open.into_iter().zip(found) {
                            match reconciled {
                                Reconciled::Ambiguous { .. } => ambiguous.push((index, reconciled)),
                                certain => results[index] = Some(certain),
                            }
                        }
                        break Ok(ambiguous);
                    }
                }
            };
            let left_to_wait = self.left_to_wait(&ambiguous, &results, &left);
            if left_to_wait.is_zero() {
                let ambiguous = ambiguous.map_err(|error| {
                    error
                        .with_charged(Charged::Unknown)
                        .with_context("the outcome of the create is still unknown")
                })?;
                for (index, reconciled) in ambiguous {
                    results[index] = Some(reconciled);
                }
                return Ok(results.into_iter().flatten().collect());
            }
            tokio::select! {
                biased;
                () = self.wait_for_deliveries(&mut deliveries, &mut results) => {
                    return Ok(results.into_iter().flatten().collect());
                }
                () = self.client.clock().sleep(pause.min(left_to_wait)) => {}
            }
            pause = (pause * 2).min(MAX_DELAY);
        }
    }

    /// How long a result may still change: by a task that is listed late, or by a delivery.
    fn left_to_wait(
        &self,
        ambiguous: &Result<Vec<(usize, Reconciled)>>,
        results: &Results,
        left: &[Duration],
    ) -> Duration {
        let may_change = |index: usize, is_early: bool| {
            let create = &self.creates[index];
            self.until_settled && (is_early || self.awaits_delivery(create))
        };
        let changing: Vec<_> = match ambiguous {
            Ok(ambiguous) => {
                let changing = ambiguous.iter().filter(|(index, reconciled)| {
                    let is_early = matches!(
                        reconciled,
                        Reconciled::Ambiguous {
                            reason: AmbiguityReason::TooEarly { .. },
                            ..
                        }
                    );
                    may_change(*index, is_early)
                });
                changing.map(|(index, _)| *index).collect()
            }
            Err(_) => {
                let mut open = open_creates(results);
                open.retain(|index| may_change(*index, false));
                open
            }
        };
        let left = changing.into_iter().map(|index| left[index]);
        left.max().unwrap_or_default()
    }

    /// How much of the lists is read first: all if a create compares with a list snapshot.
    fn first_depth(&self) -> Depth {
        let mut creates = self.creates.iter();
        match self.known.is_some() && creates.all(|create| create.mark().is_some()) {
            true => Depth::Newest,
            false => Depth::All,
        }
    }

    /// Reads all lists that may have the tasks.
    async fn read_lists(&self, depth: Depth) -> Result<FullList> {
        let lists = self.creates.iter().flat_map(UnconfirmedCreate::lists);
        let lists: BTreeSet<&'static ListOperation> = lists.copied().collect();
        let lists: Vec<_> = lists.into_iter().collect();
        let Some(known) = &self.known else {
            return FullList::read(&self.client, &lists).await;
        };
        read_lists(&self.client, known, &lists, depth).await?;
        Ok(FullList::of_known_tasks(known, &lists))
    }

    /// Claims a task for a create; no other create of the client or of the set can claim it then.
    fn claim(&self, create: &UnconfirmedCreate, id: &str, by: MatchedBy) -> Reconciled {
        let now = self.client.clock().boot_time();
        let is_free = |known: &KnownTasks| !known.belongs_to_another(id, create.nonce());
        let is_claimed = self.known.as_ref().is_none_or(is_free)
            && self.client.attribution().claim(id, create, now);
        if !is_claimed {
            return Reconciled::Ambiguous {
                candidates: vec![id.to_owned()],
                reason: AmbiguityReason::OtherCreates,
            };
        }
        if let Before::Known(known, mark) = self.before(create)
            && let (Some(nonce), Ok(id)) = (create.nonce(), TaskId::parse(id))
        {
            known.record_created(&id, nonce, None, mark);
        }
        Reconciled::Found {
            task: Task::attach(
                Arc::clone(&self.client),
                id.to_owned(),
                create.operation().reads,
            ),
            matched_by: by,
        }
    }

    /// The tasks of responses that arrived after their callers had been dropped.
    fn match_by_responses(&self, results: &mut Results) {
        for index in open_creates(results) {
            let create = &self.creates[index];
            let Some(nonce) = create.nonce() else {
                continue;
            };
            let id = self.client.attribution().task_in_response(nonce);
            results[index] = id.map(|id| self.claim(create, &id, MatchedBy::Response));
        }
    }

    /// Whether a delivery can name the task.
    #[cfg(feature = "webhook")]
    fn awaits_delivery(&self, create: &UnconfirmedCreate) -> bool {
        self.receiver.is_some() && create.correlation().is_some()
    }

    #[cfg(feature = "webhook")]
    fn subscribe(&self) -> Option<Deliveries> {
        let mut creates = self.creates.iter();
        let awaits = creates.any(|create| self.awaits_delivery(create));
        let receiver = self.receiver.as_ref().filter(|_| awaits);
        receiver.map(WebhookReceiver::deliveries)
    }

    /// Waits until there is a result for each create, by deliveries that name the tasks.
    #[cfg(feature = "webhook")]
    async fn wait_for_deliveries(
        &self,
        deliveries: &mut Option<Deliveries>,
        results: &mut Results,
    ) {
        loop {
            for index in open_creates(results) {
                results[index] = self.match_by_deliveries(&self.creates[index]);
            }
            if results.iter().all(Option::is_some) {
                return;
            }
            let has_next = match deliveries {
                Some(deliveries) => deliveries.next().await.is_some(),
                None => false,
            };
            if !has_next {
                std::future::pending::<()>().await;
            }
        }
    }

    #[cfg(feature = "webhook")]
    fn match_by_deliveries(&self, create: &UnconfirmedCreate) -> Option<Reconciled> {
        let mut tasks = self.receiver.as_ref()?.correlated(create.correlation()?);
        // If several creates share a token, the responses to the others name their tasks.
        let attribution = self.client.attribution();
        tasks.retain(|id| !attribution.belongs_to_another(id, create.nonce()));
        drop(attribution);
        match &tasks[..] {
            [] => None,
            [id] if self.may_belong_to_evicted(create, id) => Some(Reconciled::Ambiguous {
                candidates: tasks,
                reason: AmbiguityReason::OtherCreates,
            }),
            [id] => Some(self.claim(create, id, MatchedBy::Webhook)),
            several => Some(Reconciled::Ambiguous {
                candidates: several.to_vec(),
                reason: AmbiguityReason::MultipleCandidates,
            }),
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn awaits_delivery(&self, _: &UnconfirmedCreate) -> bool {
        false
    }

    #[cfg(not(feature = "webhook"))]
    fn subscribe(&self) -> Option<Infallible> {
        None
    }

    #[cfg(not(feature = "webhook"))]
    async fn wait_for_deliveries(&self, _: &mut Option<Infallible>, results: &mut Results) {
        if results.iter().any(Option::is_none) {
            std::future::pending::<()>().await;
        }
    }

    /// Whether a task may belong to a create of this client whose task was evicted.
    fn may_belong_to_evicted(&self, create: &UnconfirmedCreate, id: &str) -> bool {
        let attribution = self.client.attribution();
        attribution.has_evicted_after(create) && !attribution.belongs_to(id, create.nonce())
    }

    #[cfg(feature = "webhook")]
    fn belongs_to_another(&self, id: &str, create: &UnconfirmedCreate) -> bool {
        match (&self.receiver, create.correlation()) {
            (Some(receiver), Some(token)) => receiver.belongs_to_another(id, token),
            _ => false,
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn belongs_to_another(&self, _: &str, _: &UnconfirmedCreate) -> bool {
        false
    }

    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("creates", &self.creates)
            .field("settle_time", &self.settle_time)
            .field("until_settled", &self.until_settled)
            .finish_non_exhaustive()
    }
}

/// The creates without a final result.
fn open_creates(results: &Results) -> Vec<usize> {
    let creates = results.iter().enumerate();
    let open = creates.filter(|(_, result)| result.is_none());
    open.map(|(index, _)| index).collect()
}
