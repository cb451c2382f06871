//! A browser for tests of pages: Chromium, driven by chromedriver, without a network, and ended with the test process.
//!
//! Debian has both in the package `chromium-driver`. axe-core, which finds barriers, is a file of npm: `cargo xtask ci tools`
//! installs it, and `KLING_OMNI_AXE` names another one. A test whose browser or axe-core is missing is skipped with a message,
//! and fails if `KLING_OMNI_NEEDS_BROWSER` is set.
#![cfg(unix)]

mod axe;
mod driver;
mod session;

pub use thirtyfour::{Key, WebElement};

pub use crate::session::{Browser, ColorScheme};

use std::io::Write as _;

/// Makes tests fail where the browser is missing.
const NEEDED: &str = "KLING_OMNI_NEEDS_BROWSER";

/// Says that a test is skipped, or fails it.
fn missing(what: &str) {
    let is_needed = std::env::var_os(NEEDED).is_some_and(|value| value != "0");
    assert!(!is_needed, "no {what}, and {NEEDED} is set");
    // Not captured by the test harness.
    let _ = writeln!(std::io::stderr(), "skipped: {what} is not installed");
}
