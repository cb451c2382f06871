//! Sends the parts of a page that have changed, as server-sent events.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::page::parts;
use super::view::View;
use super::{Console, plain};

/// The minimum pause between two renderings of a page, in real time.
const PAUSE: Duration = Duration::from_millis(100);
/// The minimum pause in relation to the time that the last rendering took: a page takes a tenth of a processor at most.
const PAUSE_FACTOR: u32 = 9;
/// The time after which a browser connects again.
const RETRY: Duration = Duration::from_secs(1);

/// A page that a browser has open. It is rendered only when the connection takes more, so a slow browser misses
/// intermediate states, and nothing is queued for it.
struct LivePage {
    console: Arc<Console>,
    view: View,
    /// The versions that were sent.
    versions: HashMap<&'static str, u64>,
    /// The parts of the last rendering that are not sent yet.
    unsent: VecDeque<Event>,
    rendered: Option<Rendered>,
    changes: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

/// The last rendering of a page.
#[derive(Clone, Copy, Debug)]
struct Rendered {
    /// When the status of a task changes next.
    next_change: Option<SystemTime>,
    /// The minimum time until the next rendering.
    pause: Duration,
}

/// Returns the stream of a page. It begins with all parts, so a browser that connects again misses nothing.
pub(super) fn stream(console: Arc<Console>, view: View) -> Response {
    let Ok(permit) = Arc::clone(&console.streams).try_acquire_owned() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open\n");
    };
    if parts(&console, view).is_none() {
        return plain(StatusCode::NOT_FOUND, "The record is no longer kept\n");
    }
    let page = LivePage {
        view,
        versions: HashMap::new(),
        unsent: VecDeque::from([Event::default().retry(RETRY)]),
        rendered: None,
        changes: console.service.changes.subscribe(),
        stop: console.stop.clone(),
        console,
        _permit: permit,
    };
    let events = stream::unfold(page, async |mut page| {
        let event = page.next().await?;
        Some((Ok::<_, Infallible>(event), page))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

impl LivePage {
    /// Returns the next event, or `None` when the sandbox stops or the record is evicted.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if *self.stop.borrow() {
                return None;
            }
            if let Some(event) = self.unsent.pop_front() {
                return Some(event);
            }
            if let Some(rendered) = self.rendered {
                self.wait(rendered).await;
            }
            // Both are read before the page is rendered, so no change is missed.
            self.changes.borrow_and_update();
            let next_change = self.next_status_change();
            let started = Instant::now();
            self.render()?;
            self.rendered = Some(Rendered {
                next_change,
                pause: PAUSE.max(started.elapsed() * PAUSE_FACTOR),
            });
        }
    }

    /// Renders the page, and queues the parts that have changed.
    fn render(&mut self) -> Option<()> {
        for part in parts(&self.console, self.view)? {
            if self.versions.insert(part.id, part.version) != Some(part.version) {
                let event = Event::default().event("part").data(part.html);
                self.unsent.push_back(event);
            }
        }
        Some(())
    }

    /// Waits until a record, a fault or the status of a task changes, or the sandbox stops.
    async fn wait(&mut self, rendered: Rendered) {
        let clock = &self.console.service.clock;
        let status_changes = async {
            match rendered.next_change {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let stopped = async {
            // An error means that the sandbox was dropped.
            let _ = self.stop.wait_for(|stop| *stop).await;
        };
        tokio::select! {
            _ = self.changes.changed() => {}
            () = status_changes => {}
            () = stopped => return,
        }
        tokio::time::sleep(rendered.pause).await;
    }

    /// Returns when the status of a task changes next.
    fn next_status_change(&self) -> Option<SystemTime> {
        let service = &self.console.service;
        let now = service.clock.now();
        let tasks = service.tasks.all();
        let running = tasks.iter().filter(|task| task.ends_at() > now);
        let changes = running.flat_map(|task| task.changes().map(|(at, _)| at));
        changes.filter(|at| *at > now).min()
    }
}
