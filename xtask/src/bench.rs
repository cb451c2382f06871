//! Measures the client, with a program of its own: figures need an optimised build, and the xtask none of the client.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::exit::Exit;

/// Builds the program that measures, and hands it the arguments.
///
/// # Errors
///
/// When cargo cannot be started.
pub fn run(root: &Path, arguments: &[OsString]) -> Result<Exit> {
    let status = Command::new("cargo")
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "kling-omni-bench",
            "--",
        ])
        .args(arguments)
        .current_dir(root)
        .status()
        .context("cargo cannot be run")?;
    Ok(match status.code() {
        Some(0) => Exit::Done,
        Some(2) => Exit::Usage,
        _ => Exit::Crashed,
    })
}
