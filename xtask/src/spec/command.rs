//! `cargo xtask spec`.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use url::Url;

use super::extensions::COMPARER;
use super::source::Source;
use super::upstream::{self, command::Upstream};
use crate::exit::Exit;
use openapi_diff::finding::Finding;
use openapi_diff::render::{FailOn, Format, Sides};

/// What can be done with the spec as a document.
#[derive(Debug, Subcommand)]
pub enum Spec {
    /// Tell what differs in meaning between two versions of the spec.
    Diff(Diff),
    /// Tell what differs in meaning between our spec and the vendor's document.
    Upstream(Upstream),
    /// Print what a URL names, such as the vendor's document.
    Fetch {
        /// An `http` or `https` URL.
        url: Url,
    },
}

/// Which versions to compare, and how to tell the result.
#[derive(Args, Debug)]
pub struct Diff {
    /// The older version: a file or a git revision. Left out, it is where this branch left the main one.
    pub base: Option<String>,
    /// The newer version: a file or a git revision. Left out, it is the spec in the work tree.
    pub head: Option<String>,
    /// How to tell the findings.
    #[command(flatten)]
    pub report: Report,
}

/// How to tell findings, and when they are too many.
#[derive(Args, Clone, Copy, Debug)]
pub struct Report {
    /// How to tell it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// End with 3 when a finding is as bad as this, or worse.
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
}

impl Report {
    /// The findings in the form that is wanted, and the end that they call for.
    pub fn tell(self, sides: &Sides<'_>, findings: &[Finding]) -> (String, Exit) {
        let text = self.format.render(sides, findings);
        let exit = match self.fail_on.is_met(findings) {
            true => Exit::Findings,
            false => Exit::Done,
        };
        (text, exit)
    }
}

/// Runs the command in the workspace at `root`, and answers with what it has to say.
///
/// # Errors
///
/// When a document cannot be found or read.
pub fn run(root: &Path, spec: &Spec) -> Result<(String, Exit)> {
    match spec {
        Spec::Diff(diff) => run_diff(root, diff),
        Spec::Upstream(upstream) => upstream::command::run(root, upstream),
        Spec::Fetch { url } => match upstream::source::fetch(url.clone()) {
            Ok(body) => {
                io::stdout().write_all(&body)?;
                Ok((String::new(), Exit::Done))
            }
            Err(error) => Ok((format!("error: {error:#}\n"), Exit::Unavailable)),
        },
    }
}

fn run_diff(root: &Path, diff: &Diff) -> Result<(String, Exit)> {
    let base = match &diff.base {
        Some(base) => Source::read(root, base)?,
        None => Source::merge_base(root)?,
    };
    let head = match &diff.head {
        Some(head) => Source::read(root, head)?,
        None => Source::work_tree(root)?,
    };
    let findings = COMPARER.compare(&base.document.tree, &head.document.tree);
    let old_line = |pointer: &str| base.document.position(pointer).line;
    let new_line = |pointer: &str| head.document.position(pointer).line;
    let sides = Sides {
        base: base.side(&old_line),
        head: head.side(&new_line),
    };
    Ok(diff.report.tell(&sides, &findings))
}
