//! The commands, and the runtime that they run in.

mod batch;
mod check;
mod completions;
mod doctor;
mod download;
mod file_args;
mod generate;
mod list;
mod listen;
mod man;
mod sandbox;
mod schema;
mod status;
mod task_args;
mod wait;

use clap::Subcommand;

use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::interrupt;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a video: create a task, wait for it, save the video
    Generate(Box<generate::GenerateArgs>),
    /// Make many videos from a manifest, each paid at most once, resumed after a crash
    Batch(batch::BatchArgs),
    /// Inspect images and videos before paying: their properties, and what the service would reject
    Check(check::CheckArgs),
    /// Print the status of a task
    Status(status::StatusArgs),
    /// Wait for an existing task and save its video
    Wait(wait::WaitForArgs),
    /// Save the video of a completed task
    Download(download::DownloadArgs),
    /// List the tasks of the account
    List(list::ListArgs),
    /// Check key, service, clock, uploads, folders, proxies and webhook secret, at no cost
    Doctor(doctor::DoctorArgs),
    /// Receive webhooks: verify, print, save and forward deliveries
    Listen(Box<listen::ListenArgs>),
    /// Run a local stand-in for the service, for tests at no cost
    Sandbox(sandbox::SandboxArgs),
    /// Print the JSON Schema of a request file
    Schema(schema::SchemaArgs),
    /// Print the completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Write the manual pages
    Man(man::ManArgs),
}

impl Command {
    /// Returns whether stdout is JSON, errors included.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Generate(args) => args.json,
            Self::Batch(args) => args.json(),
            Self::Check(args) => args.json,
            Self::Status(args) => args.json,
            Self::Wait(args) => args.json,
            Self::Download(args) => args.json,
            Self::List(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Listen(args) => args.json,
            Self::Sandbox(args) => args.json,
            Self::Schema(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }

    pub(crate) fn run(self, connect: &ConnectArgs, verbose: bool) -> Result<(), Failure> {
        match self {
            Self::Generate(args) => block_on(generate::run(*args, connect, verbose)),
            Self::Batch(args) => block_on(batch::run(args, connect, verbose)),
            Self::Check(args) => block_on(check::run(args)),
            Self::Status(args) => block_on(status::run(args, connect)),
            Self::Wait(args) => block_on(wait::run(args, connect, verbose)),
            Self::Download(args) => block_on(download::run(args, connect, verbose)),
            Self::List(args) => block_on(list::run(args, connect)),
            Self::Doctor(args) => block_on(doctor::run(args, connect)),
            Self::Listen(args) => block_on(listen::run(*args)),
            Self::Sandbox(args) => block_on(sandbox::run(args)),
            Self::Schema(args) => block_on(async { schema::run(&args) }),
            Self::Completions(args) => block_on(async { completions::run(args) }),
            Self::Man(args) => block_on(async { man::run(&args) }),
        }
    }
}

/// Runs a command on the current thread.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected("cannot start the async runtime").with_cause(error))?;
    let result = runtime.block_on(async {
        interrupt::ignore_file_size_signal();
        command.await
    });
    // A hanging DNS lookup must not delay the exit.
    runtime.shutdown_background();
    result
}
