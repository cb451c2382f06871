use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tracing::Instrument as _;

use crate::engine::operations::ListOperation;
use crate::engine::polling::Poller;
use crate::engine::polling::backlog::{Backlog, earlier};
use crate::engine::polling::list_poll::{ListPoll, PageOutcome, PageResult};
use crate::engine::polling::queue::{ListObservation, PollQueue, PollRequest};
use crate::engine::state::TaskStatus;

/// How many tasks are read at once; the others wait for their turn.
const MOST_AT_ONCE: usize = 32;

/// A list is read in place of single tasks if it answers at least so many looks,
const HANDFUL: usize = 4;
/// and so many for each page that it takes to find them,
const LOOKS_PER_PAGE: usize = 2;
/// among those that are due within this time. For so long, looks wait for the next one after it, too.
const SOON: Duration = Duration::from_secs(5);

/// A list is read again when the first of its tasks is due, and this part of the pause later: for all of the tasks
/// together, that is soon enough.
const SLACK_PART: u32 = 3;

/// After so long, and up to twice as long, a task that only lists have shown to go on is read itself: a list may lag
/// behind with one of them.
const LISTS_ALONE: Duration = Duration::from_secs(180);
/// Over so many parts of that time, tasks are spread that lists have shown together.
const PARTS: u32 = 64;

type Asking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Works through the queue of a client for as long as something is on it.
pub(crate) struct PollWorker {
    poller: Arc<Poller>,
    queue: Arc<PollQueue>,
    asking: FuturesUnordered<Asking>,
    waiting: Backlog,
    /// One for each list at the most.
    sweeps: Vec<ListPoll>,
    has_finished: bool,
}

impl PollWorker {
    pub(crate) fn new(poller: Arc<Poller>, queue: Arc<PollQueue>) -> Self {
        Self {
            poller,
            queue,
            asking: FuturesUnordered::new(),
            waiting: Backlog::default(),
            sweeps: Vec::new(),
            has_finished: false,
        }
    }

    pub(crate) async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let poller = Arc::clone(&self.poller);
        loop {
            let now = poller.http.clock.now();
            self.begin(now);
            let is_idle = self.asking.is_empty() && self.sweeps.is_empty();
            if is_idle && self.waiting.is_empty() && queue.finish() {
                self.has_finished = true;
                return;
            }
            let wake = self.wake(now);
            tokio::select! {
                biased;
                () = queue.changed() => {}
                Some(()) = self.asking.next() => {}
                (place, page) = turn(&mut self.sweeps) => {
                    let verdict = self.sweeps[place].take(page);
                    self.apply_list_page(place, verdict);
                }
                () = sleep_until(&poller, wake) => {}
            }
        }
    }

    /// When something is to be done, whatever happens in between.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let mut wake = earlier(self.queue.earliest(), self.waiting.first_deadline());
        for sweep in &self.sweeps {
            wake = earlier(wake, Some(sweep.ends()));
            wake = earlier(wake, sweep.first_deadline());
        }
        match self.waiting.is_empty() {
            true => wake,
            false => earlier(wake, self.turn(now)),
        }
    }

    /// When the next request may be sent, if that is still to come.
    fn turn(&self, now: Instant) -> Option<Instant> {
        self.poller.http.rate_limiter.next_turn(now)
    }

    /// Begins with what is due.
    fn begin(&mut self, now: Instant) {
        self.leave_late_sweeps(now);
        let mut late = self.waiting.take_overdue(now);
        late.extend(
            self.sweeps
                .iter_mut()
                .flat_map(|sweep| sweep.take_overdue(now)),
        );
        let (last, due): (Vec<_>, Vec<_>) = self
            .queue
            .take_due(now)
            .into_iter()
            .partition(|(_, look)| look.is_overdue(now));
        late.extend(last);
        for (_, mut look) in late {
            // The look at a deadline is made then, whatever else is under way.
            look.reschedule(now);
            self.asking.push(ask(&self.poller, look, now));
        }

        let due = self.defer(due, now);
        for list in self.poller.service.lists() {
            let waiting = due.iter().filter(|(_, look)| look.list() == Some(*list));
            let waiting = waiting.count() + self.waiting.listed(*list);
            let is_read = self.sweeps.iter().any(|sweep| sweep.list() == *list);
            if waiting > 0 && !is_read && self.is_worth_a_sweep(*list, waiting, now) {
                let mut looks = self.queue.take_listed(*list);
                looks.extend(self.waiting.take_listed(*list));
                let sweep = ListPoll::new(&self.poller, *list, looks, now);
                self.sweeps.push(sweep);
            }
        }
        for (number, look) in due {
            let list = look.list();
            let mut sweeps = self.sweeps.iter_mut();
            match sweeps.find(|sweep| list == Some(sweep.list())) {
                Some(sweep) => sweep.join(number, look),
                None => self.waiting.add(number, look),
            }
        }
        self.ask_next(now);
    }

    /// Ends sweeps that nobody waits for any more, and those that take too long.
    fn leave_late_sweeps(&mut self, now: Instant) {
        self.sweeps.retain(|sweep| !sweep.is_cancelled());
        while let Some(place) = self.sweeps.iter().position(|sweep| sweep.ends() <= now) {
            let sweep = self.sweeps.swap_remove(place);
            // One that was held back has shown nothing about the list.
            let is_judged = self.turn(now).is_none();
            self.end(sweep, is_judged, now);
        }
    }

    /// Lets looks wait for the next reading of their list where that comes soon, and for the next turn where no request
    /// may be sent now.
    fn defer(
        &self,
        due: Vec<(u64, Box<PollRequest>)>,
        now: Instant,
    ) -> Vec<(u64, Box<PollRequest>)> {
        let turn = self.turn(now);
        let mut deferred = Vec::new();
        let mut rest = Vec::new();
        for (number, mut look) in due {
            let list = look.list().filter(|_| look.known.is_some());
            let list = list.and_then(|list| self.poller.list_stats.next_at(list, now));
            match list.max(turn) {
                Some(until) => {
                    look.reschedule(until);
                    deferred.push((number, look));
                }
                None => rest.push((number, look)),
            }
        }
        self.queue.put_back(deferred);
        rest
    }

    fn is_worth_a_sweep(&self, list: &'static ListOperation, due: usize, now: Instant) -> bool {
        let Some(pages) = self.poller.list_stats.pages(list, now) else {
            return false;
        };
        let enough = HANDFUL.max(LOOKS_PER_PAGE * pages);
        let soon = self.queue.listed_until(now + SOON, list, enough);
        due + soon >= enough
    }

    /// Does what a page of the list has shown.
    fn apply_list_page(&mut self, place: usize, verdict: PageOutcome) {
        let now = self.poller.http.clock.now();
        let list = self.sweeps[place].list();
        let mut back = Vec::new();
        for (number, mut look, status) in verdict.seen {
            let since = *look.listed_since.get_or_insert(now);
            let alone = LISTS_ALONE + LISTS_ALONE * (number % u64::from(PARTS)) as u32 / PARTS;
            if look.is_cancelled() {
                continue;
            }
            if status.is_terminal() && !look.is_held(now) {
                look.shown = Some(ListObservation { list, ended: true });
                self.waiting.add(number, look);
            } else if now.duration_since(since) > alone && !look.is_held(now) {
                look.shown = Some(ListObservation { list, ended: false });
                self.waiting.add(number, look);
            } else if let Some(look) = apply_list_entry(look, &status, now) {
                back.push((number, look));
            }
        }
        // The one that comes last is the oldest, and the most likely to show it if the list lags behind.
        if let Some(oldest) = back.iter().rposition(|(_, look)| !look.is_held(now))
            && self.poller.list_stats.is_check_due(list, now)
        {
            let (number, mut look) = back.remove(oldest);
            look.shown = Some(ListObservation { list, ended: false });
            self.waiting.add_first(number, look);
        }
        self.queue.put_back(back);
        if verdict.is_over {
            let sweep = self.sweeps.swap_remove(place);
            self.end(sweep, true, now);
        }
    }

    fn end(&mut self, sweep: ListPoll, is_judged: bool, now: Instant) {
        let list = sweep.list();
        let mut end = sweep.end(now);
        let next = self.queue.earliest_listed(list);
        end.result.next_at = next.map(|next| {
            let pause = next.saturating_duration_since(now);
            now + (pause + pause / SLACK_PART).min(SOON)
        });
        if is_judged {
            self.poller.list_stats.record(end.result);
        }
        let mut back = Vec::new();
        for (number, mut look) in end.left {
            if look.due <= now {
                // The next reading would come at once, and find it no better.
                look.needs_direct_read = true;
                self.waiting.add(number, look);
            } else {
                back.push((number, look));
            }
        }
        self.queue.put_back(back);
    }

    fn ask_next(&mut self, now: Instant) {
        while self.asking.len() < MOST_AT_ONCE
            && self.turn(now).is_none()
            && let Some(look) = self.waiting.next()
        {
            self.asking.push(ask(&self.poller, look, now));
        }
    }
}

impl Drop for PollWorker {
    fn drop(&mut self) {
        if !self.has_finished {
            self.queue.clear();
        }
    }
}

/// Takes in that a list shows a task to go on. Answers the look if that is news, and else gives it back with the time of
/// the next one.
fn apply_list_entry(
    mut look: Box<PollRequest>,
    status: &TaskStatus,
    now: Instant,
) -> Option<Box<PollRequest>> {
    let state = look.subject.observe_in_list(status);
    if look.known.as_ref() != Some(state.status()) {
        look.answer(Ok(state));
        return None;
    }
    // A schedule may be a closure of the caller's, whose panic is to strike where it waits, and nobody else.
    match catch_unwind(AssertUnwindSafe(|| look.subject.next_due())) {
        Ok(due) => {
            look.reschedule(due.max(look.not_before.unwrap_or(now)));
            Some(look)
        }
        Err(_) => {
            look.answer(Ok(state));
            None
        }
    }
}

/// Reads a task for one look, for as long as someone waits for it.
fn ask(poller: &Arc<Poller>, mut look: Box<PollRequest>, now: Instant) -> Asking {
    let poller = Arc::clone(poller);
    let left = look.deadline;
    let left = left.map(|deadline| deadline.saturating_duration_since(now));
    Box::pin(async move {
        let reading = look.subject.read(left).instrument(look.span.clone());
        let read = tokio::select! {
            biased;
            () = look.answer.closed() => return,
            read = reading => read,
        };
        if let (Some(shown), Ok(state)) = (look.shown, &read) {
            let is_true = shown.ended == state.status().is_terminal();
            let now = poller.http.clock.now();
            poller.list_stats.checked(shown.list, is_true, now);
        }
        look.answer(read);
    })
}

/// The next page of any sweep, with the place of that one; for ever, if there is none.
async fn turn(sweeps: &mut [ListPoll]) -> (usize, PageResult) {
    poll_fn(|context| {
        for (place, sweep) in sweeps.iter_mut().enumerate() {
            if let Poll::Ready(page) = sweep.poll_page(context) {
                return Poll::Ready((place, page));
            }
        }
        Poll::Pending
    })
    .await
}

async fn sleep_until(poller: &Poller, wake: Option<Instant>) {
    let Some(wake) = wake else {
        return std::future::pending().await;
    };
    let pause = wake.saturating_duration_since(poller.http.clock.now());
    if !pause.is_zero() {
        poller.http.clock.sleep(pause).await;
    }
}
