//! The command `kling-omni`. Everything that can be done with the service is in the crate of that name; here is what a
//! person at a terminal, or a script, sees of it.

mod cli;
mod command;

mod connect;
mod environment;
mod fetch;
mod input;
mod media;
mod next;
mod output;
mod request;

mod choice;
mod interrupt;
mod progress;
mod span;
mod stop;
mod times;

mod exit;
mod failure;
mod faults;
mod report;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
