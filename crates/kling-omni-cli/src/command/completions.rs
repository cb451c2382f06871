//! `completions`: completion scripts for shells.

use clap::Args;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::{cli, report};

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell to complete commands and options in
    shell: Shell,
}

pub(super) fn run(args: CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "kling-omni", &mut script);
    report::raw(&script)
}
