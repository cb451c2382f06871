//! Reads the complete list of an account's tasks, and decides whether it is complete.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::engine::client::ClientInner;
use crate::engine::error::Result;
use crate::engine::http::call::Options;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::list::read_largest_page;
use crate::engine::operations::ListOperation;
use crate::engine::page::Page;
use crate::engine::task_id::TaskId;
use crate::engine::unconfirmed::Snapshot;

/// How often a list of several pages is read until two scans agree.
const MAX_SCANS: u32 = 3;

/// The tasks of one or several lists.
#[derive(Debug, Default)]
pub(crate) struct FullList {
    /// The lists of each task.
    pub(crate) tasks: BTreeMap<String, Vec<&'static ListOperation>>,
    /// The lists that may have further tasks.
    incomplete: Vec<&'static ListOperation>,
    /// The lists that exist.
    pub(crate) existing: Vec<&'static ListOperation>,
}

/// The tasks of one list.
pub(super) struct ListResult {
    /// The tasks, in the order of the list.
    pub(super) tasks: Vec<TaskId>,
    /// How many of them are on the first page.
    pub(super) first_page: usize,
    pub(super) is_complete: bool,
    pub(super) exists: bool,
}

/// One scan of a list, from the first page to the last.
struct ListScan {
    tasks: HashSet<TaskId>,
    /// The tasks in the order of the list.
    order: Vec<TaskId>,
    first_page: usize,
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
        let mut all = Self::default();
        for list in lists {
            let result = scan_until_stable(client, list).await?;
            let ids = result.tasks.iter().map(|id| id.to_string());
            all.add(list, ids, result.exists, result.is_complete);
        }
        Ok(all)
    }

    /// The tasks of the lists as a set of known tasks has them.
    pub(super) fn of_known_tasks(known: &KnownTasks, lists: &[&'static ListOperation]) -> Self {
        let mut all = Self::default();
        for list in lists {
            let (ids, exists, is_complete) = known.listed(list);
            all.add(list, ids, exists, is_complete);
        }
        all
    }

    fn add(
        &mut self,
        list: &'static ListOperation,
        ids: impl IntoIterator<Item = String>,
        exists: bool,
        is_complete: bool,
    ) {
        if exists {
            self.existing.push(list);
        }
        if !is_complete {
            self.incomplete.push(list);
        }
        for id in ids {
            self.tasks.entry(id).or_default().push(list);
        }
    }

    /// Whether these are known to be all tasks of the lists.
    pub(crate) fn is_complete(&self, lists: &[&'static ListOperation]) -> bool {
        !lists.iter().any(|list| self.incomplete.contains(list))
    }

    pub(crate) async fn snapshot(
        client: &Arc<ClientInner>,
        lists: &[&'static ListOperation],
    ) -> Result<Snapshot> {
        let list = Self::read(client, lists).await?;
        Ok(Snapshot {
            lists: lists.to_vec(),
            is_complete: list.is_complete(lists),
            existing: list.existing,
            ids: list.tasks.into_keys().collect(),
        })
    }
}

/// Scans a list until a scan has all tasks of the one before. A task that leaves the list during a scan moves others to a
/// page that was already read, and nothing shows that. A list of one page is complete after one scan, unless it ended with
/// a 404.
pub(super) async fn scan_until_stable(
    client: &Arc<ClientInner>,
    list: &'static ListOperation,
) -> Result<ListResult> {
    let mut all = HashSet::new();
    let mut in_order = Vec::new();
    let mut previous: Option<ListScan> = None;
    for _ in 0..MAX_SCANS {
        let current = scan(client, list).await?;
        let is_simple = current.pages == 0 || current.pages == 1 && current.last_page_exists;
        let is_confirmed = is_simple
            || previous.is_some_and(|previous| {
                previous.is_complete
                    && previous.last_page_exists == current.last_page_exists
                    && previous.tasks.is_subset(&current.tasks)
            });
        if current.is_complete && is_confirmed {
            return Ok(ListResult {
                tasks: current.order,
                first_page: current.first_page,
                is_complete: true,
                exists: current.exists,
            });
        }
        let new = current.order.iter().filter(|id| all.insert((*id).clone()));
        in_order.extend(new.cloned());
        previous = Some(current);
    }
    Ok(ListResult {
        tasks: in_order,
        first_page: 0,
        is_complete: false,
        exists: true,
    })
}

async fn scan(client: &Arc<ClientInner>, list: &'static ListOperation) -> Result<ListScan> {
    let mut scan = ListScan {
        tasks: HashSet::new(),
        order: Vec::new(),
        first_page: 0,
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
    for number in 1..=client.max_list_pages {
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
        let ids = page.tasks.into_iter();
        let ids: Vec<_> = ids.filter_map(|task| TaskId::parse(task.id).ok()).collect();
        let on_page = ids.len();
        for id in ids {
            if self.tasks.insert(id.clone()) {
                self.order.push(id);
            }
        }
        let new = self.tasks.len() - before;
        if before == 0 {
            self.first_page = new;
        }
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
