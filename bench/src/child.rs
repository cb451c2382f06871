//! This program once more, as a process of its own: its figures are those of the client and nothing else.

use std::env;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Runs a hidden scenario, and answers what it found.
pub fn run<T: DeserializeOwned>(
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<T> {
    let output = Command::new(env::current_exe()?)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "the client's process ended with {}",
        output.status
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Reports the results to the parent process.
pub fn tell(found: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(found)?);
    Ok(())
}
