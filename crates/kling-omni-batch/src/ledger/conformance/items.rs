//! Cases about items, accounts and events.

use std::time::{Duration, SystemTime};

use crate::error::BatchError;
use crate::ledger::conformance::fixture::*;
use crate::ledger::{
    Announcement, ItemChange, ItemError, ItemQuery, KnownUpdate, NewItem, NewRecord,
};
use crate::state::{AttemptState, BatchState, ItemState};

pub(super) async fn import_is_idempotent(first: Handle, second: Handle) -> CaseResult {
    let items = || Box::new((0..5).map(new_item));
    let imported = first.import("batch", items()).await?;
    expect((imported.added, imported.unchanged) == (5, 0), "5 added")?;
    let imported = second.import("batch", items()).await?;
    expect(
        (imported.added, imported.unchanged) == (0, 5),
        "5 unchanged",
    )?;
    let imported = first
        .import("batch", Box::new((0..7).map(new_item)))
        .await?;
    expect((imported.added, imported.unchanged) == (2, 5), "2 added")?;
    let counts = second.counts(first.batch("batch").await?.id).await?;
    expect(
        counts.into_iter().eq([(ItemState::Planned, 7)]),
        "7 planned items",
    )?;
    let planned = second.planned(first.batch("batch").await?.id).await?;
    let [(group, _)] = &planned[..] else {
        return expect(false, "one group of items that cost the same");
    };
    expect(
        (group.tasks, group.seconds) == (7, 5),
        "7 planned tasks of 5 seconds",
    )
}

pub(super) async fn changed_items_are_refused(first: Handle, _: Handle) -> CaseResult {
    first
        .import("batch", Box::new((0..2).map(new_item)))
        .await?;
    let changed = (0..3).rev().map(|number| match number {
        0 => changed_item(0, "A dog"),
        _ => new_item(number),
    });
    let error = first.import("batch", Box::new(changed)).await;
    expect(
        matches!(error, Err(BatchError::Changed { key, .. }) if key == "item-0"),
        "Changed",
    )?;
    let same = [2, 1].map(|number| {
        new_item(number).map(|item| NewItem {
            key: format!("other-{number}"),
            ..item
        })
    });
    let error = first.import("batch", Box::new(same.into_iter())).await;
    expect(
        matches!(error, Err(BatchError::SamePath { other, .. }) if other == "item-1"),
        "SamePath",
    )?;
    let counts = first.counts(first.batch("batch").await?.id).await?;
    expect(
        counts.values().sum::<u64>() == 2,
        "nothing added by a refused import",
    )
}

pub(super) async fn items_are_paged_in_order(first: Handle, _: Handle) -> CaseResult {
    let prepared = prepared(&first, 10).await?;
    let later = SystemTime::now() + Duration::from_secs(60);
    let all = first.items(ItemQuery::new(prepared.batch.id)).await?;
    for (item, to) in [
        (&all[2], ItemState::Rejected),
        (&all[4], ItemState::Planned),
    ] {
        let change = ItemChange {
            not_before: Some(later),
            ..ItemChange::new(item.id, ItemState::Prepared, to)
        };
        first.change_item(change).await?;
    }
    let query = ItemQuery {
        states: vec![ItemState::Prepared, ItemState::Planned],
        from: 1,
        limit: 4,
        ..ItemQuery::new(prepared.batch.id)
    };
    let positions = |items: Vec<crate::ledger::BatchItem>| {
        items.iter().map(|item| item.position).collect::<Vec<_>>()
    };
    let found = positions(first.items(query.clone()).await?);
    expect(
        found == [1, 3, 4, 5],
        &format!("items 1, 3, 4, 5 instead of {found:?}"),
    )?;
    let ready = ItemQuery {
        ready_at: Some(SystemTime::now()),
        ..query
    };
    let found = positions(first.items(ready.clone()).await?);
    expect(
        found == [1, 3, 5, 6],
        &format!("items 1, 3, 5, 6 instead of {found:?}"),
    )?;
    let others = ItemQuery {
        except: [all[1].id, all[5].id].into(),
        ..ready
    };
    let found = positions(first.items(others).await?);
    expect(
        found == [3, 6, 7, 8],
        &format!("items 3, 6, 7, 8 instead of {found:?}"),
    )?;
    let next = first
        .next_ready(
            prepared.batch.id,
            vec![ItemState::Planned],
            SystemTime::now(),
        )
        .await?;
    expect(
        next.is_some_and(|next| next > SystemTime::now()),
        "a time in the future",
    )
}

pub(super) async fn changes_compare_the_state(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let item = first
        .items(ItemQuery::new(prepared.batch.id))
        .await?
        .remove(0);
    let change =
        ItemChange::new(item.id, ItemState::Prepared, ItemState::Rejected).because(ItemError {
            kind: "validation".to_owned(),
            text: "too long".to_owned(),
        });
    let (one, two) = (
        first.change_item(change.clone()).await?,
        second.change_item(change).await?,
    );
    expect((one, two) == (true, false), "the second change is refused")?;
    let item = second.item(prepared.batch.id, "item-0").await?;
    let error = item.and_then(|item| item.error);
    expect(
        error.is_some_and(|error| error.text == "too long"),
        "the error is kept",
    )
}

pub(super) async fn known_tasks_are_durable(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let update = |from, entries: &[&str], facts: Option<&str>| KnownUpdate {
        from,
        entries: entries.iter().map(|entry| (*entry).to_owned()).collect(),
        facts: facts.map(str::to_owned),
    };
    let (one, two) = (update(0, &["a", "b"], Some("{}")), update(2, &["c"], None));
    first.add_known_tasks(&prepared.lease, one).await?;
    let item = first.items(ItemQuery::new(prepared.batch.id)).await?[0].id;
    let sending = Announcement {
        known: two,
        ..announcement()
    };
    let attempt = first.announce(&prepared.lease, item, sending).await?;
    let created = NewRecord {
        known: update(3, &["d"], Some("[]")),
        ..created(&attempt)
    };
    first.append(Some(&prepared.lease), created).await?;
    let known = second.known_tasks(prepared.account).await?;
    expect(
        known == update(0, &["a", "b", "c", "d"], Some("[]")),
        "all entries and the facts",
    )?;
    let again = first
        .add_known_tasks(&prepared.lease, update(1, &["x"], None))
        .await;
    expect(again.is_err(), "an entry is never replaced")?;
    // More than a statement has parameters.
    let many = KnownUpdate {
        from: 4,
        entries: (0..25_000).map(|number| number.to_string()).collect(),
        facts: None,
    };
    first.add_known_tasks(&prepared.lease, many).await?;
    let known = second.known_tasks(prepared.account).await?;
    let last = known.entries.last().map(String::as_str);
    expect(
        known.entries.len() == 25_004 && last == Some("24999"),
        "any number of entries",
    )
}

pub(super) async fn batches_belong_to_one_account(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 1).await?;
    let assign = |service, key| second.assign(prepared.batch.id, service, key);
    let same = assign("https://service.example", "key").await?;
    expect(same == prepared.account, "the same account")?;
    for (service, key) in [
        ("https://service.example", "other"),
        ("https://other.example", "key"),
    ] {
        let error = assign(service, key).await;
        expect(
            matches!(error, Err(BatchError::OtherAccount { .. })),
            "OtherAccount",
        )?;
    }
    expect(first.salt().await? == second.salt().await?, "one salt")?;
    let reason = Some("no credit".to_owned());
    first
        .set_batch_state(prepared.batch.id, BatchState::Paused, reason.clone())
        .await?;
    let batch = second.batch("batch").await?;
    expect(
        (batch.state, batch.reason) == (BatchState::Paused, reason),
        "paused",
    )?;
    let done = first.set_batch_state(prepared.batch.id, BatchState::Done, None);
    expect(!done.await?, "a batch with items left is not done")?;
    let missing = second.batch("nowhere").await;
    expect(
        matches!(missing, Err(BatchError::NoSuchBatch { .. })),
        "NoSuchBatch",
    )
}

pub(super) async fn events_are_in_order(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 2).await?;
    let attempt = announce(&first, &prepared, 1).await?;
    // The item has its state already, so no event is recorded.
    let unknown = record(&attempt, 2, AttemptState::Unknown, ItemState::Sending);
    first.append(Some(&prepared.lease), unknown).await?;
    let created = NewRecord {
        number: 3,
        ..created(&attempt)
    };
    first.append(Some(&prepared.lease), created).await?;
    let events = second.events(attempt.item).await?;
    let states: Vec<_> = events.iter().map(|event| event.state).collect();
    let expected = [ItemState::Prepared, ItemState::Sending, ItemState::Created];
    expect(
        states == expected,
        &format!("the history of the item, not {states:?}"),
    )?;
    expect(events[2].detail.task_id.is_some(), "the task")?;
    expect(
        events.is_sorted_by_key(|event| event.number),
        "events in order",
    )
}

pub(super) async fn ends_are_in_order(first: Handle, second: Handle) -> CaseResult {
    let prepared = prepared(&first, 8).await?;
    let ends = ItemState::ALL.iter().filter(|state| state.is_final());
    let mut expected = Vec::new();
    let items = first.items(ItemQuery::new(prepared.batch.id)).await?;
    for (item, to) in items.iter().rev().zip(ends) {
        let change = ItemChange::new(item.id, ItemState::Prepared, *to);
        first.change_item(change).await?;
        expected.push((item.key.clone(), *to));
    }
    let batch = prepared.batch.id;
    let all = second.end_events(batch, 0, 100).await?;
    let found: Vec<_> = all
        .iter()
        .map(|event| (event.key.clone(), event.state))
        .collect();
    expect(found == expected, &format!("{expected:?}, not {found:?}"))?;
    let rest = second.end_events(batch, all[1].number, 1).await?;
    expect(rest == all[2..3], "the event after another one")?;
    let mut events = Vec::new();
    for item in &items {
        events.extend(second.events(item.id).await?);
    }
    events.sort_by_key(|event| event.number);
    let found = second.batch_events(batch, 0, 100).await?;
    expect(found == events, "the events of all items")?;
    let rest = second.batch_events(batch, events[1].number, 2).await?;
    expect(rest == events[2..4], "the events after another one")
}
