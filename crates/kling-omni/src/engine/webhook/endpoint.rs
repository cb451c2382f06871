//! The HTTP endpoint of a receiver, as a tower service.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_service::Service;

use crate::engine::webhook::delivery::Received;
use crate::engine::webhook::error::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::receiver::WebhookReceiver;

/// A tower service that passes deliveries to a [`WebhookReceiver`], returned by [`WebhookReceiver::endpoint`].
///
/// Mount it with axum's `Router::route_service`, or in hyper through hyper-util's `TowerToHyperService`. It responds with
///
/// * 200 to every authentic delivery, including late and duplicate ones, because the service would repeat them;
/// * 405 to all methods but POST;
/// * 413 to a body above the [limit](super::WebhookReceiverBuilder::max_body_size), of which it reads no more than the limit;
/// * 400, 401 or 503 to [rejected](super::WebhookError::status) ones. The reason is logged, and not sent.
///
/// The content type is ignored, because the signature covers the bytes of the body. Timeouts are left to the server.
#[derive(Clone)]
pub struct Endpoint {
    receiver: WebhookReceiver,
}

impl WebhookReceiver {
    /// Returns a tower service that receives the deliveries posted to it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            receiver: self.clone(),
        }
    }
}

impl Endpoint {
    async fn receive<B>(self, request: Request<B>) -> Result<Received, WebhookError>
    where
        B: Body,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let limit = self.receiver.max_body_size();
        let (parts, body) = request.into_parts();
        if body.size_hint().lower() > limit as u64 {
            return Err(WebhookError::too_large(limit));
        }
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(WebhookError::too_large(limit));
            }
            Err(_) => {
                return Err(WebhookError::new(
                    WebhookErrorKind::BodyUnreadable,
                    "the body is incomplete",
                ));
            }
        };
        self.receiver
            .receive(&parts.headers, parts.uri.query(), &body)
    }
}

impl<B> Service<Request<B>> for Endpoint
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let endpoint = self.clone();
        Box::pin(async move {
            if request.method() != Method::POST {
                let mut response = response(StatusCode::METHOD_NOT_ALLOWED);
                let allowed = HeaderValue::from_static("POST");
                response.headers_mut().insert(header::ALLOW, allowed);
                return Ok(response);
            }
            Ok(match endpoint.receive(request).await {
                Ok(received) => {
                    tracing::debug!(?received, "webhook received");
                    response(StatusCode::OK)
                }
                Err(error) => {
                    log_rejected(&error);
                    response(error.status_code())
                }
            })
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("receiver", &self.receiver)
            .finish()
    }
}

/// Logs a rejected request. Anyone can post to a public address, so requests that are not deliveries have the level debug.
fn log_rejected(error: &WebhookError) {
    match error.kind() {
        WebhookErrorKind::MissingHeader
        | WebhookErrorKind::MalformedHeader
        | WebhookErrorKind::BodyTooLarge => {
            tracing::debug!(error.type = ?error.kind(), %error, "webhook rejected")
        }
        _ => tracing::warn!(error.type = ?error.kind(), %error, "webhook rejected"),
    }
}

/// A response without a body.
fn response(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
