//! Lists of the account's tasks.

use std::collections::HashSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::{TryStreamExt, stream};

use kling_omni_api::tasks::TaskList;

use crate::engine::client::ClientInner;
use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::call::Options;
use crate::engine::list::read_page;
use crate::engine::operations::ListOperation;
use crate::engine::state::TaskSummary;
use crate::route::Mode;
use crate::validation::must_be_between;

/// A list request. Await it to read one page of the account's tasks.
///
/// A list has the tasks of one [`Mode`], of both tiers. If the service has a list for each tier, both are read in turn.
/// The service decides whether a list includes tasks of the older creating route. No row is omitted: a row without a
/// readable id has an empty [`id`](TaskSummary::id).
///
/// # Errors
///
/// [`ErrorKind::Validation`] if the page or the page size is out of range or the list is not paginated, and the errors
/// of any request.
///
/// ```no_run
/// # async fn example(client: kling_omni::Client) -> kling_omni::Result<()> {
/// for task in client.list().page_size(50).await? {
///     println!("{} {}", task.id, task.status);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent until it is awaited"]
pub struct List {
    inner: Arc<ClientInner>,
    mode: Mode,
    page: Option<u32>,
    page_size: Option<u32>,
}

impl List {
    pub(crate) fn new(inner: Arc<ClientInner>) -> Self {
        Self {
            inner,
            mode: Mode::default(),
            page: None,
            page_size: None,
        }
    }

    /// Sets the mode of the tasks to list. Default: [`Mode::Reference`].
    ///
    /// Only the list of [`Mode::Reference`] is paginated. With any other mode, neither [`page`](Self::page) nor
    /// [`page_size`](Self::page_size) can be set.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the number of the page.
    ///
    /// Limits and default: [`PAGE`](kling_omni_api::limits::list_reference_to_video_tasks::PAGE).
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// Sets the maximum number of tasks on a page.
    ///
    /// Limits and default: [`PAGE_SIZE`](kling_omni_api::limits::list_reference_to_video_tasks::PAGE_SIZE).
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = Some(size);
        self
    }

    /// Returns a stream of all tasks from this page on. It reads each page on demand.
    ///
    /// A task that is created meanwhile moves others to the next page, so tasks are deduplicated by id. The stream ends
    /// after the first page without a new task, and after an error.
    ///
    /// ```no_run
    /// use futures_util::TryStreamExt;
    ///
    /// # async fn example(client: kling_omni::Client) -> kling_omni::Result<()> {
    /// let mut tasks = client.list().page_size(100).stream();
    /// while let Some(task) = tasks.try_next().await? {
    ///     println!("{} {}", task.id, task.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> ListStream {
        let pages = Pages {
            next: Some(self),
            seen: HashSet::new(),
        };
        let pages = stream::try_unfold(pages, |mut pages| async {
            let tasks = pages.read_next().await?;
            Ok::<_, Error>(tasks.map(|tasks| (stream::iter(tasks.into_iter().map(Ok)), pages)))
        });
        ListStream(Box::pin(pages.try_flatten()))
    }

    /// Validates a parameter of the list.
    fn validate_parameter(
        &self,
        operation: &ListOperation,
        name: &str,
        value: Option<u32>,
    ) -> Result<Option<i32>> {
        let Some(value) = value else {
            return Ok(None);
        };
        let mut fields = TaskList::ALL[operation.key].spec().fields.iter();
        let Some(rules) = fields.find(|field| field.name == name) else {
            return Err(Error::uncharged(
                ErrorKind::Validation,
                format!("the list of the mode {} is not paginated", self.mode),
            )
            .with_help("omit the page and the page size"));
        };
        let number = f64::from(value);
        let minimum = rules.minimum.unwrap_or(f64::MIN);
        let maximum = rules.maximum.unwrap_or(f64::from(i32::MAX));
        if number < minimum || number > maximum {
            return Err(Error::uncharged(
                ErrorKind::Validation,
                format!("{name} is {value}, {}", must_be_between(minimum, maximum)),
            ));
        }
        Ok(i32::try_from(value).ok())
    }

    async fn read(self) -> Result<Vec<TaskSummary>> {
        let lists = self.mode.lists();
        if lists.is_empty() {
            return Err(Error::uncharged(
                ErrorKind::Validation,
                format!("the service has no list of tasks of the mode {}", self.mode),
            ));
        }
        let mut tasks = Vec::new();
        for operation in lists {
            let number = self.validate_parameter(operation, "page", self.page)?;
            let size = self.validate_parameter(operation, "page_size", self.page_size)?;
            let http = Arc::clone(&self.inner.http);
            let service = self.inner.service;
            let page = read_page(http, service, operation, number, size, Options::default());
            let page = page.await?;
            self.inner.poller.add_to_known(operation, &page);
            tasks.extend(page.tasks);
        }
        Ok(tasks)
    }
}

/// The remaining pages of a stream.
struct Pages {
    next: Option<List>,
    seen: HashSet<String>,
}

impl Pages {
    /// Reads the new tasks of the next page; `None` if it has none.
    async fn read_next(&mut self) -> Result<Option<Vec<TaskSummary>>> {
        let Some(list) = self.next.take() else {
            return Ok(None);
        };
        let mut lists = list.mode.lists().into_iter();
        if lists.any(|operation| operation.max_page_size.is_some()) {
            let number = list.page.unwrap_or(1).saturating_add(1);
            self.next = Some(list.clone().page(number));
        }
        let mut tasks = list.read().await?;
        // Rows without a readable id are not deduplicated. A page with no other rows is the last one.
        tasks.retain(|task| task.id.is_empty() || self.seen.insert(task.id.clone()));
        if tasks.iter().all(|task| task.id.is_empty()) {
            self.next = None;
        }
        Ok((!tasks.is_empty()).then_some(tasks))
    }
}

/// A stream of the tasks of a list: see [`List::stream`].
#[must_use = "streams do nothing unless polled"]
pub struct ListStream(Pin<Box<dyn Stream<Item = Result<TaskSummary>> + Send>>);

impl Stream for ListStream {
    type Item = Result<TaskSummary>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for ListStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListStream").finish_non_exhaustive()
    }
}

impl IntoFuture for List {
    type Output = Result<Vec<TaskSummary>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.read())
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("mode", &self.mode)
            .field("page", &self.page)
            .field("page_size", &self.page_size)
            .finish_non_exhaustive()
    }
}
