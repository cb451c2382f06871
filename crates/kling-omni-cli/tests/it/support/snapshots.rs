use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// The snapshots of one test. All are compared before the test fails, so that one run shows everything that moved.
#[derive(Default)]
pub struct Snapshots {
    changed: Vec<String>,
}

impl Snapshots {
    /// Compares `shown`, without what differs from run to run, with the snapshot `name`.
    pub fn check(&mut self, name: impl AsRef<str>, shown: impl Display) {
        let (name, shown) = (name.as_ref(), shown.to_string());
        let compare = || redacted().bind(|| insta::assert_snapshot!(name, shown));
        if panic::catch_unwind(AssertUnwindSafe(compare)).is_err() {
            self.changed.push(name.to_owned());
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        assert!(
            self.changed.is_empty() || thread::panicking(),
            "changed: {}; if that is what was meant, accept it: `cargo xtask accept`",
            self.changed.join(", ")
        );
    }
}

/// Settings for snapshots, without what is different in each run.
fn redacted() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    for (pattern, shown) in [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[task]"),
        (r"ak-[0-9a-f]{32}", "[request]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
        (r"after [0-9.]+s", "after [span]"),
        (r"trying again in [0-9.]+ s", "trying again in [span]"),
        (r"within [0-9hms]+", "within [span]"),
        (r"expired [0-9][0-9hms ]* ago", "expired [span] ago"),
        (r"saved [0-9.]+ [kM]?B", "saved [size]"),
        (r#""bytes":\d+"#, r#""bytes":[size]"#),
        (r"[0-9a-f]{64}", "[hash]"),
    ] {
        settings.add_filter(pattern, shown);
    }
    settings
}
