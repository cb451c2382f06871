//! What the figures were measured on.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};

/// In one line: processor, cores, system and compiler.
pub fn description() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpu =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "processor unknown".to_owned());
    let system = first_line("uname", &["-sr"]).unwrap_or_else(|_| std::env::consts::OS.to_owned());
    let compiler =
        first_line("rustc", &["--version"]).unwrap_or_else(|_| "rustc unknown".to_owned());
    format!("{cpu}, {cores} cores, {system}, {compiler}")
}

/// The most memory that this process has had resident, where the system tells, in KiB.
pub fn peak_memory() -> Option<u64> {
    memory("VmHWM")
}

/// The memory that this process has resident now, where the system tells, in KiB.
pub fn resident_memory() -> Option<u64> {
    memory("VmRSS")
}

fn memory(name: &str) -> Option<u64> {
    let size = field("/proc/self/status", name)?;
    size.trim_end_matches("kB").trim().parse().ok()
}

/// The processor time that this process has taken so far, on its own behalf and in the system.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The first line that a program prints, cut to its name and version.
pub fn first_line(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("{program} cannot be run"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default();
    Ok(line.split(" (").next().unwrap_or(line).to_owned())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once(':')?;
    Some(value.trim().to_owned())
}
