//! Starts what the ledger has to do next, within the limits of a run.

use std::collections::VecDeque;

use kling_omni::Task;

use crate::conductor::{Conductor, PAGE, create, fetch, prepare};
use crate::error::BatchResult;
use crate::ledger::{Attempt, BatchItem, ItemQuery};
use crate::state::{BatchState, ItemState};

impl Conductor<'_> {
    pub(super) fn may_create(&self) -> bool {
        self.batch.state == BatchState::Running && !self.shared.is_stopping()
    }

    /// Starts what can be started.
    pub(super) async fn fill(&mut self) -> BatchResult<()> {
        self.wake_at = None;
        if !self.shared.is_stopping() {
            self.fill_waiting().await?;
        }
        while !self.shared.is_stopping()
            && self.saving.len() < self.shared.options.max_fetches
            && let Some(ready) = self.ready.pop()
        {
            let shared = self.shared;
            self.saving.push(Box::pin(fetch::save(shared, ready)));
        }
        if self.may_create() {
            self.fill_preparing().await?;
            self.fill_creating().await?;
        }
        Ok(())
    }

    fn query(&self, states: &[ItemState], from: u64, limit: u32) -> ItemQuery {
        ItemQuery {
            batch: self.batch.id,
            states: states.to_vec(),
            from,
            limit,
            ready_at: Some(self.shared.client.clock().system_time()),
        }
    }

    /// Notes when the next item in these states may begin.
    async fn note_next_ready(&mut self, states: &[ItemState]) -> BatchResult<()> {
        let now = self.shared.client.clock().system_time();
        let next = self
            .shared
            .ledger
            .next_ready(self.batch.id, states.to_vec(), now);
        let times = [self.wake_at, next.await?];
        self.wake_at = times.into_iter().flatten().min();
        Ok(())
    }

    /// Waits for tasks of earlier runs, and for those that a person put back.
    async fn fill_waiting(&mut self) -> BatchResult<()> {
        const STATES: [ItemState; 3] = [ItemState::Placing, ItemState::Ended, ItemState::Created];
        if self.may_have.in_flight {
            let mut from = 0;
            loop {
                let query = self.query(&STATES, from, PAGE);
                let items = self.shared.ledger.items(query).await?;
                let Some(last) = items.last() else { break };
                from = last.position + 1;
                for item in items {
                    if self.in_flight.contains(&item.id) {
                        continue;
                    }
                    if let Some(attempt) = self.shared.ledger.latest_attempt(item.id).await? {
                        self.wait_for(item, attempt, None);
                    }
                }
            }
            self.may_have.in_flight = false;
        }
        self.note_next_ready(&STATES).await
    }

    pub(super) fn wait_for(&mut self, item: BatchItem, attempt: Attempt, task: Option<Task>) {
        self.in_flight.insert(item.id);
        let shared = self.shared;
        self.waiting
            .push(Box::pin(fetch::wait(shared, item, attempt, task)));
    }

    /// Prepares a few items ahead of those that can be created.
    async fn fill_preparing(&mut self) -> BatchResult<()> {
        let options = &self.shared.options;
        let free = options.max_prepares.saturating_sub(self.preparing.len());
        if self.may_have.planned && free > 0 {
            let ahead = options.max_prepares * 2;
            let limit = u32::try_from(ahead).unwrap_or(u32::MAX);
            let prepared = self.query(&[ItemState::Prepared], 0, limit);
            if self.shared.ledger.items(prepared).await?.len() < ahead {
                let limit = free + self.being_prepared.len();
                let limit = u32::try_from(limit).unwrap_or(u32::MAX);
                let query = self.query(&[ItemState::Planned], 0, limit);
                let mut items = self.shared.ledger.items(query).await?;
                items.retain(|item| !self.being_prepared.contains(&item.id));
                self.may_have.planned = !items.is_empty();
                for item in items.into_iter().take(free) {
                    let shared = self.shared;
                    self.being_prepared.insert(item.id);
                    self.preparing.push(Box::pin(async move {
                        let prepared = prepare::prepare(shared, &item).await;
                        (item.id, prepared)
                    }));
                }
            }
        }
        self.note_next_ready(&[ItemState::Planned]).await
    }

    /// Settles an unconfirmed create, or else creates the next task, if fewer than the limit are in flight.
    async fn fill_creating(&mut self) -> BatchResult<()> {
        let shared = self.shared;
        let now = shared.client.clock().now();
        if self.creating.is_some() || self.not_before.is_some_and(|time| time > now) {
            return Ok(());
        }
        if self.to_settle.is_none() {
            let open = shared.ledger.open_attempts(shared.lease.account);
            self.to_settle = Some(open.await?.into());
        }
        let open = self.to_settle.as_mut().and_then(VecDeque::pop_front);
        if let Some((attempt, item)) = open {
            self.in_flight.insert(item.id);
            self.being_created = Some(item.id);
            self.creating = Some(Box::pin(create::settle(shared, item, attempt)));
            return Ok(());
        }
        let limit = shared.options.in_flight;
        // Videos that wait for a download may expire, so they count, too.
        let has_room = self.waiting.len() < limit && self.ready.len() < limit;
        if !has_room || !self.may_have.prepared {
            return Ok(());
        }
        let query = self.query(&[ItemState::Prepared], 0, 1);
        match self.shared.ledger.items(query).await?.pop() {
            Some(item) => {
                self.not_before = Some(now + self.shared.options.create_interval);
                self.in_flight.insert(item.id);
                self.being_created = Some(item.id);
                self.creating = Some(Box::pin(create::create(self.shared, item)));
            }
            None => self.may_have.prepared = false,
        }
        Ok(())
    }
}
