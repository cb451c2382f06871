//! The command `kling-omni`. Everything that can be done with the service is in the crate of that name; here is what a
//! person at a terminal, or a script, sees of it.

mod choice;
mod cli;
mod command;
mod connect;
mod duration;
mod environment;
mod exit;
mod failpoint;
mod failure;
mod faults;
mod input;
mod interrupt;
mod media;
mod next;
mod output;
mod progress;
mod report;
mod request;
mod task_runner;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
