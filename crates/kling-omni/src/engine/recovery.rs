//! Recovers the task of a create with an unknown outcome.

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

/// The pauses between two attempts grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The search for the task of an [`UnconfirmedCreate`] create. Await it for the answer.
///
/// It only reads, and can be repeated. There are two ways to the task, and both have to be prepared before the create:
///
/// * **Deliveries.** With the feature `webhook`, a token of `webhook::correlation` in the `webhook_url`, and an inbox,
///   the delivery that brings the token back names the task exactly. That none has come proves nothing: until the
///   settle time is over, no task is taken from the list.
/// * **Lists.** The service's list names ids and statuses, and neither times nor requests, in no promised order. So
///   all that can be told is which tasks are new since [`Create::with_list_snapshot`](crate::Create::with_list_snapshot) read it.
///
/// The answer by lists is right as far as these hold, none of which the service promises:
///
/// 1. **Nobody else creates tasks on this account meanwhile.** One new task is taken to be the one that is looked for.
///    Left out are those that belong to another create of this client, those that [`exclude`](Self::exclude) names,
///    and those that deliveries show to belong to another create. While another create of this client is open, a new
///    task is not given to either ([`AmbiguityReason::OtherCreates`]). Where several processes share an account, use a token.
/// 2. **The list has all tasks.** A list that lost a task since counts as one that forgets, and a list that moves while
///    it is read as incomplete; both leave the answer open. No document says on which list the tasks of the older
///    route are. They count as listed once this client has seen one of its own there. An account without tasks is answered
///    with 404, as a list that has moved away, or cannot be found for a moment, would be. So that answer proves neither
///    that there is no task ([`AmbiguityReason::NoListNow`]) nor, before the create, that there was none: a task that is listed
///    later may be older, and is named and not taken ([`AmbiguityReason::NoListBefore`]). The first create of an account is
///    therefore settled by a delivery, or by you.
/// 3. **What has not made a task [so long](Self::settle_time) after the last attempt never will.** The time is
///    measured by a clock that a step of the wall clock does not move.
///
/// # Errors
///
/// Those of reading the list. They leave everything as open as it was: [`Error::charged`](crate::Error::charged) is
/// `Unknown`.
#[must_use = "nothing is read until it is awaited"]
pub struct Reconcile {
    client: Arc<ClientInner>,
    unresolved: UnconfirmedCreate,
    exclude: HashSet<String>,
    settle: Duration,
    is_patient: bool,
    #[cfg(feature = "webhook")]
    inbox: Option<WebhookReceiver>,
}

impl Reconcile {
    pub(crate) fn new(client: Arc<ClientInner>, unresolved: UnconfirmedCreate) -> Self {
        Self {
            client,
            unresolved,
            exclude: HashSet::new(),
            settle: Duration::from_secs(300),
            is_patient: false,
            #[cfg(feature = "webhook")]
            inbox: None,
        }
    }

    /// Excludes tasks that are known to belong to other creates.
    pub fn exclude(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.exclude.extend(ids.into_iter().map(Into::into));
        self
    }

    /// How long a create may still make a task, or a task still be missing from the list. It counts from the end of the
    /// create's last attempt, or, where that is not known, from the latest time at which it can have been;
    /// [`time_left`](Self::time_left) says by which clock.
    ///
    /// Default: 300 s, which is a guess on the safe side; the service promises nothing. **With a shorter time you may pay
    /// twice**: a task that appears after it was reported as [`NotCreated`](Reconciled::NotCreated) is paid for,
    /// and so is the one that you have created in its place.
    pub fn settle_time(mut self, span: Duration) -> Self {
        self.settle = span;
        self
    }

    /// Looks again until the task is found or the time of [`settle_time`](Self::settle_time) is over, where it would
    /// otherwise return [`AmbiguityReason::TooEarly`].
    ///
    /// With a correlation token and a `webhook` inbox it waits for the delivery that long, whatever the lists show, and
    /// returns as soon as the delivery arrives.
    pub fn until_settled(mut self) -> Self {
        self.is_patient = true;
        self
    }

    /// Looks at what was delivered, too: before it asks the service anything, and each time that it looks again.
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, inbox: &WebhookReceiver) -> Self {
        self.inbox = Some(inbox.clone());
        self
    }

    /// How long the create may still make a task, as of now: what is left of [`settle_time`](Self::settle_time).
    ///
    /// It is measured by [`Clock::boot_time`](crate::clock::Clock::boot_time), so a step of the wall clock neither shortens nor
    /// prolongs it. A create that was recorded in another boot of the machine, or on another machine, gets the full time
    /// from the first call in this process.
    pub fn time_left(&self) -> Duration {
        let now = self.client.clock().boot_time();
        let over = match (self.unresolved.over_in(&now), self.unresolved.create()) {
            (Some(over), _) => over.clone(),
            (None, Some(create)) => self.client.attribution().search_began(create, &now),
            (None, None) => now.clone(),
        };
        let until = over.saturating_add(self.settle);
        until.since(&now).unwrap_or(self.settle)
    }

    async fn run(self) -> Result<Reconciled> {
        let mut pause = FIRST_PAUSE;
        let mut deliveries = self.subscribe();
        // Without a common clock, the settle time starts only once.
        let start = self.client.clock().boot_time();
        let settle = self.time_left();
        loop {
            if let Some(reconciled) = self.match_by_response() {
                return Ok(reconciled);
            }
            // Taken before the list is read, because the list is at least as recent.
            let passed = self.client.clock().boot_time().since(&start);
            let left = settle.saturating_sub(passed.unwrap_or_default());
            let reconciled = tokio::select! {
                biased;
                delivered = self.delivered(&mut deliveries) => return Ok(delivered),
                list = FullList::read(&self.client, self.unresolved.lists()) => {
                    list.map(|list| self.match_by_lists(&list, left))
                }
            };
            if left.is_zero() || !self.may_change(&reconciled) {
                return reconciled.map_err(|error| {
                    error
                        .with_charged(Charged::Unknown)
                        .after("whether there is a task is as unknown as before")
                });
            }
            tokio::select! {
                biased;
                delivered = self.delivered(&mut deliveries) => return Ok(delivered),
                () = self.client.clock().sleep(pause.min(left)) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether the result may still change: by a task that is listed late, or by a delivery.
    fn may_change(&self, reconciled: &Result<Reconciled>) -> bool {
        self.is_patient
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
    fn found(&self, id: &str, by: MatchedBy) -> Reconciled {
        let now = self.client.clock().boot_time();
        if !self.client.attribution().claim(id, &self.unresolved, now) {
            return Reconciled::Ambiguous {
                candidates: vec![id.to_owned()],
                reason: AmbiguityReason::OtherCreates,
            };
        }
        Reconciled::Found {
            task: Task::attach(
                Arc::clone(&self.client),
                id.to_owned(),
                self.unresolved.operation().reads,
            ),
            matched_by: by,
        }
    }

    /// The task of a response that arrived after its caller had been dropped.
    fn match_by_response(&self) -> Option<Reconciled> {
        let id = self.client.attribution().answer(self.unresolved.create()?);
        Some(self.found(&id?, MatchedBy::Response))
    }

    /// Whether a delivery can name the task.
    #[cfg(feature = "webhook")]
    fn awaits_delivery(&self) -> bool {
        self.inbox.is_some() && self.unresolved.correlation().is_some()
    }

    #[cfg(feature = "webhook")]
    fn subscribe(&self) -> Option<Deliveries> {
        let inbox = self.inbox.as_ref().filter(|_| self.awaits_delivery());
        inbox.map(WebhookReceiver::deliveries)
    }

    /// Waits for a delivery that names the task.
    #[cfg(feature = "webhook")]
    async fn delivered(&self, deliveries: &mut Option<Deliveries>) -> Reconciled {
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
            .inbox
            .as_ref()?
            .correlated(self.unresolved.correlation()?);
        // If several creates share a token, the responses to the others name their tasks.
        let create = self.unresolved.create();
        let attribution = self.client.attribution();
        tasks.retain(|id| !attribution.is_of_another(id, create));
        drop(attribution);
        match &tasks[..] {
            [] => None,
            [id] if self.may_belong_to_evicted(id) => Some(Reconciled::Ambiguous {
                candidates: tasks,
                reason: AmbiguityReason::OtherCreates,
            }),
            [id] => Some(self.found(id, MatchedBy::Webhook)),
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
    async fn delivered(&self, _: &mut Option<Infallible>) -> Reconciled {
        std::future::pending().await
    }

    fn match_by_lists(&self, list: &FullList, left: Duration) -> Reconciled {
        let candidates = self.candidates(list);
        let reason = match self.doubt(list, &candidates, left) {
            Some(reason) => reason,
            None => match candidates.first() {
                Some(id) => return self.found(id, MatchedBy::OnlyNewTask),
                None => {
                    if let Some(create) = self.unresolved.create() {
                        self.client.attribution().close(create);
                    }
                    return Reconciled::NotCreated;
                }
            },
        };
        Reconciled::Ambiguous {
            candidates,
            reason,
        }
    }

    /// Whether a task may belong to a create of this client whose task was evicted.
    fn may_belong_to_evicted(&self, id: &str) -> bool {
        let attribution = self.client.attribution();
        attribution.has_evicted_after(&self.unresolved)
            && !attribution.is_of(id, self.unresolved.create())
    }

    /// The candidates: tasks on the lists, and tasks that the response to the create named.
    fn candidates(&self, list: &FullList) -> Vec<String> {
        let attribution = self.client.attribution();
        let create = self.unresolved.create();
        let is_candidate = |id: &&String| {
            let known = self.unresolved.known();
            !known.is_some_and(|known| known.ids.contains(*id))
                && !attribution.is_of_another(id, create)
                && !self.exclude.contains(*id)
                && !self.is_of_another(id)
        };
        let named = self.unresolved.candidates().iter();
        let all: BTreeSet<_> = list
            .tasks
            .keys()
            .chain(named)
            .filter(is_candidate)
            .collect();
        all.into_iter().cloned().collect()
    }

    /// Why the lists do not determine the outcome with these candidates; `None` if they do.
    fn doubt(&self, list: &FullList, candidates: &[String], left: Duration) -> Option<AmbiguityReason> {
        let Some(known) = self.unresolved.known() else {
            return Some(AmbiguityReason::NoSnapshot);
        };
        if candidates.len() > 1 {
            return Some(AmbiguityReason::MultipleCandidates);
        }
        if !known.complete || !list.complete {
            return Some(AmbiguityReason::ListIncomplete);
        }
        if !known.ids.iter().all(|id| list.tasks.contains_key(&**id)) {
            return Some(AmbiguityReason::ListShrank);
        }
        if let [id] = candidates {
            let mut lists = list.tasks.get(id).into_iter().flatten();
            if !lists.any(|list| known.shown.contains(list)) {
                return Some(AmbiguityReason::NoListBefore);
            }
            if self.awaits_delivery() && !left.is_zero() {
                return Some(self.too_early(left));
            }
            let attribution = self.client.attribution();
            let is_contested = attribution.has_competitor(&self.unresolved, self.settle);
            drop(attribution);
            let is_contested = is_contested || self.may_belong_to_evicted(id);
            return is_contested.then_some(AmbiguityReason::OtherCreates);
        }
        if !self.is_listed(list) {
            return Some(match list.shown.is_empty() {
                true => AmbiguityReason::NoListNow,
                false => AmbiguityReason::RouteNotListed,
            });
        }
        (!left.is_zero()).then(|| self.too_early(left))
    }

    fn too_early(&self, left: Duration) -> AmbiguityReason {
        let now = self.client.clock().system_time();
        // The time may overflow.
        let until = now.checked_add(left).unwrap_or(now + LONGEST_PAUSE);
        AmbiguityReason::TooEarly { until }
    }

    /// Whether the lists include tasks of the create's route.
    fn is_listed(&self, list: &FullList) -> bool {
        let route = self.unresolved.operation();
        route.is_listed && route.lists.iter().all(|one| list.shown.contains(one))
            || self
                .client
                .attribution()
                .named()
                .any(|(id, made)| made.operation == route && list.tasks.contains_key(&**id))
    }

    #[cfg(feature = "webhook")]
    fn is_of_another(&self, id: &str) -> bool {
        match (&self.inbox, self.unresolved.correlation()) {
            (Some(inbox), Some(token)) => inbox.is_of_another(id, token),
            _ => false,
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn is_of_another(&self, _: &str) -> bool {
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
            .field("unresolved", &self.unresolved)
            .field("settle", &self.settle)
            .field("is_patient", &self.is_patient)
            .finish_non_exhaustive()
    }
}
