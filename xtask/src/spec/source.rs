//! Where the two documents of a comparison come from: files, or revisions of git.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::codegen::SPEC;
use openapi_diff::document::Document;
use openapi_diff::render::Side;

/// The branches that are the main one, the first that is there.
const MAIN: [&str; 2] = ["origin/main", "main"];

/// A document, and whether it is a file.
#[derive(Debug)]
pub struct Source {
    /// The document.
    pub document: Document,
    /// Its path, from the workspace's root if it is below that.
    pub file: Option<String>,
    /// The commit that it was taken from, if it was.
    pub commit: Option<String>,
}

impl Source {
    /// The side of a report, whose lines `line` finds.
    pub fn side<'a>(&'a self, line: &'a dyn Fn(&str) -> usize) -> Side<'a> {
        Side {
            name: &self.document.name,
            file: self.file.as_deref(),
            line: Some(line),
        }
    }

    /// The document in the file at `given`, or else the spec at the revision of that name.
    ///
    /// # Errors
    ///
    /// When there is neither, or when it cannot be read.
    pub fn read(root: &Path, given: &str) -> Result<Self> {
        let path = Path::new(given);
        if path.is_file() {
            let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let below = root.canonicalize().ok();
            let below = below.and_then(|root| whole.strip_prefix(root).ok().map(Path::to_owned));
            let file = below.unwrap_or_else(|| path.to_owned());
            let document = Document::read(path, given)?;
            document.require_openapi()?;
            return Ok(Self {
                document,
                file: Some(file.to_string_lossy().replace('\\', "/")),
                commit: None,
            });
        }
        if path.is_dir() {
            bail!("{given} is a folder; name a file or a revision");
        }
        if !in_repository(root)? {
            bail!(
                "there is no file {given}, and {} is not in a git repository that could have such a revision",
                root.display()
            );
        }
        let Some(commit) = commit(root, given)? else {
            bail!("{given} is neither a file nor a revision of this repository");
        };
        Self::at(root, &commit, given)
    }

    /// The spec as it was where the work began: at the merge base with the main branch.
    ///
    /// # Errors
    ///
    /// When there is no repository, no main branch, or no spec there.
    pub fn merge_base(root: &Path) -> Result<Self> {
        if !in_repository(root)? {
            bail!(
                "{} is not in a git repository; name the document to compare with",
                root.display()
            );
        }
        for branch in MAIN {
            if commit(root, branch)?.is_none() {
                continue;
            }
            let base = git(root, &["merge-base", "HEAD", branch])?;
            let Some(base) = base else {
                bail!(
                    "HEAD and {branch} have no commit in common; name the revision to compare with"
                );
            };
            let base = base.trim();
            let short = git(root, &["rev-parse", "--short", base])?;
            let name = short.as_deref().map_or(base, str::trim);
            return Self::at(root, base, name);
        }
        bail!(
            "there is no branch {}; name the revision to compare with",
            MAIN.join(" or ")
        )
    }

    /// The spec in the work tree.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn work_tree(root: &Path) -> Result<Self> {
        Ok(Self {
            document: Document::read(&root.join(SPEC), SPEC)?,
            file: Some(SPEC.to_owned()),
            commit: None,
        })
    }

    /// The spec at a commit, which messages call `name`.
    fn at(root: &Path, commit: &str, name: &str) -> Result<Self> {
        // With the dot, the path counts from the workspace, wherever in the repository that is.
        let object = format!("{commit}:./{SPEC}");
        let Some(bytes) = git_bytes(root, &["show", "--end-of-options", &object])? else {
            bail!("there is no {SPEC} at {name}");
        };
        Ok(Self {
            document: Document::parse(&format!("{name}:{SPEC}"), &bytes)?,
            file: None,
            commit: Some(commit.to_owned()),
        })
    }
}

fn in_repository(root: &Path) -> Result<bool> {
    Ok(git(root, &["rev-parse", "--git-dir"])?.is_some())
}

/// The commit that a revision names, if there is such a revision.
fn commit(root: &Path, revision: &str) -> Result<Option<String>> {
    let object = format!("{revision}^{{commit}}");
    let arguments = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &object,
    ];
    let commit = git(root, &arguments)?;
    Ok(commit.map(|commit| commit.trim().to_owned()))
}

/// The text that git prints; nothing when it says no.
pub(crate) fn git(root: &Path, arguments: &[&str]) -> Result<Option<String>> {
    let text = git_bytes(root, arguments)?.map(String::from_utf8);
    text.transpose()
        .context("git printed something that is not UTF-8")
}

fn git_bytes(root: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>> {
    let root: PathBuf = match root.as_os_str().is_empty() {
        true => ".".into(),
        false => root.to_owned(),
    };
    let output = Command::new("git")
        .arg("-C")
        .arg(&root)
        .args(arguments)
        .output()
        .context("cannot run git, which knows the revisions; name two files instead")?;
    if !output.status.success() {
        return Ok(None);
    }
    Ok(Some(output.stdout))
}
