//! `cargo xtask`: the commands of this workspace.

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
use xtask::{accept, bench, check, dist, explain, record, rules_page, screenshots, spec, surface};

/// The commands of this workspace.
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
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take a change of the spec in: generate, accept snapshots, list the surface, and check everything.
    Accept,
    /// Check everything that has to agree with the spec and the code, without check anything.
    Check(Report),
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
    /// Record the command of the README in a terminal, as the picture docs/generate.svg.
    Record,
    /// Build the archive of the program for this machine, into target/dist.
    Dist {
        /// Another folder for the archive and the build.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Take the pictures docs/report-light.png and docs/report-dark.png of a report; needs Chromium and chromedriver.
    Screenshots,
    /// Compare versions of the spec.
    #[command(subcommand)]
    Spec(Spec),
    /// Tell what the id of a finding means.
    Explain {
        /// The id, as findings show it.
        id: String,
    },
    /// Generate the low-level crate from the spec.
    Codegen(CheckArgs),
    /// List the public surface of the libraries.
    Surface(CheckArgs),
    /// Write the page about every rule.
    Rules(CheckArgs),
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
struct CheckArgs {
    /// Write nothing; show what would change and end with 4 if anything would.
    #[arg(long)]
    check: bool,
}

impl CheckArgs {
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
    // Read now: a command may rebuild this program, and the path of the running one is then marked as deleted.
    let program = env::current_exe().unwrap_or_default();
    // A panic would end with 101, which nothing here documents; its message is printed either way.
    let ended = panic::catch_unwind(|| run(&root, &program, &arguments.command));
    let exit = match ended {
        Ok(Ok((text, exit))) => {
            match (exit, &arguments.command) {
                // What these find is what they are asked for.
                (_, Command::Check(_) | Command::Ci { .. }) => print!("{text}"),
                (Exit::NeedsHuman | Exit::Usage | Exit::Unavailable, _) => eprint!("{text}"),
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

/// Does a command, and answers with what it has to say.
fn run(root: &Path, program: &Path, command: &Command) -> Result<(String, Exit)> {
    Ok(match command {
        Command::Accept => {
            let outcome = accept::run(root, program, &mut io::stderr())?;
            (accept::render(&outcome), Exit::from(&outcome))
        }
        Command::Check(report) => {
            let all = check::run(root, program);
            (
                check::render::render(&all, report.format),
                check::exit(&all),
            )
        }
        Command::Summary { base } => {
            let summary = Summary::of(root, base.as_deref())?;
            (summary::page::page(&summary), Exit::Done)
        }
        Command::Bench { arguments } => (String::new(), bench::run(root, arguments)?),
        Command::Record => (record::run(root)?, Exit::Done),
        Command::Dist { out } => {
            let folder = out.clone().unwrap_or_else(|| root.join("target/dist"));
            (dist::run(root, &folder)?, Exit::Done)
        }
        Command::Screenshots => (screenshots::run(root)?, Exit::Done),
        Command::Ci { list: true, .. } => (ci::list(), Exit::Done),
        Command::Ci { steps, .. } => match ci::choose(steps) {
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
        Command::Spec(spec) => spec::command::run(root, spec)?,
        Command::Explain { id } => match explain::explain(id) {
            Ok(text) => (text, Exit::Done),
            Err(error) => (format!("error: {error}\n"), Exit::Usage),
        },
        Command::Codegen(check) => {
            let outcome = codegen::run(root, check.mode())?;
            (
                report::report(&outcome, codegen::COMMAND),
                Exit::from(&outcome),
            )
        }
        Command::Surface(check) => {
            let changes = surface::run(root, program, check.mode())?;
            let text = surface::report(&changes, check.mode());
            (text, check.end(!changes.is_empty()))
        }
        Command::Rules(check) => {
            let change = rules_page::run(root, check.mode())?;
            let text = rules_page::report(change.as_ref(), check.mode());
            (text, check.end(change.is_some()))
        }
    })
}

/// The folder above this package: as cargo tells it now, or as it told when this was built.
fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_owned)
}
