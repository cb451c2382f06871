//! Starts what the ledger has to do next, within the limits of a run.

use std::collections::VecDeque;

use crate::conductor::{Conductor, create};
use crate::error::BatchResult;
use crate::ledger::{ItemQuery, PAGE};
use crate::state::{BatchState, ItemState};
use crate::step::fetch::{InFlight, WaitFor};
use crate::step::{fetch, prepare};

const IN_FLIGHT: [ItemState; 3] = [ItemState::Publishing, ItemState::Ended, ItemState::Created];

impl Conductor<'_> {
    pub(super) fn may_create(&self) -> bool {
        self.batch.state == BatchState::Running && !self.shared.is_stopping()
    }

    /// Starts what can be started.
    pub(super) async fn fill(&mut self) -> BatchResult<()> {
        if self.shared.leaves_steps_to_workers() && !self.shared.is_stopping() {
            self.queue_steps().await?;
        }
        if self.may_have.in_flight && !self.shared.is_stopping() {
            self.fill_waiting().await?;
        }
        while !self.shared.is_stopping()
            && self.saving.len() < self.shared.step.options.max_fetches
            && let Some(ready) = self.ready.pop()
        {
            self.saving
                .push(Box::pin(fetch::save(&self.shared.step, ready)));
        }
        if self.may_create() {
            if !self.shared.leaves_steps_to_workers() {
                self.fill_preparing().await?;
            }
            self.fill_prepared().await?;
            self.fill_creating().await?;
        }
        if self.may_have.delayed {
            self.note_next_ready().await?;
        }
        Ok(())
    }

    fn query(&self, states: &[ItemState], limit: usize) -> ItemQuery {
        ItemQuery {
            states: states.to_vec(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            ready_at: Some(self.shared.step.client.clock().system_time()),
            ..ItemQuery::new(self.batch.id)
        }
    }

    /// Notes when the next item may begin that may not yet.
    async fn note_next_ready(&mut self) -> BatchResult<()> {
        let mut states = IN_FLIGHT.to_vec();
        states.push(ItemState::Planned);
        let now = self.shared.step.client.clock().system_time();
        let next = self
            .shared
            .step
            .ledger
            .next_ready(self.batch.id, states, now);
        self.wake_at = next.await?;
        self.may_have.delayed = false;
        Ok(())
    }

    /// Waits for tasks of earlier runs, and for those that a person put back.
    async fn fill_waiting(&mut self) -> BatchResult<()> {
        let states = match self.shared.leaves_steps_to_workers() {
            true => &[ItemState::Created][..],
            false => &IN_FLIGHT,
        };
        let mut query = ItemQuery {
            except: self.in_flight.clone(),
            ..self.query(states, PAGE)
        };
        loop {
            let items = self.shared.step.ledger.items(query.clone()).await?;
            let Some(last) = items.last() else { break };
            query.from = last.position + 1;
            for item in items {
                if let Some(attempt) = self.shared.step.ledger.latest_attempt(item.id).await? {
                    self.wait_for(InFlight {
                        item,
                        attempt,
                        task: None,
                        journal: None,
                    });
                }
            }
        }
        self.may_have.in_flight = false;
        Ok(())
    }

    pub(super) fn wait_for(&mut self, in_flight: InFlight) {
        self.in_flight.insert(in_flight.item.id);
        let wait_for = match self.shared.leaves_steps_to_workers() {
            true => WaitFor::Completion,
            false => WaitFor::Video,
        };
        let wait = fetch::wait(&self.shared.step, in_flight, wait_for);
        self.waiting.push(Box::pin(wait));
    }

    /// Prepares a few items ahead of those that can be created.
    async fn fill_preparing(&mut self) -> BatchResult<()> {
        let options = &self.shared.step.options;
        let ahead = self.prepared.len() + self.preparing.len();
        let free = options.max_prepares.saturating_sub(self.preparing.len());
        let free = free.min(self.max_ahead().saturating_sub(ahead));
        if free > 0 && self.planned.is_empty() && self.may_have.planned {
            let query = ItemQuery {
                except: self.being_prepared.clone(),
                ..self.query(&[ItemState::Planned], PAGE)
            };
            self.planned = self.shared.step.ledger.items(query).await?.into();
            self.may_have.planned = self.planned.len() == PAGE;
        }
        for item in self.planned.drain(..free.min(self.planned.len())) {
            let context = &self.shared.step;
            self.being_prepared.insert(item.id);
            self.preparing.push(Box::pin(async move {
                let id = item.id;
                (id, prepare::prepare(context, item).await)
            }));
        }
        Ok(())
    }

    /// How many items are prepared and not created.
    pub(super) fn max_ahead(&self) -> usize {
        self.shared.step.options.max_prepares * 2
    }

    /// Takes over what earlier runs prepared, and what was not created.
    async fn fill_prepared(&mut self) -> BatchResult<()> {
        let free = self.max_ahead().saturating_sub(self.prepared.len());
        if !self.may_have.prepared || free == 0 {
            return Ok(());
        }
        let known = self.prepared.values().map(|item| item.id);
        let known = known.chain(self.being_prepared.iter().copied());
        let query = ItemQuery {
            except: known.chain(self.in_flight.iter().copied()).collect(),
            ..self.query(&[ItemState::Prepared], free)
        };
        let items = self.shared.step.ledger.items(query).await?;
        self.may_have.prepared = items.len() == free;
        self.prepared
            .extend(items.into_iter().map(|item| (item.position, item)));
        Ok(())
    }

    /// Settles an unconfirmed create, or else creates the next task, if fewer than the limit are in flight.
    async fn fill_creating(&mut self) -> BatchResult<()> {
        let shared = self.shared;
        let now = shared.step.client.clock().now();
        if self.creating.is_some() || self.not_before.is_some_and(|time| time > now) {
            return Ok(());
        }
        if self.to_settle.is_none() {
            let open = shared.step.ledger.open_attempts(shared.lease.account);
            self.to_settle = Some(open.await?.into());
        }
        let open = self.to_settle.as_mut().and_then(VecDeque::pop_front);
        if let Some((attempt, item)) = open {
            self.in_flight.insert(item.id);
            self.being_created = Some(item.id);
            self.creating = Some(Box::pin(create::settle(shared, item, attempt)));
            return Ok(());
        }
        let limit = shared.step.options.in_flight;
        // Videos that wait for a download may expire, so they count, too.
        let unsaved = self.ready.len() + self.unfetched;
        let has_room = self.waiting.len() < limit && unsaved < limit;
        if has_room && let Some((_, item)) = self.prepared.pop_first() {
            self.not_before = Some(now + shared.step.options.create_interval);
            self.in_flight.insert(item.id);
            self.being_created = Some(item.id);
            self.creating = Some(Box::pin(create::create(shared, item)));
        }
        Ok(())
    }
}
