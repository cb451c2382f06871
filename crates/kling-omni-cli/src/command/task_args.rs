//! The arguments that name a task.

use clap::Args;
use kling_omni::{Client, Mode, Task};

use crate::choice::one_of;

#[derive(Args, Debug)]
pub(super) struct TaskArgs {
    /// The id of the task
    pub(super) id: String,

    /// The mode of the task; saves requests, because the id does not determine the route
    #[arg(long, value_name = "MODE", value_parser = one_of(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,
}

impl TaskArgs {
    /// Returns a handle to the task. Sends nothing.
    pub(super) fn task(self, client: &Client) -> Task {
        match self.mode {
            Some(mode) => client.task_of_mode(self.id, mode),
            None => client.task(self.id),
        }
    }
}
