//! Generates `crates/kling-omni-api/src/generated` from the spec with [`openapi_codegen`].

pub mod report;
pub mod write;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use openapi_codegen::finding::Finding;
use openapi_codegen::{Origin, accept, generate};

use write::Change;

/// The spec, from the workspace's root.
pub const SPEC: &str = "openapi/kling-v3-omni.yaml";

/// The folder of the generated code, from the workspace's root. Nothing else lives in it.
pub const GENERATED: &str = "crates/kling-omni-api/src/generated";

/// The command that makes the generated code current.
pub const COMMAND: &str = "cargo xtask codegen";

/// What the generated files say of their origin.
const ORIGIN: Origin<'_> = Origin {
    document: SPEC,
    command: COMMAND,
};

/// Whether to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bring the files up to date.
    Write,
    /// Only compare.
    Check,
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The files on disk are what would be generated.
    Fresh,
    /// These files were written or removed.
    Written(Vec<String>),
    /// These files are not what would be generated, and nothing was written.
    Stale(Vec<Change>),
    /// The spec breaks rules, and nothing was written.
    Refused(Vec<Finding>),
}

/// Runs code generation in the workspace at `root`.
///
/// # Errors
///
/// When a file cannot be read or written, or when the generator fails on a spec that passed every rule.
pub fn run(root: &Path, mode: Mode) -> Result<Outcome> {
    let path = root.join(SPEC);
    let source = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let spec = match accept(&source) {
        Ok(spec) => spec,
        Err(findings) => return Ok(Outcome::Refused(findings)),
    };
    let files = generate(&spec, ORIGIN)?;
    let folder = root.join(GENERATED);
    let changes = write::compare(&folder, &files)?;
    if changes.is_empty() {
        return Ok(Outcome::Fresh);
    }
    if mode == Mode::Check {
        return Ok(Outcome::Stale(changes));
    }
    write::apply(&folder, &changes)?;
    let paths = changes.into_iter().map(|change| change.path);
    Ok(Outcome::Written(paths.collect()))
}
