//! Tasks, whose life cycle is fixed when they are created.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use kling_omni_api::enums::TaskStatus;
use serde_json::Value;

use crate::script::{TaskOutcome, TaskScript};

/// A task is `CREATED` for this fraction of its duration: one fifth.
const CREATED_PART: u32 = 5;
/// With an additional status, `IN_PROGRESS` starts after this many fifths.
const VIA_FIFTHS: u32 = 3;

/// The minimum duration of a task of the service.
const QUICK: Duration = Duration::from_secs(20);

/// One charged task: its request and its life cycle.
#[derive(Debug)]
pub(crate) struct Task {
    /// Its number in the order of creation, from 1.
    pub(crate) number: NonZeroU64,
    pub(crate) id: String,
    pub(crate) operation_id: String,
    /// The index of the key that created it.
    pub(crate) key: usize,
    /// The family whose routes read and list it.
    pub(crate) family: &'static str,
    /// The body of the request, as received.
    pub(crate) request: Value,
    pub(crate) render_spec: RenderSpec,
    pub(crate) created_at: SystemTime,
    /// The first task with the same operation and request.
    #[cfg_attr(not(feature = "console"), allow(dead_code))]
    pub(crate) repeats: Option<NonZeroU64>,
    stages: Vec<Stage>,
    outcome: TaskOutcome,
}

/// What the result shows, with defaults.
#[derive(Clone, Debug)]
pub(crate) struct RenderSpec {
    /// The prompt, or the prompts of all shots.
    pub(crate) prompt: String,
    pub(crate) seconds: u32,
    pub(crate) aspect_ratio: String,
    /// The aspect ratio of the frame, such as `16:9`, even if `aspect_ratio` is `auto`.
    pub(crate) shape: String,
    /// The size of the frame in pixels, if a fault sets it.
    pub(crate) size: Option<(u16, u16)>,
    pub(crate) has_sound: bool,
    /// The input URLs with their labels.
    pub(crate) inputs: Vec<(&'static str, String)>,
}

/// A period of a task with one status.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// The time from the creation of the task to the start of the stage.
    starts: Duration,
    pub(crate) status: TaskStatus,
    is_last: bool,
}

impl Task {
    /// Returns the stage at `now`, which depends on the time only.
    pub(crate) fn stage(&self, now: SystemTime) -> &Stage {
        let age = now.duration_since(self.created_at).unwrap_or_default();
        self.stages
            .iter()
            .rev()
            .find(|stage| stage.starts <= age)
            .unwrap_or(self.first_stage())
    }

    pub(crate) fn first_stage(&self) -> &Stage {
        &self.stages[0]
    }

    /// Returns the status changes after the creation, with their times.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (SystemTime, &Stage)> {
        self.stages[1..]
            .iter()
            .map(|stage| (self.created_at + stage.starts, stage))
    }

    /// Returns when the last stage starts.
    pub(crate) fn ends_at(&self) -> SystemTime {
        self.created_at
            + self
                .stages
                .last()
                .map_or(Duration::ZERO, |stage| stage.starts)
    }

    /// Returns whether the task is running and takes less time than any task of the service.
    pub(crate) fn is_quick(&self, stage: &Stage) -> bool {
        !stage.is_last && self.ends_at() < self.created_at + QUICK
    }

    /// Returns whether the task has a result at `stage`.
    pub(crate) fn has_result(&self, stage: &Stage) -> bool {
        stage.is_last && self.outcome == TaskOutcome::Completed
    }

    /// Returns why the task failed, at its last stage.
    pub(crate) fn error(&self, stage: &Stage) -> Option<&str> {
        match &self.outcome {
            TaskOutcome::Failed(error) if stage.is_last => Some(error),
            _ => None,
        }
    }
}

fn stages(script: &TaskScript, total: Duration) -> Vec<Stage> {
    let fifth = total / CREATED_PART;
    let mut starts = vec![(Duration::ZERO, TaskStatus::Created)];
    let mut progress = fifth;
    if let Some(status) = &script.via {
        starts.push((fifth, status.clone()));
        progress = fifth * VIA_FIFTHS;
    }
    starts.push((progress, TaskStatus::InProgress));
    let end = match script.outcome {
        TaskOutcome::Completed | TaskOutcome::CompletedEmpty => TaskStatus::Completed,
        TaskOutcome::Failed(_) | TaskOutcome::FailedSilently => TaskStatus::Failed,
    };
    starts.push((total, end));
    let last = starts.len() - 1;
    starts
        .into_iter()
        .enumerate()
        .map(|(n, (starts, status))| Stage {
            starts,
            status,
            is_last: n == last,
        })
        .collect()
}

/// The fields of a new task, except for its script.
#[derive(Debug)]
pub(crate) struct NewTask {
    pub(crate) id: String,
    pub(crate) key: usize,
    pub(crate) operation_id: String,
    pub(crate) family: &'static str,
    pub(crate) request: Value,
    pub(crate) render_spec: RenderSpec,
    pub(crate) created_at: SystemTime,
    pub(crate) total: Duration,
}

/// All tasks, and the scripts for the next ones.
#[derive(Debug, Default)]
pub(crate) struct TaskStore {
    stored: Mutex<StoredTasks>,
}

#[derive(Debug, Default)]
struct StoredTasks {
    in_order: Vec<Arc<Task>>,
    by_id: HashMap<String, Arc<Task>>,
    /// The first task of each operation and request, by their hash.
    first_by_request: HashMap<u64, NonZeroU64>,
    scripts: VecDeque<TaskScript>,
}

impl StoredTasks {
    /// Returns an unused id: `id`, or `id` with a number appended.
    fn unused(&self, id: String) -> String {
        let numbered = (2_u64..).map(|number| format!("{id}-{number}"));
        let mut candidates = std::iter::once(id.clone()).chain(numbered);
        let unused = candidates.find(|id| !self.by_id.contains_key(id));
        unused.unwrap_or(id)
    }

    /// Returns the first task with the operation and request of the task `number`, which is new.
    fn repeats(&mut self, new: &NewTask, number: NonZeroU64) -> Option<NonZeroU64> {
        let mut hasher = DefaultHasher::new();
        (&new.operation_id, new.request.to_string()).hash(&mut hasher);
        let first = self.first_by_request.entry(hasher.finish());
        let first = *first.or_insert(number);
        (first != number).then_some(first)
    }
}

impl TaskStore {
    /// Creates a task with `script`, else with the next queued script, else with one that completes.
    pub(crate) fn create(&self, new: NewTask, script: Option<TaskScript>) -> Arc<Task> {
        let mut stored = self.lock();
        let script = script
            .or_else(|| stored.scripts.pop_front())
            .unwrap_or_default();
        let count = stored.in_order.len() as u64;
        let number = NonZeroU64::MIN.saturating_add(count);
        let task = Arc::new(Task {
            number,
            repeats: stored.repeats(&new, number),
            stages: stages(&script, script.time.unwrap_or(new.total)),
            outcome: script.outcome,
            id: stored.unused(new.id),
            key: new.key,
            operation_id: new.operation_id,
            family: new.family,
            request: new.request,
            render_spec: new.render_spec,
            created_at: new.created_at,
        });
        stored.in_order.push(Arc::clone(&task));
        stored.by_id.insert(task.id.clone(), Arc::clone(&task));
        task
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Task>> {
        self.lock().by_id.get(id).cloned()
    }

    /// Returns all tasks, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Task>> {
        self.lock().in_order.clone()
    }

    /// Returns up to `limit` tasks whose number is less than `before`, newest first.
    #[cfg(feature = "console")]
    pub(crate) fn latest(&self, before: u64, limit: usize) -> Vec<Arc<Task>> {
        let count = usize::try_from(before.saturating_sub(1)).unwrap_or(usize::MAX);
        let stored = self.lock();
        let tasks = stored.in_order.iter().take(count).rev();
        tasks.take(limit).cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().in_order.len()
    }

    pub(crate) fn script_next(&self, script: TaskScript) {
        self.lock().scripts.push_back(script);
    }

    fn lock(&self) -> MutexGuard<'_, StoredTasks> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_in_order() {
        let via = TaskScript::failed().via(TaskStatus::Unknown("QUEUED".into()));
        let cases = [
            (
                TaskScript::default(),
                "0 CREATED, 2 IN_PROGRESS, 10 COMPLETED",
            ),
            (TaskScript::failed(), "0 CREATED, 2 IN_PROGRESS, 10 FAILED"),
            (via, "0 CREATED, 2 QUEUED, 6 IN_PROGRESS, 10 FAILED"),
        ];
        for (script, expected) in cases {
            let shown: Vec<String> = stages(&script, Duration::from_secs(10))
                .iter()
                .map(|stage| format!("{} {}", stage.starts.as_secs(), stage.status.as_str()))
                .collect();
            assert_eq!(shown.join(", "), expected);
        }
    }
}
