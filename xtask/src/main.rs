//! `cargo xtask`: the chores of this workspace.

use std::env;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::codegen::{self, Mode, report};
use xtask::exit::Exit;

/// The chores of this workspace.
///
/// Exit codes: 0 done, 1 the xtask failed, 2 wrong usage, 4 files are stale and a command fixes them, 100 a person has
/// to decide.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    /// The root of the workspace to work in, if not this one.
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Generate the low-level crate from the spec.
    Codegen {
        /// Write nothing; show what would change and end with 4 if anything would.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic would end with 101, which nothing here documents; its message is printed either way.
    let exit = panic::catch_unwind(|| run(&arguments)).unwrap_or(Exit::Crashed);
    exit.into()
}

fn run(arguments: &Arguments) -> Exit {
    let root = arguments.root.clone().unwrap_or_else(workspace);
    let Chore::Codegen { check } = arguments.chore;
    let mode = if check { Mode::Check } else { Mode::Write };
    match codegen::run(&root, mode) {
        Ok(outcome) => {
            let exit = Exit::from(&outcome);
            let text = report::report(&outcome);
            match exit {
                Exit::Person => eprint!("{text}"),
                _ => print!("{text}"),
            }
            exit
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Crashed
        }
    }
}

/// The folder above this package: as cargo tells it now, or as it told when this was built.
fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_owned)
}
