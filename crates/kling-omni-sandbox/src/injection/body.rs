//! Response bodies that are delayed, slow or incomplete.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use crate::clock::ServiceClock;

/// Padding, sent in chunks of this size.
const SPACES: &[u8] = &[b' '; 64 * 1024];

/// A step of sending a body.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Bytes),
    /// Sends this many spaces.
    Fill(u64),
    Wait(SystemTime),
    /// Sends the rest of a body in chunks of `size` bytes, the next one at `due`.
    Drip {
        rest: Bytes,
        size: usize,
        every: Duration,
        due: SystemTime,
    },
    /// Flushes the connection.
    Flush,
    /// Closes the connection, even before the end of the body. Bytes that are not [flushed](Self::Flush) are lost.
    Close,
}

/// Returns a body that runs the steps in order.
pub(super) fn build_body(timer: &Timer, steps: Vec<Step>) -> Body {
    let state = (timer.clone(), VecDeque::from(steps));
    Body::from_stream(stream::unfold(state, async |(timer, mut steps)| {
        loop {
            let item = match steps.pop_front()? {
                Step::Send(bytes) => Ok(bytes),
                Step::Fill(0) => continue,
                Step::Fill(left) => {
                    let size = left.min(SPACES.len() as u64);
                    steps.push_front(Step::Fill(left - size));
                    Ok(Bytes::from_static(&SPACES[..size as usize]))
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
                    let chunk = rest.split_to(size.min(rest.len()));
                    steps.push_front(Step::Drip {
                        rest,
                        size,
                        every,
                        due: due + every,
                    });
                    Ok(chunk)
                }
                Step::Flush => {
                    // The server flushes whenever the body is pending.
                    tokio::task::yield_now().await;
                    continue;
                }
                Step::Close => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            };
            return Some((item, (timer, steps)));
        }
    }))
}

/// Waits by the sandbox's clock, until the sandbox stops at the latest.
#[derive(Clone, Debug)]
pub(super) struct Timer {
    pub(super) clock: ServiceClock,
    /// Becomes true when the sandbox stops.
    stop: watch::Receiver<bool>,
}

impl Timer {
    pub(super) fn new(clock: ServiceClock, stop: watch::Receiver<bool>) -> Self {
        Self { clock, stop }
    }

    /// Waits until a time, or forever, and until the sandbox stops at the latest.
    pub(super) async fn wait(&self, until: Option<SystemTime>) {
        let mut stop = self.stop.clone();
        let reached = async {
            match until {
                Some(until) => self.clock.sleep_until(until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = reached => {}
            // An error means that the sandbox was dropped.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
}
