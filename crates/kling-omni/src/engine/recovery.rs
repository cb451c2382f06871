//! Recovers the task of an unconfirmed create.

pub(crate) mod full_list;

pub(crate) mod reconciled;

use std::collections::{BTreeSet, HashSet};
#[cfg(not(feature = "webhook"))]
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "webhook")]
use futures_util::StreamExt as _;

use crate::engine::recovery::reconciled::{AmbiguityReason, MatchedBy, Reconciled};

use crate::engine::client::ClientInner;
use crate::engine::error::{Charged, Result};
use crate::engine::recovery::full_list::FullList;
use crate::engine::task::Task;
use crate::engine::unconfirmed::UnconfirmedCreate;
#[cfg(feature = "webhook")]
use crate::engine::webhook::{Deliveries, WebhookReceiver};

/// The delays between two searches grow from the first to the second.
const MIN_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(60);

/// A search for the task of an [`UnconfirmedCreate`]. Await it for the result.
///
/// The search is idempotent: it only reads. It finds the task in two ways, both of which have to be prepared before the
/// create:
///
/// * **Deliveries.** With the feature `webhook`, a token of `webhook::correlation` in the `webhook_url`, and a receiver,
///   the delivery with the token names the task exactly. A missing delivery proves nothing: until the settle time is over,
///   no task is taken from the list.
/// * **Lists.** The list of the service has ids and statuses, but no times and no requests, and its order is not
///   documented. So it only shows which tasks are new since
///   [`Create::with_list_snapshot`](crate::Create::with_list_snapshot) read it.
///
/// The result by lists is correct under these assumptions, none of which the service guarantees:
///
/// 1. **Nothing else creates tasks on this account in the meantime.** A single new task counts as the one that is searched
///    for. Excluded are tasks that belong to another create of this client, those that [`exclude`](Self::exclude) names,
///    and those that deliveries attribute to another create. While another create of this client is open, a new task is
///    attributed to neither ([`AmbiguityReason::OtherCreates`]). If several processes share an account, use a token.
/// 2. **The list has all tasks.** A list that has lost a task is not trusted, and one that changes while it is read is
///    incomplete. Both leave the result ambiguous. It is not documented which list has the tasks of the older route. They
///    count as listed once this client has seen one of its own there. The service responds with 404 for an account
///    without tasks, and would do the same for a list that was moved or is unavailable. So a 404 proves neither
///    that there is no task ([`AmbiguityReason::NoListNow`]) nor, before the create, that there was none: a task that is
///    listed later may be older, and is only a candidate ([`AmbiguityReason::NoListBefore`]). The first create of an account
///    is therefore settled by a delivery, or by you.
/// 3. **No task is created later than the [settle time](Self::settle_time) after the last attempt.** A monotonic clock
///    measures that time, so a step of the wall clock does not change it.
///
/// # Errors
///
/// Those of reading the list. The outcome of the create remains unknown: [`Error::charged`](crate::Error::charged) is
/// `Unknown`.
#[must_use = "nothing is read until it is awaited"]
pub struct Reconcile {
    client: Arc<ClientInner>,
    unconfirmed: UnconfirmedCreate,
    exclude: HashSet<String>,
    settle_time: Duration,
    until_settled: bool,
    #[cfg(feature = "webhook")]
    receiver: Option<WebhookReceiver>,
}

impl Reconcile {
    pub(crate) fn new(client: Arc<ClientInner>, unconfirmed: UnconfirmedCreate) -> Self {
        Self {
            client,
            unconfirmed,
            exclude: HashSet::new(),
            settle_time: Duration::from_secs(300),
            until_settled: false,
            #[cfg(feature = "webhook")]
            receiver: None,
        }
    }

    /// Excludes tasks that are known to belong to other creates.
    pub fn exclude(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exclude.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Sets how long a create may still create a task, or a task may be missing from the list. The time starts at the end of
    /// the last attempt or, if that is not known, at its latest possible time. See [`time_left`](Self::time_left) for the
    /// clock. Default: 300 s.
    ///
    /// The default is a conservative guess, because the service guarantees nothing. **With a shorter time you may pay
    /// twice**: for a task that appears after [`NotCreated`](Reconciled::NotCreated) was returned, and for the one that you
    /// have created instead.
    pub fn settle_time(mut self, settle_time: Duration) -> Self {
        self.settle_time = settle_time;
        self
    }

    /// Repeats the search until the task is found or the [`settle_time`](Self::settle_time) is over, instead of returning
    /// [`AmbiguityReason::TooEarly`].
    ///
    /// With a correlation token and a `webhook` receiver, the search waits for the delivery that long, whatever the lists
    /// show, and returns as soon as the delivery arrives.
    pub fn until_settled(mut self) -> Self {
        self.until_settled = true;
        self
    }

    /// Searches the deliveries of a receiver, too: before the first request, and before each repetition.
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, receiver: &WebhookReceiver) -> Self {
        self.receiver = Some(receiver.clone());
        self
    }

    /// The time left until the create is settled: the rest of the [`settle_time`](Self::settle_time).
    ///
    /// It is measured by [`Clock::boot_time`](crate::clock::Clock::boot_time), so a step of the wall clock does not change it.
    /// A create that was recorded in another boot of the machine, or on another machine, gets the full time from the first
    /// call in this process.
    pub fn time_left(&self) -> Duration {
        let now = self.client.clock().boot_time();
        let ended = match (
            self.unconfirmed.ended_in_boot_of(&now),
            self.unconfirmed.nonce(),
        ) {
            (Some(ended), _) => ended.clone(),
            (None, Some(create)) => self.client.attribution().search_began(create, &now),
            (None, None) => now.clone(),
        };
        let until = ended.saturating_add(self.settle_time);
        until.since(&now).unwrap_or(self.settle_time)
    }

    async fn run(self) -> Result<Reconciled> {
        let mut pause = MIN_DELAY;
        let mut deliveries = self.subscribe();
        // Without a common clock, the settle time starts only once.
        let start = self.client.clock().boot_time();
        let settle = self.time_left();
        loop {
            if let Some(reconciled) = self.match_by_response() {
                return Ok(reconciled);
            }
            // The time is read before the list: the list is at least as recent.
            let passed = self.client.clock().boot_time().since(&start);
            let left = settle.saturating_sub(passed.unwrap_or_default());
            let reconciled = tokio::select! {
                biased;
                delivered = self.wait_for_delivery(&mut deliveries) => return Ok(delivered),
                list = FullList::read(&self.client, self.unconfirmed.lists()) => {
                    list.map(|list| self.match_by_lists(&list, left))
                }
            };
            if left.is_zero() || !self.may_change(&reconciled) {
                return reconciled.map_err(|error| {
                    error
                        .with_charged(Charged::Unknown)
                        .with_context("the outcome of the create is still unknown")
                });
            }
            tokio::select! {
                biased;
                delivered = self.wait_for_delivery(&mut deliveries) => return Ok(delivered),
                () = self.client.clock().sleep(pause.min(left)) => {}
            }
            pause = (pause * 2).min(MAX_DELAY);
        }
    }

    /// Whether the result may still change: by a task that is listed late, or by a delivery.
    fn may_change(&self, reconciled: &Result<Reconciled>) -> bool {
        self.until_settled
            && match reconciled {
                Ok(Reconciled::Ambiguous {
                    reason: AmbiguityReason::TooEarly { .. },
                    ..
                }) => true,
                Ok(Reconciled::Ambiguous { .. }) | Err(_) => self.awaits_delivery(),
                Ok(_) => false,
            }
    }

    /// Claims a task for this create; no other create of the client can claim it then.
    fn claim(&self, id: &str, by: MatchedBy) -> Reconciled {
        let now = self.client.clock().boot_time();
        if !self.client.attribution().claim(id, &self.unconfirmed, now) {
            return Reconciled::Ambiguous {
                candidates: vec![id.to_owned()],
                reason: AmbiguityReason::OtherCreates,
            };
        }
        Reconciled::Found {
            task: Task::attach(
                Arc::clone(&self.client),
                id.to_owned(),
                self.unconfirmed.operation().reads,
            ),
            matched_by: by,
        }
    }

    /// The task of a response that arrived after its caller had been dropped.
    fn match_by_response(&self) -> Option<Reconciled> {
        let id = self
            .client
            .attribution()
            .task_in_response(self.unconfirmed.nonce()?);
        Some(self.claim(&id?, MatchedBy::Response))
    }

    /// Whether a delivery can name the task.
    #[cfg(feature = "webhook")]
    fn awaits_delivery(&self) -> bool {
        self.receiver.is_some() && self.unconfirmed.correlation().is_some()
    }

    #[cfg(feature = "webhook")]
    fn subscribe(&self) -> Option<Deliveries> {
        let receiver = self.receiver.as_ref().filter(|_| self.awaits_delivery());
        receiver.map(WebhookReceiver::deliveries)
    }

    /// Waits for a delivery that names the task.
    #[cfg(feature = "webhook")]
    async fn wait_for_delivery(&self, deliveries: &mut Option<Deliveries>) -> Reconciled {
        loop {
            if let Some(delivered) = self.match_by_deliveries() {
                return delivered;
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
    fn match_by_deliveries(&self) -> Option<Reconciled> {
        let mut tasks = self
            .receiver
            .as_ref()?
            .correlated(self.unconfirmed.correlation()?);
        // If several creates share a token, the responses to the others name their tasks.
        let create = self.unconfirmed.nonce();
        let attribution = self.client.attribution();
        tasks.retain(|id| !attribution.belongs_to_another(id, create));
        drop(attribution);
        match &tasks[..] {
            [] => None,
            [id] if self.may_belong_to_evicted(id) => Some(Reconciled::Ambiguous {
                candidates: tasks,
                reason: AmbiguityReason::OtherCreates,
            }),
            [id] => Some(self.claim(id, MatchedBy::Webhook)),
            several => Some(Reconciled::Ambiguous {
                candidates: several.to_vec(),
                reason: AmbiguityReason::MultipleCandidates,
            }),
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn awaits_delivery(&self) -> bool {
        false
    }

    #[cfg(not(feature = "webhook"))]
    fn subscribe(&self) -> Option<Infallible> {
        None
    }

    #[cfg(not(feature = "webhook"))]
    async fn wait_for_delivery(&self, _: &mut Option<Infallible>) -> Reconciled {
        std::future::pending().await
    }

    fn match_by_lists(&self, list: &FullList, left: Duration) -> Reconciled {
        let candidates = self.candidates(list);
        let reason = match self.ambiguity(list, &candidates, left) {
            Some(reason) => reason,
            None => match candidates.first() {
                Some(id) => return self.claim(id, MatchedBy::OnlyNewTask),
                None => {
                    if let Some(create) = self.unconfirmed.nonce() {
                        self.client.attribution().close(create);
                    }
                    return Reconciled::NotCreated;
                }
            },
        };
        Reconciled::Ambiguous { candidates, reason }
    }

    /// Whether a task may belong to a create of this client whose task was evicted.
    fn may_belong_to_evicted(&self, id: &str) -> bool {
        let attribution = self.client.attribution();
        attribution.has_evicted_after(&self.unconfirmed)
            && !attribution.belongs_to(id, self.unconfirmed.nonce())
    }

    /// The candidates: tasks on the lists, and tasks that the response to the create named.
    fn candidates(&self, list: &FullList) -> Vec<String> {
        let attribution = self.client.attribution();
        let create = self.unconfirmed.nonce();
        let is_candidate = |id: &&String| {
            let snapshot = self.unconfirmed.snapshot();
            !snapshot.is_some_and(|snapshot| snapshot.ids.contains(*id))
                && !attribution.belongs_to_another(id, create)
                && !self.exclude.contains(*id)
                && !self.belongs_to_another(id)
        };
        let named = self.unconfirmed.candidates().iter();
        let all: BTreeSet<_> = list
            .tasks
            .keys()
            .chain(named)
            .filter(is_candidate)
            .collect();
        all.into_iter().cloned().collect()
    }

    /// Why the lists do not determine the outcome with these candidates; `None` if they do.
    fn ambiguity(
        &self,
        list: &FullList,
        candidates: &[String],
        left: Duration,
    ) -> Option<AmbiguityReason> {
        let Some(snapshot) = self.unconfirmed.snapshot() else {
            return Some(AmbiguityReason::NoSnapshot);
        };
        if candidates.len() > 1 {
            return Some(AmbiguityReason::MultipleCandidates);
        }
        if !snapshot.is_complete || !list.is_complete {
            return Some(AmbiguityReason::ListIncomplete);
        }
        if !snapshot.ids.iter().all(|id| list.tasks.contains_key(&**id)) {
            return Some(AmbiguityReason::ListShrank);
        }
        if let [id] = candidates {
            let mut lists = list.tasks.get(id).into_iter().flatten();
            if !lists.any(|list| snapshot.existing.contains(list)) {
                return Some(AmbiguityReason::NoListBefore);
            }
            if self.awaits_delivery() && !left.is_zero() {
                return Some(self.too_early(left));
            }
            let attribution = self.client.attribution();
            let is_contested = attribution.has_competitor(&self.unconfirmed, self.settle_time);
            drop(attribution);
            let is_contested = is_contested || self.may_belong_to_evicted(id);
            return is_contested.then_some(AmbiguityReason::OtherCreates);
        }
        if !self.is_listed(list) {
            return Some(match list.existing.is_empty() {
                true => AmbiguityReason::NoListNow,
                false => AmbiguityReason::RouteNotListed,
            });
        }
        (!left.is_zero()).then(|| self.too_early(left))
    }

    fn too_early(&self, left: Duration) -> AmbiguityReason {
        let now = self.client.clock().system_time();
        // The time may overflow.
        let until = now.checked_add(left).unwrap_or(now + MAX_DELAY);
        AmbiguityReason::TooEarly { until }
    }

    /// Whether the lists include tasks of the create's route.
    fn is_listed(&self, list: &FullList) -> bool {
        let route = self.unconfirmed.operation();
        route.is_listed && route.lists.iter().all(|one| list.existing.contains(one))
            || self
                .client
                .attribution()
                .named_tasks()
                .any(|(id, task)| task.operation == route && list.tasks.contains_key(&**id))
    }

    #[cfg(feature = "webhook")]
    fn belongs_to_another(&self, id: &str) -> bool {
        match (&self.receiver, self.unconfirmed.correlation()) {
            (Some(receiver), Some(token)) => receiver.belongs_to_another(id, token),
            _ => false,
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn belongs_to_another(&self, _: &str) -> bool {
        false
    }
}

impl IntoFuture for Reconcile {
    type Output = Result<Reconciled>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Reconcile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconcile")
            .field("unconfirmed", &self.unconfirmed)
            .field("settle_time", &self.settle_time)
            .field("until_settled", &self.until_settled)
            .finish_non_exhaustive()
    }
}
