//! The webhook deliveries.

use askama::Template;

use super::Console;
use super::mask::{MaskedText, ShownBody};
use super::shown::{self, Badge, Moment, outcome_badge, status_badge};
use crate::record::Delivery;

/// How many characters of a URL are in a row.
const URL_LIMIT: usize = 80;

/// The deliveries of a page, newest first.
#[derive(Template)]
#[template(path = "deliveries.html")]
pub(super) struct Deliveries {
    rows: Vec<DeliveryRow>,
    total: u64,
    /// The number before which older deliveries are, if there are any.
    older: Option<u64>,
    /// Whether this is the latest page.
    is_latest: bool,
}

struct DeliveryRow {
    number: u64,
    sent: Moment,
    duration: String,
    task: Option<u64>,
    status: Badge,
    outcome: Badge,
    url: MaskedText,
    is_forged: bool,
    faults: Vec<MaskedText>,
}

/// A delivery with its headers and body.
#[derive(Template)]
#[template(path = "delivery.html")]
pub(super) struct DeliveryDetail {
    row: DeliveryRow,
    id: MaskedText,
    url: MaskedText,
    headers: Vec<(String, MaskedText)>,
    body: ShownBody,
}

impl Deliveries {
    /// Returns up to `limit` deliveries whose number is less than `before`.
    pub(super) fn new(console: &Console, before: Option<u64>, limit: usize) -> Self {
        let log = &console.service.webhooks.deliveries;
        let found = log.latest(before.unwrap_or(u64::MAX), limit + 1, |_| true);
        let has_older = found.len() > limit;
        let shown = found.iter().take(limit);
        let rows: Vec<_> = shown
            .map(|delivery| DeliveryRow::new(console, delivery))
            .collect();
        Self {
            total: log.total(),
            older: rows
                .last()
                .filter(|_| has_older)
                .map(|oldest| oldest.number),
            is_latest: before.is_none(),
            rows,
        }
    }
}

impl DeliveryRow {
    fn new(console: &Console, delivery: &Delivery) -> Self {
        let mask = &console.mask;
        let task = console.service.tasks.get(delivery.task_id());
        Self {
            number: delivery.number(),
            sent: Moment::new(delivery.sent_at()),
            duration: shown::duration(delivery.sent_at(), delivery.ended_at()),
            task: task.map(|task| task.number.get()),
            status: status_badge(mask, delivery.status()),
            outcome: outcome_badge(mask, delivery),
            url: mask.line(delivery.url(), URL_LIMIT),
            is_forged: delivery.is_forged,
            faults: delivery.faults().map(|rule| mask.fault(rule)).collect(),
        }
    }
}

impl DeliveryDetail {
    pub(super) fn new(console: &Console, delivery: &Delivery) -> Self {
        let mask = &console.mask;
        Self {
            row: DeliveryRow::new(console, delivery),
            id: mask.text(delivery.id()),
            url: mask.text(delivery.url()),
            headers: mask.headers(delivery.headers()),
            body: mask.body(delivery.body()),
        }
    }
}
