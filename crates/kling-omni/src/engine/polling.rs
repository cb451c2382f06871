//! Looks at tasks, for all waits of a client at once: one at a time while there are few, and by the list while there
//! are many.

pub(crate) mod backlog;
pub(crate) mod durations;
pub(crate) mod list_poll;
pub(crate) mod list_poll_stats;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod worker;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::client::ClientInner;
use crate::engine::polling::queue::{PollQueue, PollRequest, PollResponse};
use crate::engine::polling::worker::PollWorker;
use crate::error::{Error, ErrorKind};

/// Asks for a look at once, and answers what came of it. Dropping the future takes the look off the queue, and breaks
/// off a request that was made for it alone.
///
/// `look` gets the sender of the answer. It is no part of the future, of which there is one for each wait.
pub(crate) fn look(
    session: &Arc<ClientInner>,
    look: impl FnOnce(oneshot::Sender<PollResponse>) -> PollRequest,
) -> impl Future<Output = PollResponse> {
    let (sender, answer) = oneshot::channel();
    let queue = session.queue();
    let (number, begins) = queue.push(Box::new(look(sender)));
    if begins {
        tokio::spawn(PollWorker::new(Arc::clone(session), Arc::clone(&queue)).run());
    }
    let on_drop = CancelOnDrop { queue, number };
    async move {
        let _on_drop = on_drop;
        answer.await.unwrap_or_else(|_| PollResponse {
            state: Err(cut_off()),
            was_last: false,
        })
    }
}

struct CancelOnDrop {
    queue: Arc<PollQueue>,
    number: u64,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.queue.cancel(self.number);
    }
}

/// The runtime has ended in which a wait began that goes on elsewhere.
fn cut_off() -> Error {
    Error::new(
        ErrorKind::Transport,
        "the look at the task was broken off, since the runtime that made it has ended",
    )
    .with_retryable(true)
}
