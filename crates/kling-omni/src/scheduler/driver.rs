use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tracing::Instrument as _;

use super::sweep::{Sweep, Turned, Verdict};
use crate::route::Mode;
use crate::session::{Look, Session};

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

/// After so long, a task that only lists have shown to go on is read itself: a list may lag behind.
const LISTS_ALONE: Duration = Duration::from_secs(180);

type Asking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Works through the agenda of a client for as long as something is on it.
pub(super) struct Driver {
    session: Arc<Session>,
    asking: FuturesUnordered<Asking>,
    queue: VecDeque<Box<Look>>,
    sweep: Option<Sweep>,
    has_finished: bool,
}

impl Driver {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            asking: FuturesUnordered::new(),
            queue: VecDeque::new(),
            sweep: None,
            has_finished: false,
        }
    }

    pub(super) async fn run(mut self) {
        let session = Arc::clone(&self.session);
        let agenda = &session.agenda;
        loop {
            let now = session.clock.now();
            self.begin(now);
            let is_idle = self.asking.is_empty() && self.sweep.is_none();
            if is_idle && agenda.finish() {
                self.has_finished = true;
                return;
            }
            let sweep_ends = self.sweep.as_ref().map(Sweep::ends);
            let wake = [agenda.earliest(), sweep_ends].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = agenda.changed() => {}
                Some(()) = self.asking.next() => {}
                page = turn(&mut self.sweep) => {
                    let verdict = page.map(|(sweep, page)| sweep.take(page));
                    self.heed(verdict);
                }
                () = sleep_until(&session, wake) => {
                    let now = session.clock.now();
                    if sweep_ends.is_some_and(|end| end <= now) {
                        let verdict = self.sweep.as_mut().map(Sweep::break_off);
                        self.heed(verdict);
                    }
                }
            }
        }
    }

    /// Begins with what is due.
    fn begin(&mut self, now: Instant) {
        let due = self.session.agenda.take_due(now);
        let due = self.defer(due, now);
        for mode in Mode::ALL {
            let waiting = due.iter().filter(|(_, look)| look.list() == Some(*mode));
            let waiting = waiting.count();
            if waiting > 0 && self.sweep.is_none() && self.is_worth_a_sweep(*mode, waiting, now) {
                self.sweep = Some(Sweep::new(&self.session, *mode, now));
            }
        }
        for (number, look) in due {
            match &mut self.sweep {
                Some(sweep) if look.list() == Some(sweep.mode()) => sweep.join(number, look),
                _ => self.queue.push_back(look),
            }
        }
        self.ask_next(now);
    }

    /// Lets looks wait for the next reading of their list where that comes soon.
    fn defer(&self, due: Vec<(u64, Box<Look>)>, now: Instant) -> Vec<(u64, Box<Look>)> {
        let mut deferred = Vec::new();
        let mut rest = Vec::new();
        for (number, mut look) in due {
            let next = look.list();
            let next = next.and_then(|mode| self.session.sweeps.next_at(mode, now));
            match next.filter(|next| look.deadline.is_none_or(|deadline| *next < deadline)) {
                Some(next) => {
                    look.due = next;
                    deferred.push((number, look));
                }
                None => rest.push((number, look)),
            }
        }
        self.session.agenda.put_back(deferred);
        rest
    }

    fn is_worth_a_sweep(&self, mode: Mode, due: usize, now: Instant) -> bool {
        let Some(pages) = self.session.sweeps.pages(mode, now) else {
            return false;
        };
        let enough = HANDFUL.max(LOOKS_PER_PAGE * pages);
        let soon = self.session.agenda.listed_until(now + SOON, mode, enough);
        due + soon >= enough
    }

    /// Does what a page of the list has shown.
    fn heed(&mut self, verdict: Option<Verdict>) {
        let Some(verdict) = verdict else { return };
        let now = self.session.clock.now();
        let mut back = Vec::new();
        for (number, mut look, status) in verdict.seen {
            let since = *look.glimpsed_since.get_or_insert(now);
            if look.is_off() {
                continue;
            }
            if status.is_terminal() || now.duration_since(since) > LISTS_ALONE {
                self.queue.push_back(look);
            } else {
                let state = look.subject.glimpsed(verdict.mode, &status);
                let is_news = look.known.as_ref() != Some(state.status());
                if is_news {
                    look.answer(Ok(state));
                } else {
                    let due = look.subject.next_due().max(now);
                    look.due = look.deadline.map_or(due, |deadline| deadline.min(due));
                    back.push((number, look));
                }
            }
        }
        // The one that comes last is the oldest, and the most likely to show it if the list lags behind.
        if !back.is_empty()
            && self.session.sweeps.is_check_due(verdict.mode, now)
            && let Some((_, mut look)) = back.pop()
        {
            look.checks = Some(verdict.mode);
            self.queue.push_back(look);
        }
        self.session.agenda.put_back(back);
        if verdict.is_over
            && let Some(sweep) = self.sweep.take()
        {
            self.end(sweep, now);
        }
        self.ask_next(now);
    }

    fn end(&mut self, sweep: Sweep, now: Instant) {
        let mode = sweep.mode();
        let mut end = sweep.end(now);
        let agenda = &self.session.agenda;
        let next = agenda.earliest_glimpsed(mode);
        end.result.next_at = next.map(|next| {
            let pause = next.saturating_duration_since(now);
            now + (pause + pause / SLACK_PART).min(SOON)
        });
        self.session.sweeps.note(end.result);
        let (due, rest): (Vec<_>, Vec<_>) =
            end.left.into_iter().partition(|(_, look)| look.due <= now);
        self.queue.extend(due.into_iter().map(|(_, look)| look));
        agenda.put_back(rest);
    }

    fn ask_next(&mut self, now: Instant) {
        while self.asking.len() < MOST_AT_ONCE
            && let Some(look) = self.queue.pop_front()
        {
            if !look.is_off() {
                self.asking.push(ask(&self.session, look, now));
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.has_finished {
            self.session.agenda.abandon();
        }
    }
}

/// Reads a task for one look, for as long as someone waits for it.
fn ask(session: &Arc<Session>, mut look: Box<Look>, now: Instant) -> Asking {
    let session = Arc::clone(session);
    let left = look.deadline;
    let left = left.map(|deadline| deadline.saturating_duration_since(now));
    Box::pin(async move {
        let reading = look.subject.read(left).instrument(look.span.clone());
        let read = tokio::select! {
            biased;
            () = look.answer.closed() => return,
            read = reading => read,
        };
        if let (Some(mode), Ok(state)) = (look.checks, &read) {
            let is_true = !state.status().is_terminal();
            session.sweeps.checked(mode, is_true, session.clock.now());
        }
        look.answer(read);
    })
}

/// The next page of a sweep; for ever, if there is none.
async fn turn(sweep: &mut Option<Sweep>) -> Option<(&mut Sweep, Turned)> {
    match sweep {
        Some(sweep) => {
            let page = sweep.turn().await;
            Some((sweep, page))
        }
        None => std::future::pending().await,
    }
}

async fn sleep_until(session: &Session, wake: Option<Instant>) {
    let Some(wake) = wake else {
        return std::future::pending().await;
    };
    let pause = wake.saturating_duration_since(session.clock.now());
    if !pause.is_zero() {
        session.clock.sleep(pause).await;
    }
}
