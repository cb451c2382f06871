//! Looks for the task of a create whose end is not known.

mod reconciled;

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use reconciled::{Doubt, Evidence, Reconciled};

use crate::error::{Charged, Result};
use crate::listing::Listing;
use crate::session::Session;
use crate::task::Task;
use crate::unresolved::Unresolved;
#[cfg(feature = "webhook")]
use crate::webhook::Inbox;

/// The pauses between two looks grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The search for the task of an [`Unresolved`] create. Await it for the answer.
///
/// It only reads, and can be repeated. There are two ways to the task, and both have to be prepared before the create:
///
/// * **Deliveries.** With the feature `webhook`, a token of `webhook::correlation` in the `webhook_url`, and an inbox,
///   the delivery that brings the token back names the task exactly. That none has come proves nothing.
/// * **Lists.** The service's list names ids and statuses, and neither times nor requests, in no promised order. So
///   all that can be told is which tasks are new since [`Create::reconcilable`](crate::Create::reconcilable) read it.
///
/// The answer by lists is right as far as these hold, none of which the service promises:
///
/// 1. **Nobody else creates tasks on this account meanwhile.** One new task is taken to be the one that is looked for.
///    Left out are those that this client is known to have made itself, those that [`except`](Self::except) names,
///    and those that deliveries show to belong to another create. Reconcile one create before you send the next, and
///    where several processes share an account, use a token.
/// 2. **The list has all tasks.** A list that lost a task since counts as one that forgets, and a list that moves while
///    it is read as incomplete; both leave the answer open. No document says on which list the tasks of the older
///    route are. They count as listed once this client has seen one of its own there. An account without tasks is answered
///    with 404, as a list that has moved away, or cannot be found for a moment, would be. So that answer proves neither
///    that there is no task ([`Doubt::NoListNow`]) nor, before the create, that there was none: a task that is listed
///    later may be older, and is named and not taken ([`Doubt::NoListBefore`]). The first create of an account is
///    therefore settled by a delivery, or by you.
/// 3. **What has not made a task [so long](Self::settled_after) after the last attempt never will.**
///
/// # Errors
///
/// Those of reading the list. They leave everything as open as it was: [`Error::charged`](crate::Error::charged) is
/// `Unknown`.
#[must_use = "nothing is read until it is awaited"]
pub struct Reconcile {
    session: Arc<Session>,
    unresolved: Unresolved,
    except: HashSet<String>,
    settle: Duration,
    is_patient: bool,
    #[cfg(feature = "webhook")]
    inbox: Option<Inbox>,
}

impl Reconcile {
    pub(crate) fn new(session: Arc<Session>, unresolved: Unresolved) -> Self {
        Self {
            session,
            unresolved,
            except: HashSet::new(),
            settle: Duration::from_secs(300),
            is_patient: false,
            #[cfg(feature = "webhook")]
            inbox: None,
        }
    }

    /// Leaves out tasks that are known to belong to other creates.
    pub fn except(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.except.extend(ids.into_iter().map(Into::into));
        self
    }

    /// How long a create may still make a task, or a task still be missing from the list. It counts from the end of the
    /// create's last attempt ([`Unresolved::over_at`]), or, where that is not known, from the latest time at which it can
    /// have been.
    ///
    /// Default: 300 s, which is a guess on the safe side; the service promises nothing. **With a shorter time you may pay
    /// twice**: a task that appears after it was reported as [`CertainlyAbsent`](Reconciled::CertainlyAbsent) is paid for,
    /// and so is the one that you have created in its place.
    pub fn settled_after(mut self, span: Duration) -> Self {
        self.settle = span;
        self
    }

    /// Looks again until the task is found or the time of [`settled_after`](Self::settled_after) is over, where it would
    /// otherwise answer [`Doubt::TooEarly`].
    pub fn wait(mut self) -> Self {
        self.is_patient = true;
        self
    }

    /// Looks at what was delivered, too: before it asks the service anything, and each time that it looks again.
    #[cfg(feature = "webhook")]
    pub fn webhook(mut self, inbox: &Inbox) -> Self {
        self.inbox = Some(inbox.clone());
        self
    }

    async fn run(self) -> Result<Reconciled> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(reconciled) = self.by_answer().or_else(|| self.by_deliveries()) {
                return Ok(reconciled);
            }
            // Read before the list is: what the list has not got later counts for this moment.
            let now = self.session.clock.system_time();
            let listing = Listing::read(&self.session, self.unresolved.lists())
                .await
                .map_err(|error| {
                    error
                        .with_charged(Charged::Unknown)
                        .after("whether there is a task is as unknown as before")
                })?;
            let reconciled = self.by_lists(&listing, now);
            let Reconciled::Ambiguous {
                why: Doubt::TooEarly { until },
                ..
            } = &reconciled
            else {
                return Ok(reconciled);
            };
            if !self.is_patient {
                return Ok(reconciled);
            }
            let left = until.duration_since(now).unwrap_or_default();
            self.session.clock.sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn found(&self, id: &str, by: Evidence) -> Reconciled {
        Reconciled::Found {
            task: Task::attach(Arc::clone(&self.session), id.to_owned()),
            by,
        }
    }

    /// The task that this client itself was told of, where whoever waited for it did not stay to hear it.
    fn by_answer(&self) -> Option<Reconciled> {
        let create = self.unresolved.create()?;
        let told = {
            let created = self.session.created();
            let mut told = created.iter().filter(|(_, made)| made.by == *create);
            told.next().map(|(id, _)| id.to_string())
        };
        Some(self.found(&told?, Evidence::Answer))
    }

    #[cfg(feature = "webhook")]
    fn by_deliveries(&self) -> Option<Reconciled> {
        let tasks = self
            .inbox
            .as_ref()?
            .correlated(self.unresolved.correlation()?);
        match &tasks[..] {
            [] => None,
            [id] => Some(self.found(id, Evidence::Delivery)),
            several => Some(Reconciled::Ambiguous {
                candidates: several.to_vec(),
                why: Doubt::Several,
            }),
        }
    }

    #[cfg(not(feature = "webhook"))]
    fn by_deliveries(&self) -> Option<Reconciled> {
        None
    }

    fn by_lists(&self, listing: &Listing, now: SystemTime) -> Reconciled {
        let candidates = self.candidates(listing);
        let why = match self.doubt(listing, &candidates, now) {
            Some(why) => why,
            None => match candidates.first() {
                Some(id) => return self.found(id, Evidence::OnlyNewTask),
                None => return Reconciled::CertainlyAbsent,
            },
        };
        Reconciled::Ambiguous { candidates, why }
    }

    /// The listed tasks that may be the one.
    fn candidates(&self, listing: &Listing) -> Vec<String> {
        let created = self.session.created();
        let may_be = |id: &&String| {
            let known = self.unresolved.known();
            !known.is_some_and(|known| known.ids.contains(*id))
                && !created.contains_key(id.as_str())
                && !self.except.contains(*id)
                && !self.is_of_another(id)
        };
        listing.tasks.keys().filter(may_be).cloned().collect()
    }

    /// What keeps the lists from settling it, with these candidates.
    fn doubt(&self, listing: &Listing, candidates: &[String], now: SystemTime) -> Option<Doubt> {
        let Some(known) = self.unresolved.known() else {
            return Some(Doubt::NoSnapshot);
        };
        if candidates.len() > 1 {
            return Some(Doubt::Several);
        }
        if !known.complete || !listing.complete {
            return Some(Doubt::ListIncomplete);
        }
        if !known.ids.iter().all(|id| listing.tasks.contains_key(&**id)) {
            return Some(Doubt::ListForgets);
        }
        if let [id] = candidates {
            let mut lists = listing.tasks.get(id).into_iter().flatten();
            let is_new = lists.any(|list| known.shown.contains(list));
            return (!is_new).then_some(Doubt::NoListBefore);
        }
        if !self.is_listed(listing) {
            return Some(match listing.shown.is_empty() {
                true => Doubt::NoListNow,
                false => Doubt::RouteNotListed,
            });
        }
        // A time beyond all calendars never comes.
        let until = self.unresolved.over_at().checked_add(self.settle);
        let until = until.unwrap_or_else(|| now + LONGEST_PAUSE);
        (now < until).then_some(Doubt::TooEarly { until })
    }

    /// Whether tasks of the create's route are on the lists that were read.
    fn is_listed(&self, listing: &Listing) -> bool {
        let route = self.unresolved.create_route();
        let lists = route.lists();
        route.is_listed() && lists.iter().all(|list| listing.shown.contains(list))
            || self
                .session
                .created()
                .iter()
                .any(|(id, made)| made.route == route && listing.tasks.contains_key(&**id))
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
