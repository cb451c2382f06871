//! Pictures of the page of a report, from a batch of the sandbox, and of the console of the sandbox.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The pictures, from the root of the repository.
const PICTURES: [&str; 2] = ["docs/report-light.png", "docs/report-dark.png"];
/// The picture of the console. Its scene is an example of the sandbox.
const CONSOLE: &str = "docs/console.png";
/// A page of a repository should not load slowly.
const MAX_BYTES: u64 = 200_000;

/// The batch of the README.
const MANIFEST: &str = "crates/kling-omni-cli/examples/ten.jsonl";
/// What happens to its tasks. The sandbox has the same clips and faults in each run.
const RUN: &str = "--sandbox --yes --in-flight 4 --rate 2/s --settle-time 0s --fault-seed 7 \
    --fault create:moderated@4 --fault create:silent-failure=2s@6 --fault create:429=1@8 --fault status:503@5";
const PRICES: &str = r#"{"currency": "EUR", "valid_until": "2099-12-31", "prices": [
    {"mode": "text", "tier": "pro", "per_second": "0.08"}, {"mode": "text", "tier": "standard", "per_second": "0.06"},
    {"mode": "reference", "tier": "pro", "per_second": "0.12"}, {"mode": "reference", "tier": "standard", "per_second": "0.09"}]}"#;
const REPORT: &str =
    "--format html --price-table prices.json --max-tasks 20 --max-seconds 200 --max-spend 10";

/// The size of the pictures, in pixels.
const SIZE: [&str; 2] = ["1180", "1640"];

/// Runs the batch, and takes the pictures. Returns what it has written.
///
/// # Errors
///
/// Chromium, chromedriver or cargo is missing, a command fails, or a picture is too large.
pub fn run(root: &Path) -> Result<String> {
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new("cargo");
        succeed(cargo.args(arguments).current_dir(root))
    };
    cargo(&["build", "--quiet", "--package", "kling-omni-cli"])?;
    let folder = tempfile::tempdir()?;
    let manifest = root.join(MANIFEST);
    fs::write(folder.path().join("prices.json"), PRICES)?;
    let program = |verb: &[&str], options: &str| {
        let mut program = Command::new(root.join("target/debug/kling-omni"));
        program.arg("batch").args(verb).args(["--out", "clips"]);
        program.args(options.split_whitespace());
        program.current_dir(folder.path());
        program
    };
    let manifest = manifest.to_str().context("the path is not UTF-8")?;
    let ended = program(&["run", manifest], RUN).status()?;
    // Some of its items fail, which is exit code 4.
    ensure!(ended.code() == Some(4), "the batch ended with {ended}");
    succeed(&mut program(&["report"], REPORT))?;
    let page = folder.path().join("clips/report.html");
    let page = page.to_str().context("the path is not UTF-8")?;
    let take = [
        "run",
        "--quiet",
        "--package",
        "kling-omni-test-browser",
        "--example",
        "pictures",
        "--",
        page,
    ];
    cargo(&[&take[..], &SIZE, &PICTURES].concat())?;
    cargo(&[
        "run",
        "--quiet",
        "--package",
        "kling-omni-sandbox",
        "--features",
        "console",
        "--example",
        "console_picture",
        "--",
        CONSOLE,
    ])?;
    let mut written = String::new();
    for picture in PICTURES.into_iter().chain([CONSOLE]) {
        let bytes = fs::metadata(root.join(picture))?.len();
        ensure!(
            bytes < MAX_BYTES,
            "{picture} has {bytes} bytes, at most {MAX_BYTES} are allowed"
        );
        written.push_str(&format!("{picture}: {bytes} bytes\n"));
    }
    Ok(written)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
