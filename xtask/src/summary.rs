//! What a change of the spec means, for the person who reviews it.
//!
//! Everything comes from files that are checked in, at a commit and in the work tree, so nothing has to be built.

pub mod page;

pub mod bump;
pub mod coverage;
pub mod help;
pub mod limits;
pub mod open;
pub mod renames;
pub mod rust;

use std::env;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::check;
use crate::codegen::SPEC;
use crate::spec::extensions::COMPARER;
use crate::spec::source::{Source, git};
use crate::tracked::{self, FileDiff, TrackedFiles};
use bump::Bump;
use coverage::Narrowed;
use help::Help;
use limits::Limit;
use open::Open;
use openapi_diff::finding::Finding;
use renames::Rename;
use rust::Surface;

/// What a change means.
pub struct Summary {
    /// What the older side is called.
    pub base: String,
    /// Differences in meaning between the documents.
    pub findings: Vec<Finding>,
    /// Fields that are likely to have another name now.
    pub renames: Vec<Rename>,
    /// Snapshots that cover less than before.
    pub narrowed: Vec<Narrowed>,
    /// What the help of the program says differently.
    pub help: Vec<Help>,
    /// The public surface of each package that changed.
    pub surface: Vec<Surface>,
    /// Limits that changed.
    pub limits: Vec<Limit>,
    /// Tracked files that changed.
    pub files: Vec<FileDiff>,
    /// What the ergonomic crate does not offer yet.
    pub open: Vec<Open>,
    /// The version that the change calls for.
    pub bump: Option<Bump>,
    /// Where the files can be looked at, when that is not the work tree.
    pub blob: Option<String>,
    /// Whether the spec is newer than what was made from it.
    pub is_stale: bool,
}

impl Summary {
    /// Compares the work tree at `root` with the revision `base`, or with where its branch left the main one.
    ///
    /// # Errors
    ///
    /// When there is no such revision, or when a file cannot be read.
    pub fn of(root: &Path, base: Option<&str>) -> Result<Self> {
        let old = match base {
            Some(base) => Source::read(root, base)?,
            None => Source::merge_base(root)?,
        };
        let new = Source::work_tree(root)?;
        let Some(commit) = &old.commit else {
            bail!(
                "{} is a file; a summary needs a revision, which has the snapshots too",
                old.document.name
            );
        };
        let now = tracked::on_disk(root)?;
        let then = tracked::at_commit(root, commit, &now)?;
        let name = old.document.name.trim_end_matches(&format!(":{SPEC}"));
        let findings = COMPARER.compare(&old.document.tree, &new.document.tree);
        let manifest = git(root, &["show", &format!("{commit}:./Cargo.toml")])?;
        let version = version(&manifest.unwrap_or_default())?;
        let summary = Self::between(name, findings, &then, &now, &version);
        Ok(Self {
            renames: renames::likely(&old.document.tree, &new.document.tree),
            is_stale: !check::hash(root).is_empty(),
            blob: blob(),
            ..summary
        })
    }

    /// What changed between two sets of tracked files, with what was found in the documents.
    pub fn between(
        base: &str,
        findings: Vec<Finding>,
        then: &TrackedFiles,
        now: &TrackedFiles,
        version: &str,
    ) -> Self {
        let surface = rust::diff(then, now);
        Self {
            base: base.to_owned(),
            bump: bump::suggest(version, &findings, &surface),
            limits: limits::diff(then, now),
            files: tracked::diff(then, now),
            open: open::list(then, now),
            renames: Vec::new(),
            narrowed: coverage::narrowed(then, now),
            help: help::diff(then, now),
            surface,
            findings,
            blob: None,
            is_stale: false,
        }
    }
}

/// Where GitHub shows the files of the commit that a workflow looks at.
fn blob() -> Option<String> {
    let of = |name: &str| env::var(name).ok();
    let (server, repository) = (of("GITHUB_SERVER_URL")?, of("GITHUB_REPOSITORY")?);
    Some(format!("{server}/{repository}/blob/{}/", of("GITHUB_SHA")?))
}

/// The version of the workspace's packages, in its manifest.
fn version(manifest: &str) -> Result<String> {
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "));
    let version = line.context("Cargo.toml has no version")?;
    Ok(version.trim_matches('"').to_owned())
}
