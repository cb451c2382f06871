//! The stream of new deliveries.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::webhook::delivery::Delivery;

/// The new deliveries of all tasks, as a stream. It ends when the receiver, all its clones and its endpoints are dropped.
///
/// A slow reader blocks neither the service nor other readers. Deliveries beyond the
/// [buffer](super::WebhookReceiverBuilder::buffer_capacity) are dropped, the stream yields their number as [`Lagged`], and continues.
///
/// ```no_run
/// use futures_util::StreamExt;
///
/// # async fn example(receiver: kling_omni::webhook::WebhookReceiver) {
/// let mut deliveries = receiver.deliveries();
/// while let Some(delivery) = deliveries.next().await {
///     match delivery {
///         Ok(delivery) => println!("{} is {}", delivery.state().id(), delivery.state().status()),
///         Err(lagged) => println!("{lagged}"),
///     }
/// }
/// # }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Deliveries(Pin<Box<dyn Stream<Item = Result<Delivery, Lagged>> + Send>>);

/// The number of deliveries that were dropped because they were not read in time. The tasks are not affected. Read faster, or
/// raise [`buffer_capacity`](super::WebhookReceiverBuilder::buffer_capacity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    count: u64,
}

impl Lagged {
    /// The number of dropped deliveries.
    pub fn count(self) -> u64 {
        self.count
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} deliveries were dropped because they were not read in time",
            self.count
        )
    }
}

impl std::error::Error for Lagged {}

impl Deliveries {
    pub(crate) fn new(updates: broadcast::Receiver<Delivery>) -> Self {
        Self(Box::pin(stream::unfold(updates, |mut updates| async {
            let item = match updates.recv().await {
                Ok(delivery) => Ok(delivery),
                Err(RecvError::Lagged(count)) => Err(Lagged { count }),
                Err(RecvError::Closed) => return None,
            };
            Some((item, updates))
        })))
    }
}

impl Stream for Deliveries {
    type Item = Result<Delivery, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}
