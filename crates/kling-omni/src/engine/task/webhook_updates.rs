use std::time::Instant;

use crate::engine::state::TaskState;
#[cfg(feature = "webhook")]
use crate::engine::webhook::{Inbox, Listening};

/// A state that was delivered.
pub(crate) struct WebhookUpdate {
    pub(crate) state: TaskState,
    /// When it came; `None` if that was before anyone listened.
    pub(crate) at: Option<Instant>,
}

/// What a wait is told beside its polls: the deliveries of a webhook, if it was given any.
pub(crate) struct WebhookUpdates {
    #[cfg(feature = "webhook")]
    listening: Option<Box<Listening>>,
    /// Whether nothing speaks against deliveries coming.
    is_trusted: bool,
}

impl WebhookUpdates {
    /// Hears nothing, ever.
    pub(crate) fn nothing() -> Self {
        Self {
            #[cfg(feature = "webhook")]
            listening: None,
            is_trusted: false,
        }
    }

    #[cfg(feature = "webhook")]
    pub(crate) fn of(inbox: &Inbox, task_id: &str) -> Self {
        let listening = inbox.listen(task_id);
        Self {
            is_trusted: listening.is_trusted(),
            listening: Some(Box::new(listening)),
        }
    }

    /// The next state that was delivered. Dropping the future loses none.
    pub(crate) async fn next(&mut self) -> WebhookUpdate {
        #[cfg(feature = "webhook")]
        if let Some(listening) = &mut self.listening {
            // Boxed, so that waits which hear nothing have no room for it.
            let (state, at) = Box::pin(listening.next()).await;
            self.is_trusted = true;
            return WebhookUpdate { state, at };
        }
        std::future::pending().await
    }

    /// A poll has found out what a delivery should have told before.
    pub(crate) fn has_missed_news(&mut self) {
        self.is_trusted = false;
        #[cfg(feature = "webhook")]
        if let Some(listening) = &self.listening {
            listening.distrust();
        }
    }

    /// Whether deliveries tell the news, so that polls may be rarer.
    pub(crate) fn is_trusted(&self) -> bool {
        self.is_trusted
    }
}
