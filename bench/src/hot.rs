//! What is done over and over, without any network: the benchmarks in `benches/`, as a table.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::report::Report;

#[derive(Args)]
pub struct Hot {
    /// How long each is measured, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

/// What criterion keeps of one benchmark.
#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

/// Nanoseconds, and the bounds between which they are.
#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

impl Hot {
    pub fn run(&self) -> Result<Report> {
        let home = tempfile::tempdir()?;
        let status = Command::new("cargo")
            .args(["bench", "--quiet", "--package", "kling-omni-bench"])
            .args(["--bench", "hot", "--", "--noplot"])
            .args(["--measurement-time", &self.seconds.to_string()])
            .env("CRITERION_HOME", home.path())
            .stdout(Stdio::null())
            .status()
            .context("cargo cannot be run")?;
        ensure!(status.success(), "cargo bench ended with {status}");
        let mut report = Report::new(
            "hot",
            "What is done over and over",
            "In one thread, without any network: time for each, by criterion.",
        );
        report.command(&format!("cargo xtask bench hot --seconds {}", self.seconds));
        report.header(["", "median", "with 95 % certainty"]);
        for (name, estimate) in found(home.path())? {
            let bounds = estimate.confidence_interval;
            report.row([
                &name,
                &shown(estimate.point_estimate),
                &format!(
                    "{} to {}",
                    shown(bounds.lower_bound),
                    shown(bounds.upper_bound)
                ),
            ]);
        }
        Ok(report)
    }
}

/// The medians of all benchmarks, by their names.
fn found(home: &Path) -> Result<BTreeMap<String, Estimate>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(home)? {
        let latest = entry?.path().join("new");
        if latest.is_dir() {
            let benchmark: Benchmark = read(&latest.join("benchmark.json"))?;
            let estimates: Estimates = read(&latest.join("estimates.json"))?;
            found.insert(benchmark.full_id, estimates.median);
        }
    }
    ensure!(!found.is_empty(), "criterion has left nothing");
    Ok(found)
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let named = || file.display().to_string();
    serde_json::from_reader(File::open(file).with_context(named)?).with_context(named)
}

fn shown(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.0} ns"),
        ..1e6 => format!("{:.2} µs", nanoseconds / 1e3),
        _ => format!("{:.2} ms", nanoseconds / 1e6),
    }
}
