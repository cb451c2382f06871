//! The time to save a file, beside curl's.

pub mod fetch;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::fetch::Fetched;
use self::server::Server;
use crate::child;
use crate::machine;
use crate::report::Report;
use crate::sample::median;

/// Most systems keep it in memory, which excludes the disk from the measurement.
const MEMORY: &str = "/dev/shm";

const MIB: u64 = 1024 * 1024;

#[derive(Args)]
pub struct Download {
    /// Size of the file in MiB.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    mib: u64,
    /// How often each of the two fetches it.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Where to save it; a folder in memory where there is one.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Download {
    pub fn run(&self) -> Result<Report> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None if Path::new(MEMORY).is_dir() => MEMORY.into(),
            None => env::temp_dir(),
        };
        let folder = tempfile::tempdir_in(folder).context("no folder to save in")?;
        let server = Server::start(self.mib * MIB)?;
        let (mut curl, mut ours) = (Vec::new(), Vec::new());
        // By turns, so what else the machine does strikes both.
        for run in 0..self.runs {
            eprintln!("run {} of {}", run + 1, self.runs);
            curl.push(by_curl(&server, folder.path())?);
            ours.push(by_us(&server, folder.path())?);
        }
        self.report(&curl, &ours)
    }

    fn report(&self, curl: &[f64], ours: &[Fetched]) -> Result<Report> {
        let seconds: Vec<_> = ours.iter().map(|fetched| fetched.seconds).collect();
        let peak = ours.iter().filter_map(|fetched| fetched.peak_kib).max();
        let (theirs, own) = (median(curl.to_vec()), median(seconds.clone()));
        let rate = |seconds: f64| format!("{:.0} MiB/s", self.mib as f64 / seconds);
        let least = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let mut report = Report::new(
            "download",
            &format!("Saving {} MiB over loopback", self.mib),
            "What kling-omni does beside curl: it computes the SHA-256, walks over the boxes of the MP4, and puts the file on disk before it has its name.",
        );
        report.command(&format!(
            "cargo xtask bench download --mib {} --runs {}",
            self.mib, self.runs
        ));
        report.header(["", "median", "best", "rate", "peak memory"]);
        report.row([
            machine::first_line("curl", &["--version"])?.as_str(),
            &format!("{theirs:.3} s"),
            &format!("{:.3} s", least(curl)),
            &rate(theirs),
            "",
        ]);
        report.row([
            "kling-omni",
            &format!("{own:.3} s"),
            &format!("{:.3} s", least(&seconds)),
            &rate(own),
            &peak.map_or_else(
                || "not told".to_owned(),
                |kib| format!("{:.1} MiB", kib as f64 / 1024.0),
            ),
        ]);
        report.figure(&format!(
            "throughput against curl's: **{:.3} ×** (median of {} runs each)",
            theirs / own,
            self.runs
        ));
        Ok(report)
    }
}

fn by_curl(server: &Server, folder: &Path) -> Result<f64> {
    let target = folder.join("curl.mp4");
    let output = Command::new("curl")
        .args([
            "--silent",
            "--fail",
            "--write-out",
            "%{time_total}",
            "--output",
        ])
        .arg(&target)
        .arg(server.video())
        .output()
        .context("curl cannot be run")?;
    ensure!(output.status.success(), "curl ended with {}", output.status);
    let length = fs::metadata(&target)?.len();
    ensure!(length == server.length(), "curl saved {length} bytes");
    fs::remove_file(&target)?;
    let seconds = String::from_utf8(output.stdout)?;
    seconds
        .parse()
        .with_context(|| format!("curl took {seconds:?}"))
}

fn by_us(server: &Server, folder: &Path) -> Result<Fetched> {
    let target = folder.join("ours.mp4");
    let fetched = child::run([
        "fetch".as_ref(),
        server.base_url().as_ref(),
        target.as_os_str(),
    ])?;
    let length = fs::metadata(&target)?.len();
    ensure!(length == server.length(), "kling-omni saved {length} bytes");
    fs::remove_file(&target)?;
    Ok(fetched)
}
