//! Answers many polls with one request for the list of tasks.

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
use crate::engine::task_id::TaskId;

/// The maximum number of pages that are read concurrently.
const MAX_CONCURRENT_PAGES: usize = 8;

/// The initial credit. Each page costs one, each task found on it earns one. A list poll without credit ends.
const CREDIT: usize = 2;
const MAX_CREDIT: usize = 8;

/// The maximum duration of a list poll. After it, direct reads answer the remaining requests.
const MAX_DURATION: Duration = Duration::from_secs(5);

type ReadPage = Pin<Box<dyn Future<Output = Result<Page>> + Send>>;
/// `None` if no page is being read.
pub(crate) type PageResult = Option<Result<Page>>;

/// A list poll: paginates through a list from its newest task on, until all requested tasks are found or the rest is not
/// worth the pages.
pub(crate) struct ListPoll {
    poller: Arc<Poller>,
    list: &'static ListOperation,
    /// The requests by task id.
    requests: HashMap<TaskId, Vec<(u64, Box<PollRequest>)>>,
    pages: FuturesOrdered<ReadPage>,
    pages_requested: u32,
    pages_read: u32,
    /// The estimated number of pages.
    pages_expected: usize,
    /// The last page on which a requested task was found.
    last_useful_page: u32,
    found: usize,
    credit: usize,
    ends: Instant,
    /// A lower bound of the deadlines of the requests.
    first_deadline: Option<Instant>,
    /// How long the service requested not to read the list.
    requested_pause: Option<Duration>,
    /// Whether the list was read to its end.
    is_complete: bool,
}

/// The requested tasks on one page.
pub(crate) struct PageOutcome {
    pub(crate) found: Vec<(u64, Box<PollRequest>, TaskStatus)>,
    pub(crate) is_over: bool,
}

impl PageOutcome {
    /// The list cannot be read further.
    const NOTHING: Self = Self {
        found: Vec::new(),
        is_over: true,
    };
}

/// The result of a list poll, and the requests that it left.
pub(crate) struct ListPollSummary {
    pub(crate) result: ListPollResult,
    pub(crate) unanswered: Vec<(u64, Box<PollRequest>)>,
}

impl ListPoll {
    pub(crate) fn new(
        poller: &Arc<Poller>,
        list: &'static ListOperation,
        requests: Vec<(u64, Box<PollRequest>)>,
        now: Instant,
    ) -> Self {
        let mut list_poll = Self {
            poller: Arc::clone(poller),
            list,
            requests: HashMap::with_capacity(requests.len()),
            pages: FuturesOrdered::new(),
            pages_requested: 0,
            pages_read: 0,
            pages_expected: poller.list_stats.pages(list, now).unwrap_or(1),
            last_useful_page: 0,
            found: 0,
            credit: CREDIT,
            ends: now + MAX_DURATION,
            first_deadline: None,
            requested_pause: None,
            is_complete: false,
        };
        for (number, request) in requests {
            list_poll.join(number, request);
        }
        list_poll.request_pages();
        list_poll
    }

    pub(crate) fn list(&self) -> &'static ListOperation {
        self.list
    }

    /// The latest time at which it ends.
    pub(crate) fn ends(&self) -> Instant {
        self.ends
    }

    /// Adds a request. It is answered only if the page with its task has not been read yet.
    pub(crate) fn join(&mut self, number: u64, request: Box<PollRequest>) {
        self.first_deadline = earlier(self.first_deadline, request.deadline);
        // Only tasks with an id are on a list.
        let Some(id) = request.task.id().cloned() else {
            return;
        };
        // Most tasks have one wait, and a growing vector begins with a capacity of four.
        let requests = self.requests.entry(id);
        requests
            .or_insert_with(|| Vec::with_capacity(1))
            .push((number, request));
    }

    /// Whether all of its requests are cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.requests
            .values()
            .flatten()
            .all(|(_, request)| request.is_cancelled())
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Removes and returns the requests whose deadline has passed.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Vec<(u64, Box<PollRequest>)> {
        if self.first_deadline.is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        let mut overdue = Vec::new();
        for requests in self.requests.values_mut() {
            overdue.extend(requests.extract_if(.., |(_, request)| request.is_overdue(now)));
        }
        self.requests.retain(|_, requests| !requests.is_empty());
        let rest = self.requests.values().flatten();
        self.first_deadline = rest.filter_map(|(_, request)| request.deadline).min();
        overdue
    }

    fn request_pages(&mut self) {
        let concurrent = match self.list.max_page_size {
            None => 1,
            Some(_) => self
                .pages_expected
                .saturating_sub(self.pages_read as usize)
                .clamp(1, MAX_CONCURRENT_PAGES),
        };
        while self.pages.len() < concurrent {
            self.pages_requested += 1;
            let poller = Arc::clone(&self.poller);
            let (list, number) = (self.list, self.pages_requested);
            let options = Options {
                // Direct reads answer what the list does not.
                retries: Some(0),
                ..Options::default()
            };
            self.pages.push_back(Box::pin(async move {
                let http = Arc::clone(&poller.http);
                read_largest_page(http, poller.service, list, number, options).await
            }));
        }
    }

    /// Polls for the next page.
    pub(crate) fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<PageResult> {
        self.pages.poll_next_unpin(context)
    }

    /// Applies a page: finds the requested tasks on it.
    pub(crate) fn apply(&mut self, page: PageResult) -> PageOutcome {
        let page = match page {
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                tracing::debug!(list = %self.list, %error, "list poll failed");
                self.requested_pause = error.retry_after();
                return PageOutcome::NOTHING;
            }
            None => return PageOutcome::NOTHING,
        };
        self.poller.add_to_known(self.list, &page);
        self.pages_read += 1;
        self.credit -= 1;
        let is_complete =
            page.is_complete && page.exists && !page.extent.is_partial && !page.extent.has_more;
        let is_end = page.tasks.is_empty() && is_complete;
        let mut found = Vec::new();
        for task in page.tasks {
            for (number, request) in self.requests.remove(&*task.id).unwrap_or_default() {
                found.push((number, request, task.status.clone()));
            }
        }
        if !found.is_empty() {
            self.last_useful_page = self.pages_read;
        }
        self.found += found.len();
        self.credit = (self.credit + found.len()).min(MAX_CREDIT);
        self.is_complete = is_end || self.list.max_page_size.is_none() && is_complete;
        let is_over = self.is_complete
            || !page.exists
            || self.list.max_page_size.is_none()
            || self.requests.is_empty()
            || self.credit == 0;
        if !is_over {
            self.request_pages();
        }
        PageOutcome { found, is_over }
    }

    pub(crate) fn end(self, now: Instant) -> ListPollSummary {
        let unanswered: Vec<_> = self.requests.into_values().flatten().collect();
        if self.is_complete {
            for (_, request) in &unanswered {
                request.task.missing_in_list();
            }
        }
        tracing::debug!(list = %self.list, pages = self.pages_read, found = self.found, unanswered = unanswered.len(), "list poll completed");
        ListPollSummary {
            result: ListPollResult {
                list: self.list,
                pages: self.last_useful_page,
                was_profitable: self.found > self.pages_read as usize,
                at: now,
                next_at: None,
                requested_pause: self.requested_pause,
            },
            unanswered,
        }
    }
}
