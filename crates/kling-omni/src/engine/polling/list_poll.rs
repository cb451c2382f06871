use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::engine::error::Result;
use crate::engine::http::call::Options;
use crate::engine::list::read_largest_page;
use crate::engine::operations::ListOperation;
use crate::engine::page::Page;
use crate::engine::polling::Poller;
use crate::engine::polling::backlog::earlier;
use crate::engine::polling::list_poll_stats::ListPollResult;
use crate::engine::polling::queue::PollRequest;
use crate::engine::state::TaskStatus;

/// How many pages are asked for at once where so many will probably be needed.
const PAGES_AT_ONCE: usize = 8;

/// Each page costs one, each task found on it is worth one: a sweep ends when it has nothing left.
const CREDIT: usize = 2;
const MOST_CREDIT: usize = 8;

/// No sweep keeps its looks for longer.
const LONGEST: Duration = Duration::from_secs(5);

type Turning = Pin<Box<dyn Future<Output = Result<Page>> + Send>>;
/// What a page was answered with; `None` if none was asked for.
pub(crate) type PageResult = Option<Result<Page>>;

/// One reading of a list, from its newest task on, until all that are looked for have been found or the rest is not worth
/// it.
pub(crate) struct ListPoll {
    poller: Arc<Poller>,
    list: &'static ListOperation,
    /// What is looked for, by the ids of the tasks.
    looks: HashMap<Arc<str>, Vec<(u64, Box<PollRequest>)>>,
    pages: FuturesOrdered<Turning>,
    /// The number of the last page that was asked for.
    asked: u32,
    read: u32,
    /// The number of pages that it will probably take.
    likely: usize,
    /// The last page on which something was found.
    useful: u32,
    found: usize,
    credit: usize,
    ends: Instant,
    /// No deadline among the looks is before this.
    first_deadline: Option<Instant>,
    /// How long the service asks not to be asked for the list.
    asked_pause: Option<Duration>,
    /// Whether a task that was not found is not on the list.
    is_complete: bool,
}

/// What a page has shown.
pub(crate) struct PageOutcome {
    pub(crate) seen: Vec<(u64, Box<PollRequest>, TaskStatus)>,
    pub(crate) is_over: bool,
}

impl PageOutcome {
    /// The list shows no more.
    const NOTHING: Self = Self {
        seen: Vec::new(),
        is_over: true,
    };
}

/// What a sweep leaves behind.
pub(crate) struct ListPollSummary {
    pub(crate) result: ListPollResult,
    pub(crate) left: Vec<(u64, Box<PollRequest>)>,
}

impl ListPoll {
    pub(crate) fn new(
        poller: &Arc<Poller>,
        list: &'static ListOperation,
        looks: Vec<(u64, Box<PollRequest>)>,
        now: Instant,
    ) -> Self {
        let mut sweep = Self {
            poller: Arc::clone(poller),
            list,
            looks: HashMap::new(),
            pages: FuturesOrdered::new(),
            asked: 0,
            read: 0,
            likely: poller.list_stats.pages(list, now).unwrap_or(1),
            useful: 0,
            found: 0,
            credit: CREDIT,
            ends: now + LONGEST,
            first_deadline: None,
            asked_pause: None,
            is_complete: false,
        };
        for (number, look) in looks {
            sweep.join(number, look);
        }
        sweep.ask();
        sweep
    }

    pub(crate) fn list(&self) -> &'static ListOperation {
        self.list
    }

    /// When whatever was not found by then is looked for otherwise.
    pub(crate) fn ends(&self) -> Instant {
        self.ends
    }

    /// Looks for another task, too, if its page is still to come.
    pub(crate) fn join(&mut self, number: u64, look: Box<PollRequest>) {
        self.first_deadline = earlier(self.first_deadline, look.deadline);
        let id = Arc::clone(look.subject.id());
        // Mostly there is one wait for a task, and a list that grows begins with room for four.
        let looks = self.looks.entry(id);
        looks
            .or_insert_with(|| Vec::with_capacity(1))
            .push((number, look));
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.looks
            .values()
            .flatten()
            .all(|(_, look)| look.is_cancelled())
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Takes out the looks whose deadline has come.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        if self.first_deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let mut late = Vec::new();
        for looks in self.looks.values_mut() {
            late.extend(looks.extract_if(.., |(_, look)| look.is_overdue(now)));
        }
        self.looks.retain(|_, looks| !looks.is_empty());
        let rest = self.looks.values().flatten();
        self.first_deadline = rest.filter_map(|(_, look)| look.deadline).min();
        late
    }

    fn ask(&mut self) {
        let most = match self.list.max_page_size {
            None => 1,
            Some(_) => self
                .likely
                .saturating_sub(self.read as usize)
                .clamp(1, PAGES_AT_ONCE),
        };
        while self.pages.len() < most {
            self.asked += 1;
            let poller = Arc::clone(&self.poller);
            let (list, number) = (self.list, self.asked);
            let options = Options {
                // What the list does not answer now, single reads will.
                retries: Some(0),
                ..Options::default()
            };
            self.pages.push_back(Box::pin(async move {
                let http = Arc::clone(&poller.http);
                read_largest_page(http, poller.service, list, number, options).await
            }));
        }
    }

    /// The next page.
    pub(crate) fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<PageResult> {
        self.pages.poll_next_unpin(context)
    }

    /// Looks through a page.
    pub(crate) fn take(&mut self, page: PageResult) -> PageOutcome {
        let page = match page {
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                tracing::debug!(list = %self.list, %error, "the list could not be read");
                self.asked_pause = error.retry_after();
                return PageOutcome::NOTHING;
            }
            None => return PageOutcome::NOTHING,
        };
        self.read += 1;
        self.credit -= 1;
        let is_whole =
            page.is_whole && page.is_there && !page.extent.is_partial && !page.extent.has_more;
        let is_end = page.tasks.is_empty() && is_whole;
        let mut seen = Vec::new();
        for task in page.tasks {
            for (number, look) in self.looks.remove(&*task.id).unwrap_or_default() {
                seen.push((number, look, task.status.clone()));
            }
        }
        if !seen.is_empty() {
            self.useful = self.read;
        }
        self.found += seen.len();
        self.credit = (self.credit + seen.len()).min(MOST_CREDIT);
        self.is_complete = is_end || self.list.max_page_size.is_none() && is_whole;
        let is_over = self.is_complete
            || !page.is_there
            || self.list.max_page_size.is_none()
            || self.looks.is_empty()
            || self.credit == 0;
        if !is_over {
            self.ask();
        }
        PageOutcome { seen, is_over }
    }

    pub(crate) fn end(self, now: Instant) -> ListPollSummary {
        let left: Vec<_> = self.looks.into_values().flatten().collect();
        if self.is_complete {
            for (_, look) in &left {
                look.subject.missed();
            }
        }
        tracing::debug!(list = %self.list, pages = self.read, found = self.found, left = left.len(), "read the list for all waits");
        ListPollSummary {
            result: ListPollResult {
                list: self.list,
                pages: self.useful,
                was_profitable: self.found > self.read as usize,
                at: now,
                next_at: None,
                asked_pause: self.asked_pause,
            },
            left,
        }
    }
}
