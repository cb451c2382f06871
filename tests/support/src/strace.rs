//! Whether a test can kill a process instead of a system call.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Makes a test fail where strace is missing.
const NEEDED: &str = "KLING_OMNI_NEEDS_STRACE";

/// Whether strace works here. If not, a test that needs it is skipped, or fails if `KLING_OMNI_NEEDS_STRACE` is set.
pub fn has_strace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=none", "true"]);
    let works = strace.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let works = works.is_ok_and(|status| status.success());
    if !works {
        let is_needed = std::env::var_os(NEEDED).is_some_and(|value| value != "0");
        assert!(!is_needed, "no strace, and {NEEDED} is set");
        let _ = writeln!(std::io::stderr(), "skipped: strace fails here");
    }
    works
}
