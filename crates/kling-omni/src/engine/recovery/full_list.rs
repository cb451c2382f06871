//! The whole list of the account's tasks, page after page, and whether it can be all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::client::ClientInner;
use crate::engine::error::Result;
use crate::engine::http::call::Options;
use crate::engine::list::read_largest_page;
use crate::engine::operations::ListOperation;
use crate::engine::page::Page;
use crate::engine::task_id::is_task_id;
use crate::engine::unconfirmed::Snapshot;

/// A list that is longer is not read to its end.
const MOST_PAGES: u32 = 100;
/// How often a list of several pages is read until two readings agree.
const MOST_PASSES: u32 = 3;

/// The tasks of one or several lists.
#[derive(Debug, Default)]
pub(crate) struct FullList {
    /// Each with the lists that it is on.
    pub(crate) tasks: BTreeMap<String, Vec<&'static ListOperation>>,
    /// Whether nothing speaks against these being all.
    pub(crate) complete: bool,
    /// The lists that the service has shown.
    pub(crate) shown: Vec<&'static ListOperation>,
}

/// The tasks of one list.
struct ListResult {
    tasks: BTreeSet<String>,
    complete: bool,
    is_there: bool,
}

/// One reading of a list from its first page to its last.
struct Pass {
    tasks: BTreeSet<String>,
    /// Pages that had something on them.
    pages: u32,
    /// Whether it came to an end, all of it could be read, and no task moved from one page to the next meanwhile.
    is_whole: bool,
    /// Whether its first page was shown.
    is_there: bool,
    /// Whether its last page was shown, and was not answered as if there were no list.
    is_end_shown: bool,
    /// Whether the last page with something on it said that there is more.
    has_more: bool,
    /// How many tasks and pages there are said to be.
    said: (u64, u64),
}

impl FullList {
    pub(crate) async fn read(
        session: &Arc<ClientInner>,
        lists: &[&'static ListOperation],
    ) -> Result<Self> {
        let mut whole = Self {
            complete: true,
            ..Self::default()
        };
        for list in lists {
            let one = read_one(session, list).await?;
            whole.complete &= one.complete;
            if one.is_there {
                whole.shown.push(*list);
            }
            for id in one.tasks {
                whole.tasks.entry(id).or_default().push(*list);
            }
        }
        Ok(whole)
    }

    pub(crate) async fn snapshot(
        session: &Arc<ClientInner>,
        lists: &[&'static ListOperation],
    ) -> Result<Snapshot> {
        let listing = Self::read(session, lists).await?;
        Ok(Snapshot {
            lists: lists.to_vec(),
            shown: listing.shown,
            complete: listing.complete,
            ids: listing.tasks.into_keys().collect(),
        })
    }
}

/// A task that leaves the list while it is read pulls others to a page that was read already, which nothing shows; so
/// a list of several pages counts as complete only when two readings in a row have the same tasks. So does one that broke
/// off with a 404 behind its first page.
async fn read_one(session: &Arc<ClientInner>, list: &'static ListOperation) -> Result<ListResult> {
    let mut all = BTreeSet::new();
    let mut before: Option<Pass> = None;
    for _ in 0..MOST_PASSES {
        let pass = read_pass(session, list).await?;
        all.extend(pass.tasks.clone());
        let is_simple = pass.pages == 0 || pass.pages == 1 && pass.is_end_shown;
        let is_confirmed =
            is_simple || before.is_some_and(|before| before.is_whole && before.tasks == pass.tasks);
        if pass.is_whole && is_confirmed {
            return Ok(ListResult {
                tasks: pass.tasks,
                complete: true,
                is_there: pass.is_there,
            });
        }
        before = Some(pass);
    }
    Ok(ListResult {
        tasks: all,
        complete: false,
        is_there: true,
    })
}

async fn read_pass(session: &Arc<ClientInner>, list: &'static ListOperation) -> Result<Pass> {
    let mut pass = Pass {
        tasks: BTreeSet::new(),
        pages: 0,
        is_whole: true,
        is_there: false,
        is_end_shown: false,
        has_more: false,
        said: (0, 0),
    };
    let read = |number| {
        let http = Arc::clone(&session.http);
        read_largest_page(http, session.service, list, number, Options::default())
    };
    if list.max_page_size.is_none() {
        pass.take(read(1).await?);
        return Ok(pass.ended());
    }
    // The service may put fewer on a page than it was asked to, so only an empty page is the end.
    for number in 1..=MOST_PAGES {
        let page = read(number).await?;
        let is_end = page.is_whole && page.tasks.is_empty();
        let has_news = pass.take(page);
        if is_end {
            return Ok(pass.ended());
        }
        if !has_news {
            // Pages that repeat themselves would go on for ever.
            pass.is_whole = false;
            return Ok(pass);
        }
    }
    pass.is_whole = false;
    Ok(pass)
}

impl Pass {
    /// Adds a page, and says whether there was anything new on it.
    fn take(&mut self, page: Page) -> bool {
        let before = self.tasks.len();
        self.is_there |= page.is_there;
        self.is_end_shown = page.is_there;
        self.is_whole &= page.is_whole && !page.extent.is_partial;
        self.has_more = page.extent.has_more || self.has_more && page.tasks.is_empty();
        let (tasks, pages) = self.said;
        self.said = (tasks.max(page.extent.total), pages.max(page.extent.pages));
        let ids = page.tasks.into_iter().map(|task| task.id);
        let ids: Vec<_> = ids.filter(|id| is_task_id(id)).collect();
        let on_page = ids.len();
        self.tasks.extend(ids);
        let new = self.tasks.len() - before;
        self.pages += u32::from(on_page > 0);
        self.is_whole &= new == on_page;
        new > 0
    }

    /// Says of the last page that it is that. What the pages say may contradict it.
    fn ended(mut self) -> Self {
        let (tasks, pages) = self.said;
        self.is_whole &= !self.has_more
            && self.tasks.len() as u64 >= tasks
            && u64::from(self.pages.max(1)) >= pages;
        self
    }
}
