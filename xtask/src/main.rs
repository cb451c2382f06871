//! `cargo xtask`: the chores of this workspace.

use std::env;
use std::ffi::OsString;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use openapi_diff::render::Format;
use xtask::ci::{self, Ci};
use xtask::codegen::{self, Mode, report};
use xtask::exit::Exit;
use xtask::spec::command::Spec;
use xtask::summary::{self, Summary};
use xtask::{accept, bench, catalogue, check, explain, spec, surface};

/// The chores of this workspace.
///
/// Exit codes: 0 done, 1 the xtask failed, 2 wrong usage, 3 findings as bad as asked for, 4 files are stale and a command
/// fixes them, 5 the document to compare with cannot be had, 100 a person has to decide.
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
    /// Check everything that has to agree with the spec and the code, without writing anything.
    Check(Report),
    /// The former name of `check`.
    #[command(hide = true)]
    Drift(Report),
    /// Write the page that a reviewer reads: what a change of the spec means.
    Summary {
        /// The revision to compare the work tree with. Left out, it is where this branch left the main one.
        base: Option<String>,
    },
    /// Run what CI runs.
    Ci {
        /// Name the steps and run none.
        #[arg(long)]
        list: bool,
        /// The steps to run, if not all.
        #[arg(value_name = "STEP")]
        steps: Vec<String>,
    },
    /// Measure how fast and how frugal the client is; `cargo xtask bench --help` lists the scenarios.
    #[command(disable_help_flag = true)]
    Bench {
        /// What to measure, and how.
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "SCENARIO"
        )]
        arguments: Vec<OsString>,
    },
    /// Compare versions of the spec.
    #[command(subcommand)]
    Spec(Spec),
    /// Tell what the id of a finding means.
    Explain {
        /// The id, as findings show it.
        id: String,
    },
    /// Generate the low-level crate from the spec.
    Codegen(Writing),
    /// List what a person can name and call in the published libraries.
    Surface(Writing),
    /// Write the page about every rule.
    Catalogue(Writing),
}

/// How to report.
#[derive(Args, Clone, Copy)]
struct Report {
    /// The format of the report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Whether to write.
#[derive(Args, Clone, Copy)]
struct Writing {
    /// Write nothing; show what would change and end with 4 if anything would.
    #[arg(long)]
    check: bool,
}

impl Writing {
    fn mode(self) -> Mode {
        if self.check { Mode::Check } else { Mode::Write }
    }

    /// The end of a run that found something to write, or did not.
    fn end(self, has_changes: bool) -> Exit {
        match has_changes && self.check {
            true => Exit::Stale,
            false => Exit::Done,
        }
    }
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
        Ok(Ok((text, exit))) => {
            match (exit, &arguments.chore) {
                // What these find is what they are asked for.
                (_, Chore::Check(_) | Chore::Drift(_) | Chore::Ci { .. }) => print!("{text}"),
                (Exit::Person | Exit::Usage | Exit::Unavailable, _) => eprint!("{text}"),
                _ => print!("{text}"),
            }
            exit
        }
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            Exit::Crashed
        }
        Err(_) => Exit::Crashed,
    };
    exit.into()
}

/// Does a chore, and answers with what it has to say.
fn run(root: &Path, program: &Path, chore: &Chore) -> Result<(String, Exit)> {
    Ok(match chore {
        Chore::Accept => {
            let outcome = accept::run(root, program, &mut io::stderr())?;
            (accept::render(&outcome), Exit::from(&outcome))
        }
        Chore::Check(report) | Chore::Drift(report) => {
            if matches!(chore, Chore::Drift(_)) {
                eprintln!(
                    "warning: `cargo xtask drift` is `cargo xtask check` now; the old name goes with the next release"
                );
            }
            let all = check::run(root, program);
            (
                check::render::render(&all, report.format),
                check::exit(&all),
            )
        }
        Chore::Summary { base } => {
            let summary = Summary::of(root, base.as_deref())?;
            (summary::page::page(&summary), Exit::Done)
        }
        Chore::Bench { arguments } => (String::new(), bench::run(root, arguments)?),
        Chore::Ci { list: true, .. } => (ci::list(), Exit::Done),
        Chore::Ci { steps, .. } => match ci::choose(steps) {
            Err(error) => (format!("error: {error}\n"), Exit::Usage),
            Ok(steps) => {
                let ci = Ci {
                    root: root.to_owned(),
                    program: program.to_owned(),
                };
                let all = ci.run(&steps);
                (ci::report(&all), ci::exit(&all))
            }
        },
        Chore::Spec(spec) => spec::command::run(root, spec)?,
        Chore::Explain { id } => match explain::explain(id) {
            Ok(text) => (text, Exit::Done),
            Err(error) => (format!("error: {error}\n"), Exit::Usage),
        },
        Chore::Codegen(writing) => {
            let outcome = codegen::run(root, writing.mode())?;
            (
                report::report(&outcome, codegen::COMMAND),
                Exit::from(&outcome),
            )
        }
        Chore::Surface(writing) => {
            let changes = surface::run(root, program, writing.mode())?;
            let text = surface::report(&changes, writing.mode());
            (text, writing.end(!changes.is_empty()))
        }
        Chore::Catalogue(writing) => {
            let change = catalogue::run(root, writing.mode())?;
            let text = catalogue::report(change.as_ref(), writing.mode());
            (text, writing.end(change.is_some()))
        }
    })
}

/// The folder above this package: as cargo tells it now, or as it told when this was built.
fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_owned)
}
