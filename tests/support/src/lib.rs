//! What the tests of several packages share: servers and clocks under the test's control, media files, the OpenAPI
//! document, and snapshots.
//!
//! Every published crate builds this for its tests, so it depends on nothing that the SDK and its sandbox do not need
//! themselves, apart from insta.

pub mod clip;
pub mod clock_steps;
pub mod fake;
pub mod log;
pub mod media;
pub mod openmetrics;
#[cfg(unix)]
pub mod postgres;
pub mod postgres_proxy;
pub mod setup;
pub mod snapshots;
pub mod sources;
pub mod spec;
pub mod strace;
pub mod tcp_proxy;
pub mod virtual_clock;

/// Raises this process's limit of open files as far as it may be raised. A test with hundreds of connections has both ends
/// of each, and a limit of 1024 files is common.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        use std::sync::Once;

        static RAISED: Once = Once::new();
        RAISED.call_once(|| {
            let mut limit = getrlimit(Resource::Nofile);
            limit.current = limit.maximum;
            // Where this is not allowed, most tests pass all the same.
            let _ = setrlimit(Resource::Nofile, limit);
        });
    }
}

/// Fails a test with a text for people, without the place and the backtrace that a panic adds: the text says it all.
pub fn fail(text: &str) -> ! {
    eprintln!("\n{}\n", text.trim_end());
    std::panic::resume_unwind(Box::new("the test failed"))
}

/// Fails a test with all its findings, one on a line; passes without findings.
pub fn fail_on<T: std::fmt::Display>(findings: impl IntoIterator<Item = T>) {
    let lines: Vec<_> = findings
        .into_iter()
        .map(|finding| finding.to_string())
        .collect();
    if !lines.is_empty() {
        fail(&lines.join("\n"));
    }
}
