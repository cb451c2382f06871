//! Measures the build time of the crate, and the start time of the program.

pub mod crates;
mod start;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::crates::{Build, FEATURES};
use crate::report::Report;
use crate::sample::median;

const MOST_CRATES: usize = 150;

/// The program, built with the optimisations of a release.
pub const PROGRAM: &str = "kling-omni-cli";

#[derive(Args)]
pub struct BuildCost {
    /// How often each clean build is made; the median counts. With 0, none is.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    builds: u32,
    /// How often the program is started.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    starts: u32,
}

impl BuildCost {
    pub fn run(&self) -> Result<Report> {
        let mut report = Report::new(
            "build",
            "Crates, build and start",
            "Crates are those that are compiled on Linux for the crate in the first column, itself included, without those that only tests or build scripts need. A clean build is `cargo build` of that crate into an empty folder, with what it downloads at hand; with rustls, a good part of it is the C code of its cryptography.",
        );
        report.command(&format!(
            "cargo xtask bench build --builds {} --starts {}",
            self.builds, self.starts
        ));
        report.header(["", "crates", "clean build"]);
        for build in [Build::RAW, Build::BARE, Build::USUAL] {
            report.row([
                build.name,
                &build.crates()?.len().to_string(),
                &self.seconds(&build)?,
            ]);
        }
        let usual = Build::USUAL.crates()?;
        let bare = Build::BARE.crates()?;
        report.figure(&format!(
            "crates for `kling-omni` with default features: **{}** (target: at most {MOST_CRATES})",
            usual.len()
        ));
        for feature in FEATURES {
            let (with, before) = (Build::with(feature), feature.before(&bare, &usual));
            let more = with.crates()?.difference(before).count();
            report.figure(&format!(
                "`{}` adds {more} crates to those {}",
                feature.name,
                feature.base()
            ));
        }
        let program = program()?;
        let mib = program.metadata()?.len() as f64 / (1024.0 * 1024.0);
        report.figure(&format!("the program `kling-omni`: **{mib:.1} MiB**"));
        let (version, status) = start::times(&program, self.starts)?;
        report.figure(&format!(
            "from its start to its end: **{version:.1} ms** for `--version`, **{status:.1} ms** for `status` of a task in the sandbox (medians of {} runs each)",
            self.starts
        ));
        Ok(report)
    }

    fn seconds(&self, build: &Build) -> Result<String> {
        if self.builds == 0 {
            return Ok(String::new());
        }
        let mut taken = Vec::new();
        for _ in 0..self.builds {
            let folder = tempfile::tempdir()?;
            let began = Instant::now();
            cargo(&["build", "--quiet"], build, folder.path())?;
            taken.push(began.elapsed().as_secs_f64());
            eprintln!("{}: {:.0} s", build.name, began.elapsed().as_secs_f64());
        }
        Ok(format!("{:.0} s", median(taken)))
    }
}

fn cargo(arguments: &[&str], build: &Build, target: &Path) -> Result<()> {
    let status = Command::new("cargo")
        .args(arguments)
        .args(build.arguments())
        .env("CARGO_TARGET_DIR", target)
        .status()
        .context("cargo cannot be run")?;
    ensure!(status.success(), "cargo ended with {status}");
    Ok(())
}

/// Builds the program beside this one, as it is now.
pub fn program() -> Result<PathBuf> {
    build_beside(PROGRAM, "kling-omni")
}

/// Builds a program of a package beside this one, and returns its path.
pub fn build_beside(package: &str, name: &str) -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet"])
        .args(["--package", package, "--bin", name])
        .status()
        .context("cargo cannot be run")?;
    ensure!(status.success(), "cargo ended with {status}");
    let program = env::current_exe()?.with_file_name(name);
    ensure!(program.is_file(), "{} is missing", program.display());
    Ok(program)
}
