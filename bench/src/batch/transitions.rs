//! Everything that a run writes about one item, recorded from a real one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use kling_omni::polling::TaskDurations;
use kling_omni::request::Request;
use kling_omni_batch::ledger::{
    Announcement, ItemChange, ItemId, KnownUpdate, Lease, Ledger, NewItem, NewRecord, SavedFile,
};
use kling_omni_batch::{AttemptState, Batches, ItemState, RunOptions};
use serde_json::Value;
use tokio::sync::Mutex;

use super::BATCH;
use crate::cost::Service;
use crate::cost::load::{client, request};

/// The records of an item's journal with the states that follow from them, and the entry of its task.
pub struct Transitions {
    records: Vec<(String, AttemptState, ItemState)>,
    entry: String,
    task_id: String,
    file: SavedFile,
}

/// The states of attempt and item after each record.
const STATES: [(&str, AttemptState, ItemState); 6] = [
    ("prepared", AttemptState::Prepared, ItemState::Prepared),
    ("sending", AttemptState::Announced, ItemState::Sending),
    ("created", AttemptState::Created, ItemState::Created),
    ("ended", AttemptState::Created, ItemState::Ended),
    ("publishing", AttemptState::Created, ItemState::Publishing),
    ("saved", AttemptState::Created, ItemState::Saved),
];

/// Runs a batch of one item.
pub fn record(seed: u64, folder: &Path) -> Result<Transitions> {
    fs::create_dir_all(folder)?;
    let service = Service::start(seed)?;
    let client = client(
        service.sandbox.base_url(),
        service.clock,
        &TaskDurations::default(),
    )?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let batches = Batches::open(folder.join("recorded.db")).await?;
        let request = Request::from(request(5.0)?);
        let item = NewItem::new("one", &request, folder.join("one.mp4"));
        batches.import(BATCH, [item]).await?;
        let run = batches.run(BATCH, &client, RunOptions::default()).await?;
        run.await?;
        let ledger = batches.ledger();
        let batch = ledger.batch(BATCH).await?;
        let item = ledger.item(batch.id, "one").await?.context("no item")?;
        ensure!(item.state == ItemState::Saved, "the item is {}", item.state);
        let attempt = ledger
            .latest_attempt(item.id)
            .await?
            .context("no attempt")?;
        let report = batches.report(BATCH, 0).await?;
        let known = ledger.known_tasks(attempt.account).await?;
        let entry = known.entries.into_iter().find(|entry| entry.contains('+'));
        Ok(Transitions {
            records: states(ledger.records(attempt.id).await?)?,
            entry: entry.context("the task is not known")?,
            task_id: attempt.task_id.context("no task")?,
            file: report[0].file.clone().context("no file")?,
        })
    })
}

/// Adds the states of [`STATES`] to each record.
fn states(records: Vec<String>) -> Result<Vec<(String, AttemptState, ItemState)>> {
    let states: BTreeMap<_, _> = STATES
        .iter()
        .map(|(name, attempt, item)| (*name, (*attempt, *item)))
        .collect();
    let with_states = records.into_iter().map(|json| {
        let record: Value = serde_json::from_str(&json)?;
        let name = record["record"].as_str().context("a record has no name")?;
        let (attempt, item) = states.get(name).with_context(|| format!("record {name}"))?;
        Ok((json, *attempt, *item))
    });
    with_states.collect()
}

impl Transitions {
    /// The number of transactions of an item.
    pub fn transactions(&self) -> usize {
        // The preparation, the announcement, and one for each record after it.
        2 + self.records[self.announcement()..].len()
    }

    /// The number of records that the announcement has.
    fn announcement(&self) -> usize {
        let states = self.records.iter().map(|(_, state, _)| state);
        let is_before = |state: &&AttemptState| **state == AttemptState::Prepared;
        states.take_while(is_before).count() + 1
    }

    /// The number of those that are durable at once.
    pub fn syncs(&self) -> usize {
        let states = self.records.iter().map(|(_, _, item)| item);
        states
            .filter(|item| {
                !matches!(
                    item,
                    ItemState::Prepared | ItemState::Ended | ItemState::Saved
                )
            })
            .count()
    }

    /// Writes the transitions of an item as a run does, up to a state. `creating` is held while the item is created: an account
    /// creates one at a time.
    pub async fn write(
        &self,
        ledger: &dyn Ledger,
        lease: &Lease,
        item: ItemId,
        known: u64,
        until: ItemState,
        creating: &Mutex<()>,
    ) -> Result<()> {
        let prepared = ItemChange::new(item, ItemState::Planned, ItemState::Prepared);
        ensure!(
            ledger.change_item(prepared).await?,
            "the item is not planned"
        );
        let (first, rest) = self.records.split_at(self.announcement());
        let announcement = Announcement {
            records: first.iter().map(|(json, ..)| json.clone()).collect(),
            known: KnownUpdate::default(),
        };
        let mut creates = Some(creating.lock().await);
        let attempt = ledger.announce(lease, item, announcement).await?.id;
        let task_id = format!("{:0width$}", item.0, width = self.task_id.len());
        for ((json, attempt_state, item_state), number) in rest.iter().zip(first.len() as u64..) {
            let is_created = matches!(item_state, ItemState::Created);
            let has_task = *attempt_state == AttemptState::Created;
            let entries = match is_created {
                true => vec![self.entry.replace(&self.task_id, &task_id)],
                false => Vec::new(),
            };
            let record = NewRecord {
                attempt,
                number,
                json: json.replace(&self.task_id, &task_id),
                attempt_state: *attempt_state,
                item_state: *item_state,
                task_id: has_task.then(|| task_id.clone()),
                file: (*item_state == ItemState::Saved).then(|| self.file.clone()),
                error: None,
                known: KnownUpdate {
                    from: known,
                    entries,
                    facts: None,
                },
            };
            ledger.append(Some(lease), record).await?;
            creates = creates.filter(|_| !has_task);
            if *item_state == until {
                break;
            }
        }
        Ok(())
    }
}
