//! Bodies that come late, slowly or in part.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use crate::clock::ServiceClock;

/// Blanks are sent in pieces of this size.
const BLANKS: &[u8] = &[b' '; 64 * 1024];

/// What happens next in a body.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Bytes),
    /// So many blanks.
    Fill(u64),
    Wait(SystemTime),
    /// The rest of a body, `size` bytes at a time, the next at `due`.
    Drip {
        rest: Bytes,
        size: usize,
        every: Duration,
        due: SystemTime,
    },
    /// Lets all that was sent go out.
    Flush,
    /// Closes the connection, whatever was announced. Without a [`Flush`](Self::Flush) before, nothing has gone out.
    Close,
}

/// A body that does one step after the other.
pub(super) fn body(timer: &Timer, steps: Vec<Step>) -> Body {
    let state = (timer.clone(), VecDeque::from(steps));
    Body::from_stream(stream::unfold(state, async |(timer, mut steps)| {
        loop {
            let item = match steps.pop_front()? {
                Step::Send(bytes) => Ok(bytes),
                Step::Fill(0) => continue,
                Step::Fill(left) => {
                    let size = left.min(BLANKS.len() as u64);
                    steps.push_front(Step::Fill(left - size));
                    Ok(Bytes::from_static(&BLANKS[..size as usize]))
                }
                Step::Wait(until) => {
                    timer.wait(Some(until)).await;
                    continue;
                }
                Step::Drip { rest, .. } if rest.is_empty() => continue,
                Step::Drip {
                    mut rest,
                    size,
                    every,
                    due,
                } => {
                    timer.wait(Some(due)).await;
                    let piece = rest.split_to(size.min(rest.len()));
                    steps.push_front(Step::Drip {
                        rest,
                        size,
                        every,
                        due: due + every,
                    });
                    Ok(piece)
                }
                Step::Flush => {
                    // The server writes what it has whenever a body has nothing for it.
                    tokio::task::yield_now().await;
                    continue;
                }
                Step::Close => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            };
            return Some((item, (timer, steps)));
        }
    }))
}

/// Waits by the sandbox's clock, and no longer than the sandbox lives.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    pub(super) clock: ServiceClock,
    /// Becomes true when the sandbox ends.
    stop: watch::Receiver<bool>,
}

impl Timer {
    pub(super) fn new(clock: ServiceClock, stop: watch::Receiver<bool>) -> Self {
        Self { clock, stop }
    }

    /// Waits until a time, or until the sandbox ends.
    pub(super) async fn wait(&self, until: Option<SystemTime>) {
        let mut stop = self.stop.clone();
        let over = async {
            match until {
                Some(until) => self.clock.sleep_until(until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = over => {}
            // An error means that the sandbox is gone, which is a reason to stop as well.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}
