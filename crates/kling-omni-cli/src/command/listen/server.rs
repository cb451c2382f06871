//! The HTTP server of `listen`, with limits on time, memory and connections.

use std::convert::Infallible;
use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use kling_omni::webhook::{Received, WebhookErrorKind};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connections::{CloseSignal, ConnectionLimit, ConnectionPermit};
use super::delivery_handler::DeliveryHandler;
use super::event::{RejectedRequest, RejectionKind};
use super::{ListenResult, MAX_BODY_SIZE};
use crate::failure::Failure;

/// The time limit for the head of a request, and again for its body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum size of the head, in bytes.
const MAX_HEAD_SIZE: usize = 32 * 1024;
/// How many bytes beyond the maximum size of a body are read and discarded, so its sender receives the response.
const MAX_DISCARDED: usize = 1024 * 1024;
/// How long the shutdown waits for responses in flight.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// The delay after a failed accept, such as when the process has too many open files.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

pub(in crate::command) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    pub(in crate::command) async fn bind(address: IpAddr, port: u16) -> Result<Self, Failure> {
        let requested = SocketAddr::new(address, port);
        let bound = async {
            let listener = TcpListener::bind(requested).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bound.await.map_err(|error: std::io::Error| {
            Failure::usage(format!("cannot listen on {requested}"))
                .with_cause(error)
                .with_help("use another --port, or --port 0 for a free one")
        })
    }

    pub(in crate::command) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `until` completes, then finishes the deliveries in flight.
    pub(in crate::command) async fn run(
        self,
        handler: Arc<DeliveryHandler>,
        results: Sender<ListenResult>,
        until: impl Future<Output = ListenResult>,
    ) -> ListenResult {
        let limit = ConnectionLimit::new();
        let (stop, stopping) = watch::channel(false);
        let accepting = async {
            loop {
                let Ok((stream, _)) = self.listener.accept().await else {
                    sleep(ACCEPT_RETRY_DELAY).await;
                    continue;
                };
                let (permit, closed) = limit.acquire().await;
                let exchange = Exchange {
                    handler: Arc::clone(&handler),
                    results: results.clone(),
                    is_complete: AtomicBool::new(false),
                    permit,
                };
                let exchange = Arc::new(exchange);
                tokio::spawn(serve_connection(stream, exchange, closed, stopping.clone()));
            }
        };
        let result = tokio::select! {
            result = until => result,
            () = accepting => unreachable!("the loop accepts until it is dropped"),
        };
        drop(self.listener);
        stop.send_replace(true);
        limit.wait_until_closed(SHUTDOWN_TIMEOUT).await;
        result
    }
}

/// One request and the handling of its delivery. The handling outlives the connection, so no delivery is lost if the
/// sender disconnects early.
struct Exchange {
    handler: Arc<DeliveryHandler>,
    results: Sender<ListenResult>,
    /// Whether the request is complete.
    is_complete: AtomicBool,
    permit: ConnectionPermit,
}

/// Serves one request on a connection.
async fn serve_connection(
    stream: TcpStream,
    exchange: Arc<Exchange>,
    closed: CloseSignal,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let exchange = Arc::clone(&exchange);
        async move { Ok::<_, Infallible>(exchange.respond(request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .max_buf_size(MAX_HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    let stopped_while_incomplete = async {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        if exchange.is_complete.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    let evicted = async {
        let _ = closed.await;
        if exchange.is_complete.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        // The sender disconnected, so nothing is left to respond to.
        _ = connection => {}
        () = stopped_while_incomplete => {}
        () = evicted => {}
    }
}

impl Exchange {
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let is_post = request.method() == Method::POST;
        let mut response = Response::new(Empty::new());
        *response.status_mut() = match self.receive(request).await {
            Ok(status) => status,
            Err(failure) => {
                // Only the first result counts.
                let _ = self.results.try_send(Err(failure));
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        if !is_post {
            let allowed = HeaderValue::from_static("POST");
            response.headers_mut().insert(ALLOW, allowed);
        }
        response
    }

    async fn receive(self: &Arc<Self>, request: Request<Incoming>) -> Result<StatusCode, Failure> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return self.log_rejected(&RejectedRequest {
                kind: RejectionKind::Custom("not_a_post"),
                message: format!("method {} is not allowed, only POST", head.method),
                help: None,
                status: StatusCode::METHOD_NOT_ALLOWED,
            });
        }
        let body = match timeout(READ_TIMEOUT, read_body(body)).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                return self.log_rejected(&RejectedRequest {
                    kind: RejectionKind::Library(WebhookErrorKind::BodyUnreadable),
                    message: "the body is incomplete".to_owned(),
                    help: None,
                    status: StatusCode::BAD_REQUEST,
                });
            }
            Err(_) => {
                return self.log_rejected(&RejectedRequest {
                    kind: RejectionKind::Custom("too_slow"),
                    message: format!("the body is incomplete after {} s", READ_TIMEOUT.as_secs()),
                    help: None,
                    status: StatusCode::REQUEST_TIMEOUT,
                });
            }
        };
        self.is_complete.store(true, Ordering::Relaxed);
        self.permit.complete();
        match self.handler.receive(&head.headers, head.uri.query(), &body) {
            Ok(received) => {
                let handling = tokio::spawn(Arc::clone(self).handle(received, body));
                handling.await.unwrap_or_else(|error| {
                    Err(Failure::unexpected("cannot handle a delivery").with_cause(error))
                })
            }
            Err(error) => self.log_rejected(&RejectedRequest::from(&error)),
        }
    }

    async fn handle(
        self: Arc<Self>,
        received: Received,
        body: Vec<u8>,
    ) -> Result<StatusCode, Failure> {
        let handled = self.handler.handle(received, &body).await?;
        if let Some(result) = handled.result {
            let _ = self.results.try_send(result);
        }
        Ok(handled.status)
    }

    fn log_rejected(&self, rejected: &RejectedRequest) -> Result<StatusCode, Failure> {
        self.handler.log_rejected(rejected)?;
        Ok(rejected.status)
    }
}

/// Reads a body, up to one byte beyond the maximum size. Returns `None` if the body is incomplete.
async fn read_body(mut body: Incoming) -> Option<Vec<u8>> {
    let (mut bytes, mut discarded) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        let kept = data.len().min(MAX_BODY_SIZE + 1 - bytes.len());
        bytes.extend_from_slice(&data[..kept]);
        discarded += data.len() - kept;
        if discarded > MAX_DISCARDED {
            break;
        }
    }
    Some(bytes)
}
