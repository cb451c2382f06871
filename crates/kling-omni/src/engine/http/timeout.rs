//! Limits on exchanges, in time in which this process could have read an answer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How much time may pass unseen, should the process be stopped.
const STEP: Duration = Duration::from_secs(1);
/// A timer may be so late in a process that runs.
const SLACK: Duration = Duration::from_millis(50);

/// A limit on one exchange, in real time.
///
/// While a process is stopped, or its machine sleeps, answers arrive and nothing reads them. Such time does not count: a
/// limit is counted down in steps of a second, and a step that ends late gives the process up to a second to read
/// what has come, and all steps together no more than the limit once more. What is awaited is always polled before the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    left: Duration,
    /// How much may still be given back, so that a machine that is always late cannot prolong it for ever.
    grace: Duration,
}

/// The limit is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed;

impl Timeout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            left: limit,
            grace: limit.max(STEP),
        }
    }

    /// What is left of the limit. A time in which the process did not run is not part of what was taken off.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    /// Awaits a part of the exchange. What it takes is taken off the limit.
    pub(crate) async fn run<F: Future>(&mut self, part: F) -> Result<F::Output, Elapsed> {
        let mut part = pin!(part);
        // What is there already takes no time, and needs no timer.
        let first = poll_fn(|context| Poll::Ready(part.as_mut().poll(context)));
        if let Poll::Ready(output) = first.await {
            return Ok(output);
        }
        loop {
            let step = self.left.min(STEP);
            let begun = Instant::now();
            let output = tokio::select! {
                biased;
                output = &mut part => Some(output),
                () = sleep(step) => None,
            };
            let spent = begun.elapsed();
            self.left = self.left.saturating_sub(spent.min(step));
            if let Some(output) = output {
                return Ok(output);
            }
            let late = spent.saturating_sub(step);
            if late > SLACK {
                let given = late.min(STEP).min(self.grace);
                self.grace -= given;
                self.left = self.left.saturating_add(given);
            }
            if self.left.is_zero() {
                return Err(Elapsed);
            }
        }
    }
}
