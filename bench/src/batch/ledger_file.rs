//! Ledgers with many items in any state, written as a run writes them.

use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use kling_omni::recovery::KnownTasks;
use kling_omni::{ApiKey, Client};
use kling_omni_batch::ledger::{BatchId, ItemQuery, KnownUpdate, Lease};
use kling_omni_batch::manifest::{Manifest, ManifestOptions};
use kling_omni_batch::{Batches, ItemState};
use kling_omni_sandbox::DEFAULT_API_KEY;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::BATCH;
use super::import::write_manifest;
use super::transitions::Transitions;

/// How many items are read at once.
const PAGE: u32 = 500;

/// An open ledger with a batch that was imported, and the lease of its account.
pub struct LedgerFile {
    runtime: Runtime,
    batches: Batches,
    batch: BatchId,
    lease: Lease,
}

impl LedgerFile {
    /// Makes a ledger of so many items, for an account of this service.
    pub fn new(path: &Path, items: u32, base_url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let manifest = path.with_extension("jsonl");
        write_manifest(&manifest, items)?;
        let manifest = Manifest::open(manifest, ManifestOptions::new())?;
        let videos = path.with_extension("videos");
        let (batches, batch, lease) = runtime.block_on(async {
            let batches = Batches::open(path).await?;
            batches.import(BATCH, manifest.items(videos)?).await?;
            let ledger = batches.ledger();
            let batch = ledger.batch(BATCH).await?.id;
            let client = client(base_url)?;
            let key = client.key_fingerprint(&ledger.salt().await?);
            let account = ledger.assign(batch, client.base_url(), &key).await?;
            let lease = ledger.acquire(account, "bench").await?;
            let (_, facts) = KnownTasks::new().entries_from(0);
            let known = KnownUpdate {
                from: 0,
                entries: Vec::new(),
                facts: Some(serde_json::to_string(&facts)?),
            };
            ledger.add_known_tasks(&lease, known).await?;
            anyhow::Ok((batches, batch, lease))
        })?;
        Ok(Self {
            runtime,
            batches,
            batch,
            lease,
        })
    }

    /// Makes the items at these positions saved.
    pub fn end(&self, transitions: &Transitions, positions: Range<u64>) -> Result<()> {
        self.write(transitions, positions, ItemState::Saved)
    }

    /// Makes the items at these positions wait for their tasks.
    pub fn create(&self, transitions: &Transitions, positions: Range<u64>) -> Result<()> {
        self.write(transitions, positions, ItemState::Created)
    }

    fn write(
        &self,
        transitions: &Transitions,
        positions: Range<u64>,
        until: ItemState,
    ) -> Result<()> {
        let ledger = self.batches.ledger();
        let creating = Mutex::new(());
        self.runtime.block_on(async {
            let mut from = positions.start;
            while from < positions.end {
                let items = ledger.items(ItemQuery {
                    states: vec![ItemState::Planned],
                    from,
                    limit: PAGE,
                    ..ItemQuery::new(self.batch)
                });
                let items = items.await?;
                for item in items.iter().filter(|item| item.position < positions.end) {
                    let (lease, position) = (&self.lease, item.position);
                    let write =
                        transitions.write(ledger, lease, item.id, position, until, &creating);
                    write.await?;
                }
                let Some(last) = items.last() else { break };
                from = last.position + 1;
            }
            Ok(())
        })
    }
}

/// A client of this service, without the clock of a sandbox.
pub fn client(base_url: &str) -> Result<Client> {
    let client = Client::builder()
        .api_key(ApiKey::new(DEFAULT_API_KEY)?)
        .base_url(base_url);
    Ok(client.build()?)
}
