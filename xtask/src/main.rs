//! `cargo xtask`: the chores of this workspace.

use std::env;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::codegen::{self, Mode, report};
use xtask::exit::Exit;
use xtask::spec::command::Spec;
use xtask::{catalogue, explain, spec};

/// The chores of this workspace.
///
/// Exit codes: 0 done, 1 the xtask failed, 2 wrong usage, 3 a comparison has findings that are bad enough, 4 files are
/// stale and a command fixes them, 5 the document to compare with cannot be had, 100 a person has to decide.
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
    /// Compare versions of the spec.
    #[command(subcommand)]
    Spec(Spec),
    /// Tell what the id of a finding means.
    Explain {
        /// The id, as findings show it.
        id: String,
    },
    /// Write the page about every rule.
    Catalogue {
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
    let done = match &arguments.chore {
        Chore::Codegen { check } => codegen::run(&root, mode(*check))
            .map(|outcome| (report::report(&outcome), Exit::from(&outcome))),
        Chore::Spec(spec) => spec::command::run(&root, spec),
        Chore::Explain { id } => Ok(match explain::explain(id) {
            Ok(text) => (text, Exit::Done),
            Err(error) => (format!("error: {error}\n"), Exit::Usage),
        }),
        Chore::Catalogue { check } => catalogue::run(&root, mode(*check)).map(|change| {
            let exit = match change {
                Some(_) if *check => Exit::Stale,
                _ => Exit::Done,
            };
            (catalogue::report(change.as_ref(), mode(*check)), exit)
        }),
    };
    match done {
        Ok((text, exit @ (Exit::Person | Exit::Usage | Exit::Unavailable))) => {
            eprint!("{text}");
            exit
        }
        Ok((text, exit)) => {
            print!("{text}");
            exit
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Crashed
        }
    }
}

fn mode(check: bool) -> Mode {
    if check { Mode::Check } else { Mode::Write }
}

/// The folder above this package: as cargo tells it now, or as it told when this was built.
fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_owned)
}
