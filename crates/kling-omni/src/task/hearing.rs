use std::time::Duration;

use crate::state::TaskState;
#[cfg(feature = "webhook")]
use crate::webhook::{Inbox, Listening};

/// How much longer the pauses between polls are while deliveries tell the news.
const SPARSER: u32 = 6;

/// What a wait is told beside its polls: the deliveries of a webhook, if it was given any.
pub(super) struct Hearing {
    #[cfg(feature = "webhook")]
    listening: Option<Listening>,
    /// Whether nothing speaks against deliveries coming.
    is_trusted: bool,
}

impl Hearing {
    /// Hears nothing, ever.
    pub(super) fn nothing() -> Self {
        Self {
            #[cfg(feature = "webhook")]
            listening: None,
            is_trusted: false,
        }
    }

    #[cfg(feature = "webhook")]
    pub(super) fn of(inbox: &Inbox, task_id: &str) -> Self {
        Self {
            listening: Some(inbox.listen(task_id)),
            is_trusted: true,
        }
    }

    /// The next state that was delivered. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> TaskState {
        #[cfg(feature = "webhook")]
        if let Some(listening) = &mut self.listening {
            let state = listening.next().await;
            self.is_trusted = true;
            return state;
        }
        std::future::pending().await
    }

    /// Completes once an end was delivered; `next` has it then.
    pub(super) async fn ended(&self) {
        #[cfg(feature = "webhook")]
        if let Some(listening) = &self.listening {
            return listening.ended().await;
        }
        std::future::pending().await
    }

    /// A poll has found out what a delivery should have told before.
    pub(super) fn has_missed_news(&mut self) {
        self.is_trusted = false;
    }

    /// The pause to the next poll, where it would be `interval` without deliveries.
    pub(super) fn stretch(&self, interval: Duration) -> Duration {
        if self.is_trusted {
            interval.saturating_mul(SPARSER)
        } else {
            interval
        }
    }
}
