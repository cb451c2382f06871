//! What happens to a task, given ahead or written into its prompt.

use std::time::Duration;

use kling_omni_api::enums::TaskStatus;

const OPEN: &str = "[sandbox:";
const CLOSE: char = ']';
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const FAILURE: &str = "The sandbox was asked to fail this task";

/// How one task ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskOutcome {
    /// `COMPLETED` with one result URL.
    Completed,
    /// `COMPLETED` with an empty `generated`, as the service has been seen to answer.
    CompletedEmpty,
    /// `FAILED`, with this text in `error`.
    Failed(String),
    /// `FAILED` without a reason: there is no `error`.
    FailedSilently,
}

/// What happens to one task; decided when the task is created.
///
/// Give it ahead with [`Sandbox::script_next`](crate::Sandbox::script_next), or write a directive into the prompt or a
/// shot of the request:
///
/// | directive | effect |
/// |---|---|
/// | `[sandbox:fail]` | ends in `FAILED` |
/// | `[sandbox:fail=TEXT]` | the same, with TEXT as the `error` |
/// | `[sandbox:fail-silently]` | ends in `FAILED` without an `error` |
/// | `[sandbox:empty]` | ends in `COMPLETED` without a result URL |
/// | `[sandbox:status=NAME]` | shows the status NAME for a while before `IN_PROGRESS` |
/// | `[sandbox:seconds=N]` | takes N seconds, up to a day, whatever the task time and its jitter are |
///
/// A request with any other directive is refused with 400, so that a misspelt one does not pass for a success.
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
    /// A life that ends in `outcome`.
    pub fn new(outcome: TaskOutcome) -> Self {
        Self {
            outcome,
            via: None,
            time: None,
        }
    }

    /// A life that ends in `FAILED`, with a fixed text in `error`.
    pub fn failed() -> Self {
        Self::new(TaskOutcome::Failed(FAILURE.into()))
    }

    /// Shows `status` for a while between `CREATED` and `IN_PROGRESS`.
    pub fn via(mut self, status: TaskStatus) -> Self {
        self.via = Some(status);
        self
    }

    /// Ends after exactly this time, whatever [`task_time`](crate::SandboxBuilder::task_time) and its jitter are.
    pub fn task_time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Reads the directives of a prompt: `None` without any, an error that names one that does not exist.
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
    (time <= LONGEST).then_some(time)
}

impl Default for TaskScript {
    /// A life that ends in [`TaskOutcome::Completed`].
    fn default() -> Self {
        Self::new(TaskOutcome::Completed)
    }
}

/// A prompt asks the sandbox for something that it does not know.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "holds a [sandbox:…] directive other than fail, fail=TEXT, fail-silently, empty, status=NAME and seconds=N"
)]
pub(crate) struct UnknownDirective;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives() {
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
