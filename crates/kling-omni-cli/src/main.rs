//! The program `kling-omni`: arguments, progress and reports. The crate `kling-omni` does everything else.

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
mod known_tasks_file;
mod media;
mod next;
mod output;
mod progress;
mod report;
mod request;
mod task_page;
mod task_runner;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only if there is a provider.
    #[cfg(feature = "rustls")]
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}
