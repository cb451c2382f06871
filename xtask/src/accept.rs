//! Takes a change of the spec in: everything that follows from it is written, and all of it is looked at again.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, io};

use anyhow::{Context as _, Result};

use crate::codegen::{self, Mode, report};
use crate::exit::Exit;
use crate::held::{self, Held, Moved};
use crate::snapshots::outcome::Failure;
use crate::{catalogue, snapshots, surface};

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// All is taken in, and everything agrees.
    Accepted(Vec<Moved>),
    /// Something is in the way that only a person can mend.
    Stopped {
        /// What, where, and what to do.
        reason: String,
        /// What was written before.
        moved: Vec<Moved>,
    },
}

/// Takes a change in. `program` is this program, and `tell` hears what is about to be done.
///
/// # Errors
///
/// When a file cannot be read or written, or when cargo cannot be started.
pub fn run(root: &Path, program: &Path, tell: &mut dyn io::Write) -> Result<Outcome> {
    let before = held::on_disk(root)?;
    let stopped = |reason: String| -> Result<Outcome> {
        let moved = moved_since(root, &before)?;
        Ok(Outcome::Stopped { reason, moved })
    };

    writeln!(tell, "generating code")?;
    let generated = codegen::run(root, Mode::Write)?;
    if let codegen::Outcome::Refused(_) = generated {
        return stopped(report::report(&generated));
    }

    // Before the tests, one of which looks at the page.
    writeln!(tell, "writing the docs that come from the code")?;
    catalogue::run(root, Mode::Write)?;

    writeln!(tell, "accepting snapshots")?;
    let tested = snapshots::run(root, Mode::Write)?;
    if let Some(said) = tested.unbuilt {
        return stopped(format!(
            "{}\n\nThe workspace does not compile with the new spec. Mend the places above and run `cargo xtask accept` again.",
            said.trim()
        ));
    }
    if !tested.failures.is_empty() {
        return stopped(failures(&tested.failures));
    }

    writeln!(tell, "listing the public surface")?;
    if let Err(error) = surface::run(root, program, Mode::Write) {
        return stopped(format!("{error:#}"));
    }

    writeln!(tell, "checking everything")?;
    if let Some(reason) = check(root)? {
        return stopped(reason);
    }
    Ok(Outcome::Accepted(moved_since(root, &before)?))
}

fn moved_since(root: &Path, before: &Held) -> Result<Vec<Moved>> {
    Ok(held::moved(before, &held::on_disk(root)?))
}

fn failures(failures: &[Failure]) -> String {
    let mut text = String::new();
    for failure in failures {
        let _ = writeln!(text, "{}\n{}\n", failure.test, failure.message);
    }
    text + "These tests fail for another reason than a snapshot. Mend what they name and run `cargo xtask accept` again."
}

/// Runs every test, and code generation once more: a snapshot that is not the same twice would show here.
fn check(root: &Path) -> Result<Option<String>> {
    let fresh = codegen::run(root, Mode::Check)?;
    if fresh != codegen::Outcome::Fresh {
        return Ok(Some(report::report(&fresh)));
    }
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("INSTA_UPDATE", "no")
        .env("RUST_BACKTRACE", "0")
        .env("CARGO_TERM_COLOR", "never")
        .output()
        .context("cannot start cargo")?;
    if output.status.success() {
        return Ok(None);
    }
    let found = snapshots::outcome::failures(&String::from_utf8_lossy(&output.stdout));
    Ok(Some(match found.as_slice() {
        [] => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        found => failures(found),
    }))
}

/// What a person reads at the end.
pub fn render(outcome: &Outcome) -> String {
    let (moved, mut text) = match outcome {
        Outcome::Accepted(moved) if moved.is_empty() => {
            return "Nothing moved, and everything agrees.\n".to_owned();
        }
        Outcome::Accepted(moved) => (moved, String::new()),
        Outcome::Stopped { reason, moved } => {
            let mut text = format!("{}\n\n", reason.trim_end());
            if moved.is_empty() {
                text.push_str("Nothing was written.\n");
                return text;
            }
            text.push_str("Written before that:\n");
            (moved, text)
        }
    };
    let width = moved
        .iter()
        .map(|one| one.kind.to_string().chars().count())
        .max();
    for one in moved {
        let _ = writeln!(
            text,
            "{:width$}  {:8} {:>4} {:>4}  {}",
            one.kind.to_string(),
            one.file.as_str(),
            format!("+{}", one.added),
            format!("−{}", one.removed),
            one.path,
            width = width.unwrap_or_default()
        );
    }
    if let Outcome::Accepted(moved) = outcome {
        let (generated, read): (Vec<_>, Vec<_>) = moved
            .iter()
            .partition(|one| one.kind == held::Kind::Generated);
        let count = |moved: &[&Moved]| {
            moved
                .iter()
                .map(|one| one.added + one.removed)
                .sum::<usize>()
        };
        let _ = writeln!(
            text,
            "\n{} lines to read, {} generated. Everything agrees; `cargo xtask summary` tells what it means.",
            count(&read),
            count(&generated)
        );
    }
    text
}

impl From<&Outcome> for Exit {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted(_) => Self::Done,
            Outcome::Stopped { .. } => Self::Person,
        }
    }
}
