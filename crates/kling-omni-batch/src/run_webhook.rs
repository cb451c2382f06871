//! The webhook of a run.

use std::fmt;

use kling_omni::webhook::WebhookReceiver;
use kling_omni::webhook::correlation::{self, Token};

use crate::error::BatchResult;
use crate::request::StoredRequest;

/// Where the service sends deliveries, and what receives them.
#[derive(Clone)]
pub(crate) struct RunWebhook {
    pub(crate) url: String,
    pub(crate) receiver: WebhookReceiver,
}

impl RunWebhook {
    /// Fails if a correlation token cannot be added to the URL.
    pub(crate) fn check(&self) -> BatchResult<()> {
        correlation::attach(&self.url, &Token::random()?)?;
        Ok(())
    }

    /// Adds the URL to a request that has none, with a token of its own for each create.
    pub(crate) fn add_to(&self, request: &StoredRequest) -> BatchResult<StoredRequest> {
        match request.has_webhook_url() {
            true => Ok(request.clone()),
            false => {
                let url = correlation::attach(&self.url, &Token::random()?)?;
                Ok(request.with_webhook_url(url))
            }
        }
    }

    /// Returns the receiver if it gets the deliveries about a request.
    pub(crate) fn receiver_for(&self, request: &StoredRequest) -> Option<&WebhookReceiver> {
        (!request.has_webhook_url()).then_some(&self.receiver)
    }
}

/// Without the URL, whose query may contain a secret.
impl fmt::Debug for RunWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunWebhook")
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}
