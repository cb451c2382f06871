//! The console: a web page on loopback that shows what a program did in the sandbox, and arms faults.
//!
//! It reads the records, and is not recorded itself. A page consists of parts, and `live` sends those that change.

mod actions;
mod deliveries;
mod faults;
mod guard;
mod live;
mod mask;
mod page;
mod requests;
mod shown;
mod task;
mod tasks;
mod timeline;
mod view;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::config::{Config, StartError};
use crate::service::Service;
use crate::start;
use mask::Mask;

const SCRIPT: &str = include_str!("console/console.js");
const STYLE: &str = include_str!("console/console.css");
const ICON: &str = include_str!("console/icon.svg");

/// How many pages may be live at once.
const STREAMS: usize = 64;

/// What all pages share.
struct Console {
    service: Arc<Service>,
    base_url: String,
    mask: Mask,
    streams: Arc<Semaphore>,
    /// Becomes true when the sandbox stops.
    stop: watch::Receiver<bool>,
}

/// Listens for the console, if it is served: always on loopback.
pub(crate) async fn bind(config: &Config) -> Result<Option<(TcpListener, String)>, StartError> {
    let Some(port) = config.console_port else {
        return Ok(None);
    };
    let address = match config.address {
        address if address.is_loopback() => address,
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    start::bind(address, port).await.map(Some)
}

/// Returns the router of the console.
pub(crate) fn router(
    service: &Arc<Service>,
    base_url: &str,
    stop: watch::Receiver<bool>,
) -> Router {
    let console = Arc::new(Console {
        service: Arc::clone(service),
        base_url: base_url.to_owned(),
        mask: Mask::new(&service.config),
        streams: Arc::new(Semaphore::new(STREAMS)),
        stop,
    });
    Router::new()
        .route("/console.js", get(file("text/javascript", SCRIPT)))
        .route("/console.css", get(file("text/css", STYLE)))
        .route("/icon.svg", get(file("image/svg+xml", ICON)))
        .route("/tasks/{number}/video.mp4", get(task::video))
        .route("/faults/arm", post(actions::arm))
        .route("/faults/disarm", post(actions::disarm))
        .route("/deliveries/redeliver", post(actions::redeliver))
        .fallback(page::serve)
        .layer(middleware::from_fn(guard::check))
        .with_state(console)
}

fn file(
    content_type: &'static str,
    text: &'static str,
) -> impl Fn(Request) -> std::future::Ready<Response> + Clone {
    move |_| {
        let content_type = HeaderValue::from_static(content_type);
        std::future::ready(([(header::CONTENT_TYPE, content_type)], text).into_response())
    }
}

/// Returns a short text as a response.
fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}
