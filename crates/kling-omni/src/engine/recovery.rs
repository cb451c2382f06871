//! Recovers the tasks of unconfirmed creates.

mod assignment;

pub(crate) mod full_list;

pub(crate) mod read_lists;

pub(crate) mod reconciled;

pub(crate) mod search;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::client::ClientInner;
use crate::engine::error::Result;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::recovery::reconciled::Reconciled;
use crate::engine::recovery::search::Search;
use crate::engine::unconfirmed::UnconfirmedCreate;
#[cfg(feature = "webhook")]
use crate::engine::webhook::WebhookReceiver;

#[cfg(doc)]
use crate::engine::recovery::reconciled::AmbiguityReason;

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
///   [`Create::with_list_snapshot`](crate::Create::with_list_snapshot) read it, or since the last
///   [`refresh`](crate::recovery::KnownTasks::refresh) of the set that
///   [`Create::with_known_tasks`](crate::Create::with_known_tasks) got.
///
/// The result by lists is correct under these assumptions, none of which the service guarantees:
///
/// 1. **Nothing else creates tasks on this account in the meantime.** A single new task counts as the one that is searched
///    for. Excluded are tasks that belong to another create of this client, those that [`exclude`](Self::exclude) names,
///    and those that deliveries attribute to another create. While another create of this client is open, a new task is
///    attributed to neither ([`AmbiguityReason::OtherCreates`]); [`Client::reconcile_all`](crate::Client::reconcile_all)
///    reconciles several together. If several processes share an account, use a token.
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
pub struct Reconcile(Search);

impl Reconcile {
    /// The default of [`settle_time`](Self::settle_time): 300 s, a conservative guess, because the service guarantees
    /// nothing.
    pub const DEFAULT_SETTLE_TIME: Duration = Duration::from_secs(300);

    pub(crate) fn new(client: Arc<ClientInner>, unconfirmed: UnconfirmedCreate) -> Self {
        Self(Search::new(client, vec![unconfirmed]))
    }

    /// Excludes tasks that are known to belong to other creates.
    pub fn exclude(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.exclude.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Sets other creates of the account whose outcome is unknown. A new task that may be the one of these is attributed to
    /// neither create ([`AmbiguityReason::OtherCreates`]). It may be theirs unless it would have been known before this
    /// create was sent: they had their settle time, and the list has lost no task since.
    ///
    /// [`Client::reconcile_all`](crate::Client::reconcile_all) reconciles the other creates, too.
    pub fn other_creates(mut self, creates: impl IntoIterator<Item = UnconfirmedCreate>) -> Self {
        self.0.others.extend(creates);
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
        self.0.settle_time = settle_time;
        self
    }

    /// Repeats the search until the task is found or the [`settle_time`](Self::settle_time) is over, instead of returning
    /// [`AmbiguityReason::TooEarly`].
    ///
    /// With a correlation token and a `webhook` receiver, the search waits for the delivery that long, whatever the lists
    /// show, and returns as soon as the delivery arrives.
    pub fn until_settled(mut self) -> Self {
        self.0.until_settled = true;
        self
    }

    /// Sets the set that the create was sent [with](crate::Create::with_known_tasks). The search brings it up to date, and
    /// adds the task that it finds. Required for such a create: without its set, the result is
    /// [`AmbiguityReason::NoSnapshot`].
    ///
    /// Where the list has new tasks first, only these are read. Before [`NotCreated`](Reconciled::NotCreated) is returned, the
    /// list is read to its end.
    pub fn known_tasks(mut self, known: &KnownTasks) -> Self {
        self.0.known = Some(known.clone());
        self
    }

    /// Searches the deliveries of a receiver, too: before the first request, and before each repetition.
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, receiver: &WebhookReceiver) -> Self {
        self.0.receiver = Some(receiver.clone());
        self
    }

    /// The time left until the create is settled: the rest of the [`settle_time`](Self::settle_time).
    ///
    /// It is measured by [`Clock::boot_time`](crate::clock::Clock::boot_time), so a step of the wall clock does not change it.
    /// A create that was recorded in another boot of the machine, or on another machine, gets the full time from the first
    /// call in this process.
    pub fn time_left(&self) -> Duration {
        self.0.longest_time_left()
    }

    async fn run(self) -> Result<Reconciled> {
        let mut reconciled = self.0.run().await?;
        // There is one result for the one create.
        Ok(reconciled.remove(0))
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
        self.0.debug("Reconcile", f)
    }
}

/// A search for the tasks of several unconfirmed creates at once. Await it for the results, in the order of the creates.
///
/// As [`Reconcile`], with one reading of the lists for all of them, and under the same assumptions. A new task is possible for
/// a create if it was not known before that create. A task that is possible for one create only, and is the only such task
/// of it, belongs to that create; then the others are compared again without both. Creates of which a task could be the one of
/// several are [`Ambiguous`](Reconciled::Ambiguous).
///
/// # Errors
///
/// Those of [`Reconcile`]: none of the results is returned then. The search can be repeated.
#[must_use = "nothing is read until it is awaited"]
pub struct ReconcileAll(Search);

impl ReconcileAll {
    pub(crate) fn new(client: Arc<ClientInner>, creates: Vec<UnconfirmedCreate>) -> Self {
        Self(Search::new(client, creates))
    }

    /// Excludes tasks that are known to belong to creates other than these.
    pub fn exclude(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.exclude.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Sets the settle time of each create: see [`Reconcile::settle_time`]. Default: 300 s.
    pub fn settle_time(mut self, settle_time: Duration) -> Self {
        self.0.settle_time = settle_time;
        self
    }

    /// Repeats the search until no result can change any more: see [`Reconcile::until_settled`].
    pub fn until_settled(mut self) -> Self {
        self.0.until_settled = true;
        self
    }

    /// Sets the set that the creates were sent with: see [`Reconcile::known_tasks`].
    pub fn known_tasks(mut self, known: &KnownTasks) -> Self {
        self.0.known = Some(known.clone());
        self
    }

    /// Searches the deliveries of a receiver, too: see [`Reconcile::webhook`].
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, receiver: &WebhookReceiver) -> Self {
        self.0.receiver = Some(receiver.clone());
        self
    }

    /// The time left until the last of the creates is settled: see [`Reconcile::time_left`].
    pub fn time_left(&self) -> Duration {
        self.0.longest_time_left()
    }
}

impl IntoFuture for ReconcileAll {
    type Output = Result<Vec<Reconciled>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.run())
    }
}

impl fmt::Debug for ReconcileAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("ReconcileAll", f)
    }
}
