//! Listens for requests, of which none can hold up the others or take more than its share of memory.

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

use super::End;
use super::LARGEST_BODY;
use super::connections::{Closed, Connection, Connections};
use super::delivery_handler::DeliveryHandler;
use super::event::{Reason, Refused};
use crate::failure::Failure;

/// How long the head of a request may take, and then its body.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(10);
/// What a head may hold.
const LARGEST_HEAD: usize = 32 * 1024;
/// How much of a body that is too large is read on, so that its sender hears of it.
const LARGEST_WASTE: usize = 1024 * 1024;
/// How long answers may take that are under way when the program ends.
const GRACE: Duration = Duration::from_secs(3);
/// How long the system is left alone when it has no more connections to give.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    pub(super) async fn bind(address: IpAddr, port: u16) -> Result<Self, Failure> {
        let wanted = SocketAddr::new(address, port);
        let bound = async {
            let listener = TcpListener::bind(wanted).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bound.await.map_err(|error: std::io::Error| {
            Failure::usage(format!("cannot listen on {wanted}"))
                .with_cause(error)
                .with_help("name another --port, or 0 for a free one")
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until then, and lets the deliveries that are in hand come to their end.
    pub(super) async fn run(
        self,
        handler: Arc<DeliveryHandler>,
        ended: Sender<End>,
        until: impl Future<Output = End>,
    ) -> End {
        let connections = Connections::new();
        let (stop, stopping) = watch::channel(false);
        let accepting = async {
            loop {
                let Ok((stream, _)) = self.listener.accept().await else {
                    sleep(PAUSE).await;
                    continue;
                };
                let (connection, closed) = connections.add().await;
                let visit = Visit {
                    handler: Arc::clone(&handler),
                    ended: ended.clone(),
                    is_in_hand: AtomicBool::new(false),
                    connection,
                };
                tokio::spawn(converse(stream, Arc::new(visit), closed, stopping.clone()));
            }
        };
        let end = tokio::select! {
            end = until => end,
            () = accepting => unreachable!("it accepts until it is dropped"),
        };
        drop(self.listener);
        stop.send_replace(true);
        connections.end(GRACE).await;
        end
    }
}

/// One sender, from its connection to the end of what its delivery sets off: that outlives the connection, so that no
/// delivery is lost with a sender who is tired of waiting.
struct Visit {
    handler: Arc<DeliveryHandler>,
    ended: Sender<End>,
    /// The request has come whole.
    is_in_hand: AtomicBool,
    connection: Connection,
}

/// Answers one request.
async fn converse(
    stream: TcpStream,
    visit: Arc<Visit>,
    closed: Closed,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let visit = Arc::clone(&visit);
        async move { Ok::<_, Infallible>(visit.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(TIME_TO_ARRIVE)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let stopped_before = async {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        if visit.is_in_hand.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    let makes_room = async {
        let _ = closed.await;
        if visit.is_in_hand.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        // A sender that goes away has nothing to be told.
        _ = connection => {}
        () = stopped_before => {}
        () = makes_room => {}
    }
}

impl Visit {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let is_post = request.method() == Method::POST;
        let mut response = Response::new(Empty::new());
        *response.status_mut() = match self.take(request).await {
            Ok(status) => status,
            Err(failure) => {
                // The first end counts.
                let _ = self.ended.try_send(Err(failure));
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        if !is_post {
            let allowed = HeaderValue::from_static("POST");
            response.headers_mut().insert(ALLOW, allowed);
        }
        response
    }

    async fn take(self: &Arc<Self>, request: Request<Incoming>) -> Result<StatusCode, Failure> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return self.log_rejected(&Refused {
                kind: Reason::Own("not_a_post"),
                message: format!("a {} is no delivery, which is a POST", head.method),
                answer: StatusCode::METHOD_NOT_ALLOWED,
            });
        }
        let body = match timeout(TIME_TO_ARRIVE, read(body)).await {
            Ok(Some(body)) => body,
            Ok(None) => {
                return self.log_rejected(&Refused {
                    kind: Reason::Library(WebhookErrorKind::BodyUnreadable),
                    message: "the body did not arrive whole".to_owned(),
                    answer: StatusCode::BAD_REQUEST,
                });
            }
            Err(_) => {
                return self.log_rejected(&Refused {
                    kind: Reason::Own("too_slow"),
                    message: format!(
                        "the body did not arrive within {} s",
                        TIME_TO_ARRIVE.as_secs()
                    ),
                    answer: StatusCode::REQUEST_TIMEOUT,
                });
            }
        };
        self.is_in_hand.store(true, Ordering::Relaxed);
        self.connection.complete();
        match self.handler.receive(&head.headers, head.uri.query(), &body) {
            Ok(received) => {
                let delivering = tokio::spawn(Arc::clone(self).handle(received, body));
                delivering.await.unwrap_or_else(|error| {
                    Err(Failure::unexpected("a delivery could not be handled").with_cause(error))
                })
            }
            Err(refusal) => self.log_rejected(&Refused::from(&refusal)),
        }
    }

    async fn handle(
        self: Arc<Self>,
        received: Received,
        body: Vec<u8>,
    ) -> Result<StatusCode, Failure> {
        let taken = self.handler.handle(received, &body).await?;
        if let Some(end) = taken.end {
            let _ = self.ended.try_send(end);
        }
        Ok(taken.answer)
    }

    fn log_rejected(&self, refused: &Refused) -> Result<StatusCode, Failure> {
        self.handler.log_rejected(refused)?;
        Ok(refused.answer)
    }
}

/// The body, or as much of it as shows that it is too large; `None` if it broke off.
async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    let (mut bytes, mut wasted) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        let part = data.len().min(LARGEST_BODY + 1 - bytes.len());
        bytes.extend_from_slice(&data[..part]);
        wasted += data.len() - part;
        if wasted > LARGEST_WASTE {
            break;
        }
    }
    Some(bytes)
}
