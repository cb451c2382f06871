//! What the tests of this workspace share.

pub mod clip;
pub mod fake;
pub mod fixture;
pub mod line;
pub mod media;
pub mod outline;
pub mod rules;
pub mod snapshots;
pub mod sources;
pub mod spec;
pub mod virtual_clock;

/// The examples of the workspace's README, so that they are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// Fails a test with a text for people, without the place and the backtrace that a panic adds: the text says it all.
pub fn fail(text: &str) -> ! {
    eprintln!("\n{}\n", text.trim_end());
    std::panic::resume_unwind(Box::new("the test failed"))
}

/// Fails a test with all its findings, one on a line, unless there are none.
pub fn fail_on<T: std::fmt::Display>(findings: impl IntoIterator<Item = T>) {
    let lines: Vec<_> = findings
        .into_iter()
        .map(|finding| finding.to_string())
        .collect();
    if !lines.is_empty() {
        fail(&lines.join("\n"));
    }
}
