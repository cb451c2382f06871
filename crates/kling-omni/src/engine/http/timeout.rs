//! A timeout for one HTTP exchange that does not count time in which this process could not run.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The longest time that counts while the process is stopped.
const STEP: Duration = Duration::from_secs(1);
/// How late a timer may be in a running process.
const SLACK: Duration = Duration::from_millis(50);

/// A timeout for one HTTP exchange, in real time.
///
/// While a process is stopped or its machine sleeps, responses arrive and nothing reads them. Such time does not count:
/// the timeout counts down in steps of one second, and a step that ends late gives the process up to one more second to
/// read what has arrived. All such extensions together are at most the timeout itself. The future is always polled
/// before the timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout {
    left: Duration,
    /// How much extension is left. A bound, because on some machines every timer is late.
    extension: Duration,
}

/// The timeout has elapsed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed;

impl Timeout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            left: limit,
            extension: limit.max(STEP),
        }
    }

    /// The rest of the timeout. Time in which the process did not run has not been subtracted.
    pub(crate) fn left(&self) -> Duration {
        self.left
    }

    /// Awaits a part of the exchange, and subtracts the time that it takes.
    pub(crate) async fn run<F: Future>(&mut self, part: F) -> Result<F::Output, Elapsed> {
        let mut part = pin!(part);
        // A future that is ready needs no timer.
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
                let given = late.min(STEP).min(self.extension);
                self.extension -= given;
                self.left = self.left.saturating_add(given);
            }
            if self.left.is_zero() {
                return Err(Elapsed);
            }
        }
    }
}
