//! Takes a change of the spec in: everything that follows from it is written, and every test runs once.

use std::env;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use indexmap::IndexSet;

use crate::check::ACCEPT;
use crate::codegen::{self, Mode, SPEC, report};
use crate::exit::Exit;
use crate::log::{self, Log};
use crate::snapshots::outcome::Failure;
use crate::summary::open::{self, Open};
use crate::summary::renames;
use crate::tracked::{self, FileDiff, TrackedFiles};
use crate::{rules_page, snapshots, surface};

/// Files that are shown one by one, generated ones apart.
const FILES: usize = 20;

/// Failed tests, lines of each, and lines of the compiler that are shown; the log has the rest.
const FAILURES: usize = 6;
const LINES_OF_FAILURE: usize = 5;
const LINES_OF_COMPILER: usize = 24;

/// Characters of a line that are shown.
const CHARACTERS: usize = 240;

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// All is taken in, and everything agrees.
    Accepted {
        /// What was written.
        written: Vec<FileDiff>,
        /// What the spec has now and the ergonomic crate does not offer yet.
        waiting: Vec<Open>,
    },
    /// Something that only a person can fix.
    Stopped {
        /// What, where, and what to do.
        reason: String,
        /// What was written before.
        written: Vec<FileDiff>,
    },
}

/// Takes a change in, with what is quick and names the cause first. `program` is this program, and `screen` shows the
/// steps.
///
/// # Errors
///
/// When a file cannot be read or written, or when cargo cannot be started.
pub fn run(root: &Path, program: &Path, screen: &mut dyn io::Write) -> Result<Outcome> {
    let mut log = Log::create(screen, &root.join(log::ACCEPT))?;
    let before = tracked::on_disk(root)?;
    let stopped = |reason: String| -> Result<Outcome> {
        let written = changes_since(root, &before)?;
        Ok(Outcome::Stopped { reason, written })
    };

    log.step("generating the code")?;
    let generated = codegen::run(root, Mode::Write)?;
    if let codegen::Outcome::Refused(_) = generated {
        return stopped(report::report(&generated, ACCEPT));
    }

    // Before the tests, one of which reads the page.
    rules_page::run(root, Mode::Write)?;

    let tested = snapshots::run(root, Mode::Write, &mut log)?;
    if let Some(said) = tested.unbuilt {
        return stopped(format!(
            "{}{}\nThe workspace does not compile with the new spec. Change the places above and run `{ACCEPT}` again.",
            likely_renames(root),
            cut(&errors(&said), LINES_OF_COMPILER)
        ));
    }
    if !tested.failures.is_empty() {
        return stopped(likely_renames(root) + &failures(&tested.failures));
    }

    log.step("listing the public surface")?;
    if let Err(error) = surface::run(root, program, Mode::Write) {
        return stopped(format!("{error:#}"));
    }

    log.step("formatting")?;
    format(root)?;
    log.step("done")?;
    let after = tracked::on_disk(root)?;
    let mut waiting = open::list(&before, &after);
    waiting.retain(|open| open.is_new);
    Ok(Outcome::Accepted {
        written: tracked::diff(&before, &after),
        waiting,
    })
}

fn changes_since(root: &Path, before: &TrackedFiles) -> Result<Vec<FileDiff>> {
    Ok(tracked::diff(before, &tracked::on_disk(root)?))
}

/// The likely cause of all that fails: fields that go by another name than in the last commit.
fn likely_renames(root: &Path) -> String {
    let renames = renames::since(root, "HEAD").unwrap_or_default();
    let mut text: String = renames
        .iter()
        .map(|rename| format!("{SPEC}: {rename}\n"))
        .collect();
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn failures(failures: &[Failure]) -> String {
    let mut text = String::new();
    for failure in failures.iter().take(FAILURES) {
        let _ = writeln!(
            text,
            "{}\n{}",
            failure.test,
            cut(&failure.message, LINES_OF_FAILURE)
        );
    }
    let rest: Vec<_> = failures.iter().skip(FAILURES).collect();
    if !rest.is_empty() {
        let names: Vec<_> = rest.iter().map(|failure| failure.test.as_str()).collect();
        let _ = writeln!(
            text,
            "{} more: {}",
            rest.len(),
            cut(&names.join(", "), 1).trim_end()
        );
    }
    let count = match failures.len() {
        1 => "This test fails".to_owned(),
        count => format!("These {count} tests fail"),
    };
    let _ = write!(
        text,
        "{count} for another reason than a snapshot; {} has all of it. Change what the first names and run `{ACCEPT}` again.",
        log::ACCEPT
    );
    text
}

/// Each error of the compiler once, its message and its place on one line. What has no such line is shown as it is.
fn errors(said: &str) -> String {
    let is_error = |line: &&str| line.starts_with("error") && !line.starts_with("error: could not");
    let mut lines = said.lines();
    let mut found = IndexSet::new();
    while let Some(error) = lines.find(is_error) {
        let details = lines.clone().take_while(|line| !is_error(line));
        let place = details
            .map(str::trim_start)
            .find_map(|line| line.strip_prefix("--> "));
        found.insert(match place {
            Some(place) if !error.contains(".rs") => format!("{error} ({place})\n"),
            // A row that the document does not have names its own file.
            _ => format!("{error}\n"),
        });
    }
    match found.is_empty() {
        true => said.to_owned(),
        false => found.into_iter().collect(),
    }
}

/// The first lines of a text, each cut to what fits on the screen.
fn cut(text: &str, lines: usize) -> String {
    let mut shown = String::new();
    for line in text.trim().lines().take(lines) {
        match line.char_indices().nth(CHARACTERS) {
            Some((end, _)) => {
                let _ = writeln!(shown, "  {}…", &line[..end]);
            }
            None => {
                let _ = writeln!(shown, "  {line}");
            }
        }
    }
    let more = text.trim().lines().count().saturating_sub(lines);
    if more > 0 {
        let _ = writeln!(shown, "  … {more} more lines in {}", log::ACCEPT);
    }
    shown
}

/// Formats the code, of which snapshots within the tests are a part.
fn format(root: &Path) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["fmt", "--all"])
        .status()
        .context("cannot start cargo fmt")?;
    anyhow::ensure!(status.success(), "`cargo fmt --all` ended with {status}");
    Ok(())
}

/// The report of a run.
pub fn render(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { written, .. } if written.is_empty() => {
            "Nothing changed, and everything agrees.\n".to_owned()
        }
        Outcome::Accepted { written, waiting } => {
            let mut text = files(written);
            if !waiting.is_empty() {
                let names: Vec<_> = waiting.iter().map(|open| open.what.as_str()).collect();
                let _ = writeln!(text, "\nNot offered yet: {}.", names.join(", "));
            }
            let (generated, read) = by_reader(written);
            let _ = writeln!(
                text,
                "\n{} lines to read, {} generated. Everything agrees; `cargo xtask summary` shows what it means.",
                lines(&read),
                lines(&generated)
            );
            text
        }
        Outcome::Stopped { reason, written } => {
            let reason = reason.trim_end();
            match written.is_empty() {
                true => format!("{reason}\n\nNothing was written.\n"),
                false => format!("{reason}\n\nWritten before that:\n{}", files(written)),
            }
        }
    }
}

/// A row for each file that a person reads, and one for all that are generated.
fn files(written: &[FileDiff]) -> String {
    let (generated, read) = by_reader(written);
    let kinds = written
        .iter()
        .map(|one| one.kind.to_string().chars().count());
    let width = kinds.max().unwrap_or_default();
    let row = |kind: &tracked::Kind, what: &str, added: usize, removed: usize, path: &str| {
        let (kind, added, removed) = (kind.to_string(), format!("+{added}"), format!("−{removed}"));
        format!("{kind:width$}  {what:8} {added:>5} {removed:>5}  {path}\n")
    };
    let mut text: String = read
        .iter()
        .take(FILES)
        .map(|one| {
            row(
                &one.kind,
                one.status.as_str(),
                one.added,
                one.removed,
                &one.path,
            )
        })
        .collect();
    let more = read.len().saturating_sub(FILES);
    if more > 0 {
        let _ = writeln!(text, "… {more} more files, which `git status` lists");
    }
    if !generated.is_empty() {
        let sum = |of: fn(&FileDiff) -> usize| generated.iter().map(|one| of(one)).sum();
        let count = format!("{} files", generated.len());
        text += &row(
            &tracked::Kind::Generated,
            &count,
            sum(|one| one.added),
            sum(|one| one.removed),
            codegen::GENERATED,
        );
    }
    text
}

/// The generated files, and those that a person reads.
fn by_reader(written: &[FileDiff]) -> (Vec<&FileDiff>, Vec<&FileDiff>) {
    written
        .iter()
        .partition(|one| one.kind == tracked::Kind::Generated)
}

/// How many lines came and went.
fn lines(written: &[&FileDiff]) -> usize {
    written.iter().map(|one| one.added + one.removed).sum()
}

impl From<&Outcome> for Exit {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted { .. } => Self::Done,
            Outcome::Stopped { .. } => Self::NeedsHuman,
        }
    }
}
