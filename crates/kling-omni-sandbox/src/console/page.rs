//! Renders pages: each consists of parts that can be replaced.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::{Method, StatusCode};

use super::deliveries::{Deliveries, DeliveryDetail};
use super::faults::{ArmForms, Faults};
use super::requests::{RequestDetail, Requests};
use super::task::{self, TaskDetail, TaskEvents, TaskRequest, TaskVideo};
use super::tasks::{Charges, Tasks};
use super::view::{RequestFilter, View};
use super::{Console, live, plain};

/// How many rows a list has.
const ROWS: usize = 100;
/// How many rows a list of the overview has.
const OVERVIEW_ROWS: usize = 10;
/// The parts in the second column of the overview.
const ASIDE: [&str; 3] = ["charges", "faults", "arm"];
/// The paths of the streams begin with this.
const LIVE: &str = "/live";

/// A part of a page, which the script replaces when its version changes.
pub(super) struct Part {
    pub(super) id: &'static str,
    pub(super) version: u64,
    /// The element with this id and version.
    pub(super) html: String,
}

#[derive(Template)]
#[template(path = "part.html")]
struct PartElement<'a> {
    id: &'a str,
    version: u64,
    content: &'a str,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: String,
    layout: &'static str,
    base_url: &'a str,
    live: String,
    error: &'a str,
    navigation: &'a str,
    columns: Vec<Vec<&'a str>>,
}

#[derive(Template)]
#[template(path = "navigation.html")]
struct Navigation {
    links: Vec<NavigationLink>,
}

struct NavigationLink {
    path: &'static str,
    text: &'static str,
    count: Option<u64>,
    is_current: bool,
}

/// Serves a page, or its stream.
pub(super) async fn serve(State(console): State<Arc<Console>>, request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "A page takes GET only\n");
    }
    let (path, query) = (request.uri().path(), request.uri().query());
    let (path, is_live) = match path.strip_prefix(LIVE) {
        Some(path) => (path, true),
        None => (path, false),
    };
    match View::parse(path, query) {
        Some(view) if is_live => live::stream(console, view),
        Some(view) => respond(&console, view, StatusCode::OK, ""),
        None => not_found(),
    }
}

fn not_found() -> Response {
    plain(
        StatusCode::NOT_FOUND,
        "There is no such page, or the record is no longer kept\n",
    )
}

/// Returns a page, with the message of an error.
pub(super) fn respond(console: &Console, view: View, status: StatusCode, error: &str) -> Response {
    let Some(parts) = parts(console, view) else {
        return not_found();
    };
    let (navigation, parts) = match parts.split_first() {
        Some((navigation, parts)) => (navigation.html.as_str(), parts),
        None => ("", parts.as_slice()),
    };
    let is_aside = |part: &&Part| view == View::Overview && ASIDE.contains(&part.id);
    let (aside, main): (Vec<_>, Vec<_>) = parts.iter().partition(is_aside);
    let columns =
        [main, aside].map(|column| column.iter().map(|part| part.html.as_str()).collect());
    let page = Page {
        title: view.title(),
        layout: view.layout(),
        base_url: &console.base_url,
        live: format!("{LIVE}{view}"),
        error,
        navigation,
        columns: columns.into_iter().collect(),
    };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render a page");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The page cannot be rendered\n",
            )
        }
    }
}

/// Returns the parts of a page, of which the first one is the navigation, or `None` if its record does not exist.
pub(super) fn parts(console: &Console, view: View) -> Option<Vec<Part>> {
    let requests = |filter, before, limit| Requests::new(console, filter, before, limit);
    let mut parts = vec![part("navigation", &Navigation::new(console, view))];
    match view {
        View::Overview => parts.extend([
            part("charges", &Charges::new(console)),
            part("tasks", &Tasks::new(console, None, OVERVIEW_ROWS)),
            part(
                "requests",
                &requests(RequestFilter::All, None, OVERVIEW_ROWS),
            ),
            part("deliveries", &Deliveries::new(console, None, OVERVIEW_ROWS)),
            part("faults", &Faults::new(console)),
            part("arm", &ArmForms::new()),
        ]),
        View::Tasks { before } => parts.extend([
            part("charges", &Charges::new(console)),
            part("tasks", &Tasks::new(console, before, ROWS)),
        ]),
        View::Task(number) => {
            let task = task::find(console, number)?;
            parts.extend([
                part("task", &TaskDetail::new(console, &task)),
                part("video", &TaskVideo::new(console, &task)),
                part("events", &TaskEvents::new(console, &task)),
                part("body", &TaskRequest::new(console, &task)),
            ]);
        }
        View::Requests { filter, before } => {
            parts.push(part("requests", &requests(filter, before, ROWS)));
        }
        View::Request(number) => {
            let request = console.service.requests.get(number)?;
            parts.push(part("request", &RequestDetail::new(console, &request)));
        }
        View::Deliveries { before } => {
            parts.push(part("deliveries", &Deliveries::new(console, before, ROWS)));
        }
        View::Delivery(number) => {
            let delivery = console.service.webhooks.deliveries.get(number)?;
            parts.push(part("delivery", &DeliveryDetail::new(console, &delivery)));
        }
        View::Faults => parts.extend([
            part("faults", &Faults::new(console)),
            part("arm", &ArmForms::new()),
        ]),
    }
    Some(parts)
}

fn part(id: &'static str, template: &impl Template) -> Part {
    let content = template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "cannot render a part of a page");
        String::new()
    });
    let mut hasher = DefaultHasher::new();
    hasher.write(content.as_bytes());
    let version = hasher.finish();
    let element = PartElement {
        id,
        version,
        content: &content,
    };
    Part {
        id,
        version,
        html: element.render().unwrap_or_default(),
    }
}

impl Navigation {
    fn new(console: &Console, view: View) -> Self {
        let service = &console.service;
        let links = [
            ("/", "Overview", None),
            ("/tasks", "Tasks", Some(service.tasks.count() as u64)),
            ("/requests", "Requests", Some(service.requests.total())),
            (
                "/deliveries",
                "Webhooks",
                Some(service.webhooks.deliveries.total()),
            ),
            (
                "/faults",
                "Faults",
                Some(service.faults.armed().len() as u64),
            ),
        ];
        let links = links.into_iter().map(|(path, text, count)| NavigationLink {
            path,
            text,
            count,
            is_current: path == view.section(),
        });
        Self {
            links: links.collect(),
        }
    }
}
