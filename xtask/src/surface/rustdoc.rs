//! A crate's documentation as JSON, from the stable toolchain.
//!
//! The JSON is behind a flag that only a nightly takes, or a toolchain with `RUSTC_BOOTSTRAP` set. Build scripts look at
//! that variable, so with it set for all of cargo, each run would make the ordinary build stale and the ordinary build
//! this one. Cargo is given this program in place of rustdoc instead, which sets it for rustdoc alone.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// Names the rustdoc that this program stands in for.
const STANDS_IN_FOR: &str = "XTASK_STANDS_IN_FOR_RUSTDOC";

/// Runs rustdoc and answers with its end, when cargo has started this program in its place.
pub fn stand_in() -> Option<ExitCode> {
    let rustdoc = env::var_os(STANDS_IN_FOR)?;
    let mut command = Command::new(rustdoc);
    command
        .args(env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1");
    Some(match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start rustdoc: {error}");
            ExitCode::FAILURE
        }
    })
}

/// Documents the libraries of the workspace at `root`, and returns the folder of the files. `program` is this program.
///
/// All at once, with the features that the lints have: a package alone would build its dependencies for itself.
///
/// # Errors
///
/// When a library does not compile, with all that cargo said.
pub fn json(root: &Path, program: &Path) -> Result<PathBuf> {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), |folder| root.join(folder));
    let rustdoc = env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args(["doc", "--quiet", "--workspace", "--no-deps", "--lib"])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTDOC", program)
        .env(STANDS_IN_FOR, rustdoc)
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json");
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "the libraries cannot be documented\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(target.join("doc"))
}

/// The version of the format that `json` is written in.
pub fn format(json: &str) -> Result<u32> {
    #[derive(Deserialize)]
    struct Head {
        format_version: u32,
    }
    let head: Head = serde_json::from_str(json).context("rustdoc's JSON has no version")?;
    Ok(head.format_version)
}
