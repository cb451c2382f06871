//! `cargo xtask`: the chores of this workspace.

use std::env;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::codegen::{self, Mode, report};
use xtask::exit::Exit;
use xtask::format::Format;
use xtask::{accept, drift, surface};

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
    /// Take a change of the spec in: generate, accept snapshots, list the surface, and check everything.
    Accept,
    /// Look at everything that has to agree with the spec and the code, and tell what does not.
    Drift {
        /// How to tell it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Generate the low-level crate from the spec.
    Codegen {
        /// Write nothing; show what would change and end with 4 if anything would.
        #[arg(long)]
        check: bool,
    },
    /// List what a person can name and call in the published libraries.
    Surface {
        /// Write nothing; show what would change and end with 4 if anything would.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    if let Some(end) = surface::rustdoc::stand_in() {
        return end;
    }
    let arguments = Arguments::parse();
    let root = arguments.root.unwrap_or_else(workspace);
    // Found now: a chore may build this program anew, and the system then calls the one that runs deleted.
    let program = env::current_exe().unwrap_or_default();
    // A panic would end with 101, which nothing here documents; its message is printed either way.
    let ended = panic::catch_unwind(|| run(&root, &program, &arguments.chore));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            Exit::Crashed
        }
        Err(_) => Exit::Crashed,
    };
    exit.into()
}

fn run(root: &Path, program: &Path, chore: &Chore) -> Result<Exit> {
    let (exit, text) = match chore {
        Chore::Accept => {
            let outcome = accept::run(root, program, &mut io::stderr())?;
            (Exit::from(&outcome), accept::render(&outcome))
        }
        Chore::Drift { format } => {
            let all = drift::run(root, program);
            print!("{}", drift::render::render(&all, *format));
            return Ok(drift::exit(&all));
        }
        Chore::Codegen { check } => {
            let outcome = codegen::run(root, mode(*check))?;
            (Exit::from(&outcome), report::report(&outcome))
        }
        Chore::Surface { check } => {
            let changes = surface::run(root, program, mode(*check))?;
            let exit = if *check && !changes.is_empty() {
                Exit::Stale
            } else {
                Exit::Done
            };
            (exit, surface::report(&changes, mode(*check)))
        }
    };
    match exit {
        Exit::Person => eprint!("{text}"),
        _ => print!("{text}"),
    }
    Ok(exit)
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
