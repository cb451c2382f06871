use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::error::Result;
use crate::engine::http::call::{Options, RateLimitWait};
use crate::engine::operations::ListOperation;
use crate::engine::polling::queue::Pollable;
use crate::engine::polling::schedule::ScheduleState;
use crate::engine::state::{TaskState, TaskStatus};
use crate::engine::task::{Source, Task};

/// The least time for the look at the deadline, so that it has a chance.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// A task that is followed by one wait.
pub(crate) struct PolledTask {
    pub(crate) task: Task,
    pub(crate) schedule: Arc<ScheduleState>,
}

impl Pollable for PolledTask {
    fn id(&self) -> &Arc<str> {
        &self.task.0.id
    }

    fn list(&self) -> Option<&'static ListOperation> {
        let known = self.task.known();
        let operation = known.read_by.or(self.task.0.reads.first().copied())?;
        (!known.is_unlisted).then(|| operation.list)
    }

    fn read(
        &self,
        left: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<TaskState>> + Send>> {
        let task = self.task.clone();
        let most = task.0.session.http.settings.attempt_timeout;
        let options = Options {
            // A failed poll is followed by the next poll, not by attempts of its own.
            retries: Some(0),
            attempt_timeout: left.map(|left| left.max(LAST_LOOK).min(most)),
            // The look at the deadline is made then, whatever the rate.
            hold: left.map_or(RateLimitWait::Unbounded, RateLimitWait::AtMost),
            ..Options::default()
        };
        Box::pin(async move { task.read(options).await })
    }

    fn observe_in_list(&self, status: &TaskStatus) -> TaskState {
        let id = self.task.id().to_owned();
        let state = TaskState::new(id, status.clone(), Vec::new(), None);
        self.task.learn(&state, Source::Polled);
        let mut known = self.task.known();
        known.is_unlisted = false;
        // Lists may lag behind what is known already.
        known.state.clone().unwrap_or(state)
    }

    fn missed(&self) {
        self.task.known().is_unlisted = true;
    }

    fn next_due(&self) -> Instant {
        let due = self.task.next_poll(&self.schedule);
        self.schedule.count_listed();
        due
    }
}
