//! Reads the complete list of an account's tasks, and decides whether it is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::client::ClientInner;
use crate::engine::error::Result;
use crate::engine::http::call::Options;
use crate::engine::list::read_largest_page;
use crate::engine::operations::ListOperation;
use crate::engine::page::Page;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::Snapshot;

/// A longer list is not read to its end.
const MAX_PAGES: u32 = 100;
/// How often a list of several pages is read until two scans agree.
const MAX_SCANS: u32 = 3;

/// The tasks of one or several lists.
#[derive(Debug, Default)]
pub(crate) struct FullList {
    /// The lists of each task.
    pub(crate) tasks: BTreeMap<String, Vec<&'static ListOperation>>,
    /// Whether these are known to be all.
    pub(crate) is_complete: bool,
    /// The lists that exist.
    pub(crate) existing: Vec<&'static ListOperation>,
}

/// The tasks of one list.
struct ListResult {
    tasks: BTreeSet<String>,
    is_complete: bool,
    exists: bool,
}

/// One scan of a list, from the first page to the last.
struct ListScan {
    tasks: BTreeSet<String>,
    /// The number of non-empty pages.
    pages: u32,
    /// Whether the scan reached the end, could read everything, and no task moved between pages.
    is_complete: bool,
    /// Whether the list exists.
    exists: bool,
    /// Whether the last page exists, instead of a 404.
    last_page_exists: bool,
    /// Whether the last non-empty page announced another result.
    has_more: bool,
    /// The announced numbers of tasks and pages.
    announced: (u64, u64),
}

impl FullList {
    pub(crate) async fn read(
        client: &Arc<ClientInner>,
        lists: &[&'static ListOperation],
    ) -> Result<Self> {
        let mut all = Self {
            is_complete: true,
            ..Self::default()
        };
        for list in lists {
            let result = scan_until_stable(client, list).await?;
            all.is_complete &= result.is_complete;
            if result.exists {
                all.existing.push(*list);
            }
            for id in result.tasks {
                all.tasks.entry(id).or_default().push(*list);
            }
        }
        Ok(all)
    }

    pub(crate) async fn snapshot(
        client: &Arc<ClientInner>,
        lists: &[&'static ListOperation],
    ) -> Result<Snapshot> {
        let list = Self::read(client, lists).await?;
        Ok(Snapshot {
            lists: lists.to_vec(),
            existing: list.existing,
            is_complete: list.is_complete,
            ids: list.tasks.into_keys().collect(),
        })
    }
}

/// Scans a list until two consecutive scans have the same tasks. A task that leaves the list during a scan moves others to a
/// page that was already read, and nothing shows that. A list of one page is complete after one scan, unless it ended with
/// a 404.
async fn scan_until_stable(
    client: &Arc<ClientInner>,
    list: &'static ListOperation,
) -> Result<ListResult> {
    let mut all = BTreeSet::new();
    let mut previous: Option<ListScan> = None;
    for _ in 0..MAX_SCANS {
        let current = scan(client, list).await?;
        all.extend(current.tasks.clone());
        let is_simple = current.pages == 0 || current.pages == 1 && current.last_page_exists;
        let is_confirmed = is_simple
            || previous
                .is_some_and(|previous| previous.is_complete && previous.tasks == current.tasks);
        if current.is_complete && is_confirmed {
            return Ok(ListResult {
                tasks: current.tasks,
                is_complete: true,
                exists: current.exists,
            });
        }
        previous = Some(current);
    }
    Ok(ListResult {
        tasks: all,
        is_complete: false,
        exists: true,
    })
}

async fn scan(client: &Arc<ClientInner>, list: &'static ListOperation) -> Result<ListScan> {
    let mut scan = ListScan {
        tasks: BTreeSet::new(),
        pages: 0,
        is_complete: true,
        exists: false,
        last_page_exists: false,
        has_more: false,
        announced: (0, 0),
    };
    let read = |number| {
        let http = Arc::clone(&client.http);
        read_largest_page(http, client.service, list, number, Options::default())
    };
    if list.max_page_size.is_none() {
        scan.add(read(1).await?);
        return Ok(scan.finish());
    }
    // A page may be shorter than requested: only an empty page is the end.
    for number in 1..=MAX_PAGES {
        let page = read(number).await?;
        let is_end = page.is_complete && page.tasks.is_empty();
        let has_new_tasks = scan.add(page);
        if is_end {
            return Ok(scan.finish());
        }
        if !has_new_tasks {
            // Repeated pages would never end.
            scan.is_complete = false;
            return Ok(scan);
        }
    }
    scan.is_complete = false;
    Ok(scan)
}

impl ListScan {
    /// Adds a page. Returns whether it had new tasks.
    fn add(&mut self, page: Page) -> bool {
        let before = self.tasks.len();
        self.exists |= page.exists;
        self.last_page_exists = page.exists;
        self.is_complete &= page.is_complete && !page.extent.is_partial;
        self.has_more = page.extent.has_more || self.has_more && page.tasks.is_empty();
        let (tasks, pages) = self.announced;
        self.announced = (tasks.max(page.extent.total), pages.max(page.extent.pages));
        let ids = page.tasks.into_iter().map(|task| task.id);
        let ids: Vec<_> = ids.filter(|id| TaskId::is_valid(id)).collect();
        let on_page = ids.len();
        self.tasks.extend(ids);
        let new = self.tasks.len() - before;
        self.pages += u32::from(on_page > 0);
        self.is_complete &= new == on_page;
        new > 0
    }

    /// Ends the scan, and checks that it does not contradict the announced numbers.
    fn finish(mut self) -> Self {
        let (tasks, pages) = self.announced;
        self.is_complete &= !self.has_more
            && self.tasks.len() as u64 >= tasks
            && u64::from(self.pages.max(1)) >= pages;
        self
    }
}
