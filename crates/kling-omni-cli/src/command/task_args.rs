//! The arguments that name a task.

use clap::Args;
use kling_omni::{Client, Mode, Task};

use crate::choice::one_of;

#[derive(Args, Debug)]
pub(super) struct TaskArgs {
    /// Id of the task
    pub(super) id: String,

    /// What the video is made from; saves requests, since the id does not say where the task is read
    #[arg(long, value_name = "MODE", value_parser = one_of(Mode::ALL, Mode::as_str))]
    mode: Option<Mode>,
}

impl TaskArgs {
    /// Takes up the task. Nothing is sent yet.
    pub(super) fn task(self, client: &Client) -> Task {
        match self.mode {
            Some(mode) => client.task_of_mode(self.id, mode),
            None => client.task(self.id),
        }
    }
}
