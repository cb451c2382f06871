//! The requests of all hosts, with their responses.

use askama::Template;
use bytes::Bytes;

use super::Console;
use super::mask::{MaskedText, ShownBody};
use super::shown::{self, Badge, Moment, host_name, response_badge, response_time};
use super::view::RequestFilter;
use crate::record::{Host, ReceivedRequest};

/// The requests of a page, newest first.
#[derive(Template)]
#[template(path = "requests.html")]
pub(super) struct Requests {
    rows: Vec<RequestRow>,
    total: u64,
    filters: Vec<FilterLink>,
    /// The page with older requests, if there are any.
    older: Option<String>,
    /// The page with the latest ones, on any other page.
    latest: Option<String>,
}

struct FilterLink {
    name: &'static str,
    path: String,
    text: &'static str,
    is_current: bool,
}

struct RequestRow {
    number: u64,
    arrived: Moment,
    host: &'static str,
    method: MaskedText,
    target: MaskedText,
    badge: Badge,
    duration: Option<String>,
    task: Option<u64>,
    faults: Vec<MaskedText>,
}

/// A request and its response.
#[derive(Template)]
#[template(path = "request.html")]
pub(super) struct RequestDetail {
    row: RequestRow,
    path: MaskedText,
    operation: Option<String>,
    request_id: Option<String>,
    headers: Vec<(String, MaskedText)>,
    body: ShownBody,
    body_size: String,
    response: Option<ResponseDetail>,
}

struct ResponseDetail {
    headers: Vec<(String, MaskedText)>,
    body: ShownBody,
    size: String,
    /// Why the body is not shown, or not completely.
    note: &'static str,
}

impl Requests {
    /// Returns up to `limit` requests whose number is less than `before`. A list with `filters` links to others.
    pub(super) fn new(
        console: &Console,
        filter: RequestFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Self {
        let log = &console.service.requests;
        let found = log.latest(before.unwrap_or(u64::MAX), limit + 1, |request| {
            filter.matches(request)
        });
        let has_older = found.len() > limit;
        let shown = found.iter().take(limit);
        let rows: Vec<_> = shown
            .map(|request| RequestRow::new(console, request))
            .collect();
        let oldest = rows.last().map(|row| row.number);
        Self {
            total: log.total(),
            filters: filter_links(filter),
            older: oldest
                .filter(|_| has_older)
                .map(|oldest| filter.path(Some(oldest))),
            latest: before.map(|_| filter.path(None)),
            rows,
        }
    }
}

fn filter_links(current: RequestFilter) -> Vec<FilterLink> {
    let links = RequestFilter::ALL.iter().map(|filter| FilterLink {
        name: filter.name(),
        path: filter.path(None),
        text: filter.text(),
        is_current: *filter == current,
    });
    links.collect()
}

impl RequestRow {
    fn new(console: &Console, request: &ReceivedRequest) -> Self {
        let mask = &console.mask;
        let task = request
            .task_id()
            .and_then(|id| console.service.tasks.get(id));
        Self {
            number: request.number(),
            arrived: Moment::new(request.received_at()),
            host: host_name(request.host()),
            method: mask.line(request.method().as_str(), 20),
            target: shown::target(mask, request),
            badge: response_badge(mask, request),
            duration: response_time(request),
            task: task.map(|task| task.number.get()),
            faults: request.faults().map(|rule| mask.fault(rule)).collect(),
        }
    }
}

impl RequestDetail {
    pub(super) fn new(console: &Console, request: &ReceivedRequest) -> Self {
        let mask = &console.mask;
        Self {
            row: RequestRow::new(console, request),
            path: mask.target(request.path(), request.query()),
            operation: request.operation_id().map(str::to_owned),
            request_id: request.request_id().map(str::to_owned),
            headers: mask.headers(request.headers()),
            body: mask.body(request.body()),
            body_size: shown::size(request.body().len() as u64),
            response: ResponseDetail::new(console, request),
        }
    }
}

impl ResponseDetail {
    fn new(console: &Console, request: &ReceivedRequest) -> Option<Self> {
        let sent = request.response()?;
        let kept: &Bytes = sent.body();
        let note = match () {
            () if sent.ended_at().is_none() => "the body is not sent yet",
            () if kept.is_empty() && sent.length() > 0 && request.host() == Host::Results => {
                "files are not recorded"
            }
            () if (kept.len() as u64) < sent.length() => "only the start was recorded",
            () if !sent.is_complete() => "the connection was closed before the end",
            () => "",
        };
        Some(Self {
            headers: console.mask.headers(sent.headers()),
            body: console.mask.body(kept),
            size: shown::size(sent.length()),
            note,
        })
    }
}
