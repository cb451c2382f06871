//! Task scripts: the outcome and the duration of a task, set in advance or by a directive in its prompt.

use std::time::Duration;

use kling_omni_api::enums::TaskStatus;

const OPEN: &str = "[sandbox:";
const CLOSE: char = ']';
const MAX_TASK_TIME: Duration = Duration::from_secs(24 * 3600);
const FAILURE: &str = "The sandbox was asked to fail this task";

/// The outcome of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskOutcome {
    /// `COMPLETED` with one result URL.
    Completed,
    /// `COMPLETED` with an empty `generated`, as observed from the service.
    CompletedEmpty,
    /// `FAILED` with this text in `error`.
    Failed(String),
    /// `FAILED` without an `error`.
    FailedSilently,
}

/// The life cycle of one task, fixed when the task is created.
///
/// Set it in advance with [`Sandbox::script_next`](crate::Sandbox::script_next), or by a directive in the prompt or a shot
/// of the request:
///
/// | directive | effect |
/// |---|---|
/// | `[sandbox:fail]` | fails |
/// | `[sandbox:fail=TEXT]` | the same, with TEXT as the `error` |
/// | `[sandbox:fail-silently]` | fails without an `error` |
/// | `[sandbox:empty]` | completes without a result URL |
/// | `[sandbox:status=NAME]` | has the status NAME for a while before `IN_PROGRESS` |
/// | `[sandbox:seconds=N]` | takes N seconds, up to one day, without jitter |
///
/// A request with any other directive gets a 400, so a misspelled one does not look like a success.
///
/// ```
/// use kling_omni_api::enums::TaskStatus;
/// use kling_omni_sandbox::{TaskOutcome, TaskScript};
///
/// let script = TaskScript::new(TaskOutcome::Failed("out of film".into())).via(TaskStatus::Unknown("QUEUED".into()));
/// assert_ne!(script, TaskScript::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskScript {
    pub(crate) outcome: TaskOutcome,
    pub(crate) via: Option<TaskStatus>,
    pub(crate) time: Option<Duration>,
}

impl TaskScript {
    /// Creates a script with an outcome.
    pub fn new(outcome: TaskOutcome) -> Self {
        Self {
            outcome,
            via: None,
            time: None,
        }
    }

    /// Creates a script that fails, with a fixed text in `error`.
    pub fn failed() -> Self {
        Self::new(TaskOutcome::Failed(FAILURE.into()))
    }

    /// Adds `status` for a while between `CREATED` and `IN_PROGRESS`.
    pub fn via(mut self, status: TaskStatus) -> Self {
        self.via = Some(status);
        self
    }

    /// Sets the exact duration, instead of [`task_time`](crate::SandboxBuilder::task_time) with jitter.
    pub fn task_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Parses the directives of a prompt. Returns `None` without any, and fails on an unknown one.
    pub(crate) fn from_prompt(prompt: &str) -> Result<Option<Self>, UnknownDirective> {
        let mut script = None;
        let mut rest = prompt;
        while let Some((_, after)) = rest.split_once(OPEN) {
            let (directive, after) = after.split_once(CLOSE).ok_or(UnknownDirective)?;
            rest = after;
            let script = script.get_or_insert_with(Self::default);
            match directive.split_once('=').unwrap_or((directive, "")) {
                ("fail", "") => script.outcome = Self::failed().outcome,
                ("fail", error) => script.outcome = TaskOutcome::Failed(error.into()),
                ("fail-silently", "") => script.outcome = TaskOutcome::FailedSilently,
                ("empty", "") => script.outcome = TaskOutcome::CompletedEmpty,
                ("seconds", text) => script.time = Some(seconds(text).ok_or(UnknownDirective)?),
                ("status", name) if !name.is_empty() => script.via = Some(TaskStatus::from(name)),
                _ => return Err(UnknownDirective),
            }
        }
        Ok(script)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (time <= MAX_TASK_TIME).then_some(time)
}

impl Default for TaskScript {
    /// Returns a script with the outcome [`TaskOutcome::Completed`].
    fn default() -> Self {
        Self::new(TaskOutcome::Completed)
    }
}

/// A prompt has an unknown directive.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "has an unknown [sandbox:…] directive, expected fail, fail=TEXT, fail-silently, empty, status=NAME or seconds=N"
)]
pub(crate) struct UnknownDirective;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_parsed() {
        let name = TaskStatus::VALUES.concat();
        let unknown = || TaskStatus::Unknown(name.clone());
        let by_status = format!("[sandbox:status={name}]");
        let by_status_and_failed = format!("{by_status} and [sandbox:fail]");
        let cases = [
            ("a plain prompt [with brackets]", Ok(None)),
            ("x [sandbox:fail]", Ok(Some(TaskScript::failed()))),
            (
                "[sandbox:fail=no light] x",
                Ok(Some(TaskScript::new(TaskOutcome::Failed(
                    "no light".into(),
                )))),
            ),
            (
                "[sandbox:empty]",
                Ok(Some(TaskScript::new(TaskOutcome::CompletedEmpty))),
            ),
            (
                by_status.as_str(),
                Ok(Some(TaskScript::default().via(unknown()))),
            ),
            (
                by_status_and_failed.as_str(),
                Ok(Some(TaskScript::failed().via(unknown()))),
            ),
            (
                "[sandbox:seconds=2.5]",
                Ok(Some(
                    TaskScript::default().task_time(Duration::from_millis(2500)),
                )),
            ),
            ("[sandbox:seconds=soon]", Err(UnknownDirective)),
            ("[sandbox:seconds=-1]", Err(UnknownDirective)),
            ("[sandbox:seconds=1e9]", Err(UnknownDirective)),
            (
                "[sandbox:fail-silently]",
                Ok(Some(TaskScript::new(TaskOutcome::FailedSilently))),
            ),
            ("[sandbox:fial]", Err(UnknownDirective)),
            ("[sandbox:status=]", Err(UnknownDirective)),
            ("[sandbox:empty=1]", Err(UnknownDirective)),
            ("[sandbox:fail", Err(UnknownDirective)),
        ];
        for (prompt, expected) in cases {
            assert_eq!(TaskScript::from_prompt(prompt), expected, "{prompt}");
        }
    }
}
