//! Receives the service's webhooks: verifies signatures and timestamps, drops replays, keeps the order, and updates waits.
//!
//! A request with a `webhook_url` makes the service post the task's state there on every change. Deliveries are signed
//! after the Standard Webhooks scheme; they may come late, twice, in any order, or not at all.
//!
//! * [`WebhookReceiver`] receives deliveries. A [`wait`](crate::polling::Wait::webhook) subscribes to it, and [`WebhookReceiver::deliveries`]
//!   is a stream of all new ones.
//! * [`WebhookReceiver::endpoint`] is a tower service with a body limit, ready to mount in axum or hyper. Anything else calls
//!   [`WebhookReceiver::receive`] with the headers, the query and the raw body, and answers [`WebhookError::status`].
//! * [`Verifier`] only verifies signatures, and [`Secret::headers`] makes them, for forwarding and for tests.
//! * [`correlation`] marks a `webhook_url`, and a delivery then names the create it belongs to.
//!
//! ```
//! use kling_omni::webhook::{WebhookReceiver, Secret};
//!
//! # async fn example(task: kling_omni::Task) -> Result<(), Box<dyn std::error::Error>> {
//! let inbox = WebhookReceiver::new(Secret::new("the secret of the account")?);
//! let app = axum::Router::new().route_service("/hooks/kling", inbox.endpoint());
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
//! tokio::spawn(async move { axum::serve(listener, app).await });
//! // The `webhook_url` that the task was created with leads there.
//! let video = task.wait().webhook(&inbox).await?;
//! # Ok(())
//! # }
//! ```

pub mod correlation;

mod delivery;
mod endpoint;
mod inbox;
mod refusal;
mod secret;
mod verifier;

pub use crate::engine::webhook::delivery::{Delivery, Received};
pub use crate::engine::webhook::endpoint::Endpoint;
pub use crate::engine::webhook::inbox::{Deliveries, WebhookReceiver, WebhookReceiverBuilder, Lagged};
pub use crate::engine::webhook::refusal::{WebhookError, WebhookErrorKind};
pub use crate::engine::webhook::secret::Secret;
pub use crate::engine::webhook::verifier::{Verified, Verifier};
