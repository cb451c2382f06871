//! Looks at tasks, for all waits of a client at once: one at a time while there are few, and by the list while there
//! are many.

mod driver;
mod sweep;
mod waiting;

use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::session::{Agenda, Look, Seen, Session};
use driver::Driver;

/// Asks for a look at once, and answers what came of it. Dropping the future takes the look off the agenda, and breaks
/// off a request that was made for it alone.
///
/// `look` gets the sender of the answer. It is no part of the future, of which there is one for each wait.
pub(crate) fn look(
    session: &Arc<Session>,
    look: impl FnOnce(oneshot::Sender<Seen>) -> Look,
) -> impl Future<Output = Seen> {
    let (sender, answer) = oneshot::channel();
    let agenda = session.agenda();
    let (number, begins) = agenda.enlist(Box::new(look(sender)));
    if begins {
        tokio::spawn(Driver::new(Arc::clone(session), Arc::clone(&agenda)).run());
    }
    let on_drop = Withdraw { agenda, number };
    async move {
        let _on_drop = on_drop;
        answer.await.unwrap_or_else(|_| Seen {
            state: Err(cut_off()),
            was_last: false,
        })
    }
}

struct Withdraw {
    agenda: Arc<Agenda>,
    number: u64,
}

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.agenda.withdraw(self.number);
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
