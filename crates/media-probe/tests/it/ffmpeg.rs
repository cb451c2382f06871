//! ffmpeg and ffprobe, if they are installed.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::expected::Sample;
use crate::made;

/// Makes missing ffmpeg a failure if set.
pub const NEEDED: &str = "KLING_OMNI_NEEDS_FFMPEG";

/// Whether both programs are installed. If not, prints that, or fails if they are required.
pub fn is_installed(test: &str) -> bool {
    let is_installed = ["ffmpeg", "ffprobe"].iter().all(|program| {
        let mut command = Command::new(program);
        command.arg("-version").stdout(Stdio::null());
        command.stderr(Stdio::null()).status().is_ok()
    });
    if !is_installed {
        skip(test, "ffmpeg and ffprobe are not installed");
    }
    is_installed
}

/// Prints that a test is skipped, past the capture of the test harness. Fails if ffmpeg is required.
pub fn skip(test: &str, reason: &str) {
    let is_needed = std::env::var_os(NEEDED).is_some_and(|value| value != "0" && !value.is_empty());
    assert!(!is_needed, "{test}: {reason}, and {NEEDED} is set");
    let _ = writeln!(io::stderr(), "skipped: {test}: {reason}");
}

/// The names of all encoders.
pub fn encoders() -> String {
    let mut command = Command::new("ffmpeg");
    let output = command
        .args(["-hide_banner", "-encoders"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Encodes a sample in a folder with the samples that it depends on.
pub fn encode(sample: &Sample, folder: &Path) {
    let target = folder.join(&sample.name);
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-y"]);
    for word in sample.ffmpeg.split_whitespace() {
        match word
            .strip_prefix('{')
            .and_then(|word| word.strip_suffix('}'))
        {
            Some(name) => command.arg(folder.join(name)),
            None => command.arg(word),
        };
    }
    let output = command
        .args(["-fflags", "+bitexact", "-map_metadata", "-1"])
        .arg(&target)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        sample.name,
        String::from_utf8_lossy(&output.stderr)
    );
    if sample.turned > 0 {
        let file = fs::read(&target).unwrap();
        fs::write(&target, made::rotated(&file, sample.turned)).unwrap();
    }
}

/// The output of ffprobe for a file.
pub fn probe(file: &Path) -> Value {
    let mut command = Command::new("ffprobe");
    let output = command
        .args([
            "-v",
            "error",
            "-of",
            "json",
            "-show_format",
            "-show_streams",
        ])
        .arg(file)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}
