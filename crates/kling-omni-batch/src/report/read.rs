//! Reads the data of a page from a ledger.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kling_omni::spend::{SpendGuard, Spent};
use kling_omni::{Mode, Tier};

use crate::batches::Batches;
use crate::blocking::run_blocking;
use crate::error::{BatchError, BatchResult};
use crate::ledger::{Batch, BatchId, BatchItem, ItemEvent, ItemQuery, Ledger, ReportRow};
use crate::object_url::is_url;
use crate::policy::Policy;
use crate::report::item::{ItemTimes, paid_tasks};
use crate::report::page::milliseconds;
use crate::report::{ReportItem, ReportPage, ReportSpend, ReportTimeline};
use crate::request::StoredRequest;
use crate::status::reopening;

/// How many items and events are read from the ledger at once.
const PAGE: u32 = 1_000;

/// The endings of pictures beside a video.
const PICTURES: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

impl Batches {
    /// What a page shows about a batch, in any state. The prices of the guard determine the costs, and its limits are compared
    /// with them. A guard without limits and prices is replaced by the one that the ledger has for workers, if it has one.
    ///
    /// Items are read after the events. So while a batch runs, they may be newer than the timeline.
    ///
    /// # Errors
    ///
    /// [`BatchError::Client`] if the price table has no price for an item.
    pub async fn report_page(&self, batch: &str, guard: &SpendGuard) -> BatchResult<ReportPage> {
        let ledger = self.ledger();
        let batch = ledger.batch(batch).await?;
        let guard = guard_of(&batch, guard)?;
        let events = read_events(ledger, batch.id).await?;
        let mut page = ReportPage::new(batch.name, SystemTime::now());
        page.state = Some(batch.state);
        page.reason = batch.reason;
        page.timeline = ReportTimeline::of(&events);
        let mut reader = ItemReader {
            imported_at_ms: milliseconds(batch.created_at),
            histories: HashMap::new(),
            costs: HashMap::new(),
            guard: &guard,
        };
        for event in events {
            let history = reader.histories.entry(event.key.clone());
            history.or_default().push(event);
        }
        page.items = reader.read(ledger, batch.id).await?;
        page.items = run_blocking(|| with_posters(page.items)).await;
        page.spend = ReportSpend::of_guard(&guard);
        let spent = page.items.iter().map(|item| item.spent);
        page.spend.spent = spent.fold(Spent::default(), |all, one| all + one);
        Ok(page)
    }
}

/// The guard whose prices and limits the page has.
fn guard_of(batch: &Batch, given: &SpendGuard) -> BatchResult<SpendGuard> {
    if ReportSpend::of_guard(given) != ReportSpend::default() {
        return Ok(given.clone());
    }
    let of_workers = Policy::read(batch)?.and_then(Policy::into_guard);
    Ok(of_workers.unwrap_or_else(|| given.clone()))
}

/// All events of a batch, in order.
async fn read_events(ledger: &dyn Ledger, batch: BatchId) -> BatchResult<Vec<ItemEvent>> {
    let mut all: Vec<ItemEvent> = Vec::new();
    loop {
        let after = all.last().map_or(0, |event| event.number);
        let next = ledger.batch_events(batch, after, PAGE).await?;
        if next.is_empty() {
            return Ok(all);
        }
        all.extend(next);
    }
}

/// Makes the items of a page.
struct ItemReader<'a> {
    imported_at_ms: u64,
    /// The events of each item, by its key.
    histories: HashMap<String, Vec<ItemEvent>>,
    /// What a task costs: the same for requests that are alike in these.
    costs: HashMap<(Mode, Tier, u32, bool), Spent>,
    guard: &'a SpendGuard,
}

impl ItemReader<'_> {
    async fn read(&mut self, ledger: &dyn Ledger, batch: BatchId) -> BatchResult<Vec<ReportItem>> {
        let mut all = Vec::new();
        let mut from = 0;
        loop {
            let query = ItemQuery {
                from,
                limit: PAGE,
                ..ItemQuery::new(batch)
            };
            let items = ledger.items(query).await?;
            let Some(last) = items.last() else {
                return Ok(all);
            };
            let rows = ledger.report(batch, from, PAGE).await?;
            let rows = rows.into_iter().map(|row| (row.position, row));
            let mut rows: BTreeMap<_, _> = rows.collect();
            from = last.position + 1;
            for item in items {
                let row = rows.remove(&item.position);
                if let Some(row) = row {
                    all.push(self.item(item, row)?);
                }
            }
        }
    }

    fn item(&mut self, item: BatchItem, row: ReportRow) -> BatchResult<ReportItem> {
        let events = self.histories.remove(&item.key).unwrap_or_default();
        let one = self.cost(&item.request, row.seconds)?;
        let tasks = paid_tasks(item.state, item.attempts, &events);
        let reopening = reopening(&item);
        let mut shown = ReportItem::new(item.key, item.state, row.mode, row.tier);
        shown = shown.with_fields(item.request.fields());
        shown.seconds = row.seconds;
        shown.attempts = item.attempts;
        shown.spent = (0..tasks).fold(Spent::default(), |all, _| all + one);
        shown.task_id = row.task_id;
        if let Some(file) = row.file {
            shown.bytes = Some(file.bytes);
            shown.findings = file.findings.iter().map(ToString::to_string).collect();
            shown.video = Some(file.path);
        }
        shown.error = item.error;
        shown.reopening = reopening;
        shown.times = ItemTimes::of(self.imported_at_ms, &events);
        Ok(shown)
    }

    /// What a task of a request costs.
    fn cost(&mut self, request: &StoredRequest, seconds: u32) -> BatchResult<Spent> {
        let alike = (
            request.mode(),
            request.tier(),
            seconds,
            request.has_reference_video(),
        );
        if let Some(cost) = self.costs.get(&alike) {
            return Ok(*cost);
        }
        let request = request.to_request(&BTreeMap::new());
        let request = request.map_err(|problem| BatchError::Ledger(problem.into()))?;
        let cost = self.guard.cost(&request)?;
        self.costs.insert(alike, cost);
        Ok(cost)
    }
}

/// Finds the pictures beside the videos.
fn with_posters(mut items: Vec<ReportItem>) -> Vec<ReportItem> {
    for item in &mut items {
        item.poster = item.video.as_deref().and_then(poster);
    }
    items
}

/// The picture beside a video: a file of the same name with the ending of a picture.
fn poster(video: &Path) -> Option<PathBuf> {
    let mut pictures = PICTURES.iter().map(|ending| video.with_extension(ending));
    match is_url(video) {
        true => None,
        false => pictures.find(|picture| picture.is_file()),
    }
}
