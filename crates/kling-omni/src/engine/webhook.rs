//! Receives the webhooks of the service: verifies signatures and timestamps, deduplicates, rejects replays, keeps the order,
//! and updates waits.
//!
//! A request with a `webhook_url` makes the service post the state of the task there on every change. Deliveries are signed
//! with the Standard Webhooks scheme. They may come late, twice, in any order, or not at all.
//!
//! * [`WebhookReceiver`] receives deliveries. A [`wait`](crate::polling::Wait::webhook) subscribes to it, and
//!   [`WebhookReceiver::deliveries`] is a stream of all new ones.
//! * [`WebhookReceiver::endpoint`] is a tower service with a body limit, ready to mount in axum or hyper. Other servers call
//!   [`WebhookReceiver::receive`] with the headers, the query and the raw body, and respond with [`WebhookError::status`].
//! * [`Verifier`] only verifies signatures, and [`Secret::headers`] creates them, to forward deliveries and for tests.
//! * [`correlation`] adds a token to a `webhook_url`. A delivery with the token names the create that it belongs to.
//!
//! ```
//! use kling_omni::webhook::{WebhookReceiver, Secret};
//!
//! # async fn example(task: kling_omni::Task) -> Result<(), Box<dyn std::error::Error>> {
//! let receiver = WebhookReceiver::new(Secret::new("the secret of the account")?);
//! let app = axum::Router::new().route_service("/hooks/kling", receiver.endpoint());
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//! tokio::spawn(async move { axum::serve(listener, app).await });
//! // The `webhook_url` of the task leads to this server.
//! let video = task.wait().webhook(&receiver).await?;
//! # Ok(())
//! # }
//! ```

pub mod correlation;

mod delivery;
mod endpoint;
mod error;
mod receiver;
mod secret;
mod verifier;

pub use crate::engine::webhook::delivery::{Delivery, Received};
pub use crate::engine::webhook::endpoint::Endpoint;
pub use crate::engine::webhook::error::{WebhookError, WebhookErrorKind};
pub use crate::engine::webhook::receiver::{
    Deliveries, Lagged, WebhookReceiver, WebhookReceiverBuilder,
};
pub use crate::engine::webhook::secret::Secret;
pub use crate::engine::webhook::verifier::{Verified, Verifier};
