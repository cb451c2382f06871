//! Reads lists for a set of known tasks: only their newest tasks where these are certainly all new ones, else all.

use std::collections::HashSet;
use std::sync::Arc;

use crate::engine::client::ClientInner;
use crate::engine::error::Result;
use crate::engine::http::call::Options;
use crate::engine::known_tasks::{HeadMatch, KnownTasks};
use crate::engine::list::read_largest_page;
use crate::engine::operations::ListOperation;
use crate::engine::recovery::full_list::scan_until_stable;
use crate::engine::task_id::TaskId;

/// How much of a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Only the newest tasks, if the list is known to have them first.
    Newest,
    /// All tasks.
    All,
}

/// Brings a set up to date.
pub(crate) async fn read_lists(
    client: &Arc<ClientInner>,
    known: &KnownTasks,
    lists: &[&'static ListOperation],
    depth: Depth,
) -> Result<()> {
    let _reading = known.reading().lock().await;
    for list in lists {
        if depth == Depth::Newest && read_newest(client, known, list).await? {
            continue;
        }
        let since = known.len();
        let result = scan_until_stable(client, list).await?;
        let facts = (result.exists, result.is_complete);
        known.add_all(list, &result.tasks, result.first_page, facts, since);
    }
    Ok(())
}

/// Reads a list up to the tasks at the beginning of the last reading. Returns `false` if that does not show all new tasks.
async fn read_newest(
    client: &Arc<ClientInner>,
    known: &KnownTasks,
    list: &'static ListOperation,
) -> Result<bool> {
    if list.max_page_size.is_none() || !known.may_read_newest(list) {
        return Ok(false);
    }
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    let mut first_page = 0;
    for number in 1..=client.max_list_pages {
        let http = Arc::clone(&client.http);
        let options = Options::default();
        let page = read_largest_page(http, client.service, list, number, options).await?;
        if !page.exists || !page.is_complete || page.extent.is_partial || page.tasks.is_empty() {
            return Ok(false);
        }
        // A task that is created meanwhile moves others to the next page.
        let on_page = page.tasks.into_iter();
        let on_page = on_page.filter_map(|task| TaskId::parse(task.id).ok());
        ids.extend(on_page.filter(|id| seen.insert(id.clone())));
        if number == 1 {
            first_page = ids.len();
        }
        match known.add_newest(list, &ids, first_page) {
            HeadMatch::After(_) => return Ok(true),
            HeadMatch::TooShort => {}
            HeadMatch::Differs => return Ok(false),
        }
    }
    Ok(false)
}
