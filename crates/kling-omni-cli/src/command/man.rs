//! `man`: manual pages.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::cli;
use crate::failure::Failure;
use crate::input;

#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// The folder to write a page for each command into; it is created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(args: &ManArgs) -> Result<(), Failure> {
    let written = fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(cli::command(), &args.folder));
    written.map_err(|error| {
        let folder = input::name(&args.folder);
        Failure::file(format!("the manual pages could not be written to {folder}"))
            .with_cause(error)
    })
}
