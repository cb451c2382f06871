//! Where axe-core is, and how it is run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::missing;

/// Names the file.
const FILE: &str = "KLING_OMNI_AXE";
/// Where `cargo xtask ci tools` installs it, from the root of the workspace.
const INSTALLED: &str = "target/ci-tools/node_modules/axe-core/axe.min.js";

/// Runs axe-core, and returns the violations as texts.
pub(crate) const RUN: &str = r#"
const done = arguments[arguments.length - 1];
const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
axe.run(document, { runOnly, resultTypes: ["violations"] }).then(
  ({ violations }) =>
    done(
      violations.flatMap(({ id, help, nodes }) =>
        nodes.slice(0, 5).map(({ target, failureSummary }) => `${id} (${help}): ${target.join(" ")}: ${failureSummary}`),
      ),
    ),
  (error) => done([`axe-core failed: ${error}`]),
);
"#;

/// The source of axe-core. Where it is missing, says that the test is skipped.
pub(crate) fn source() -> Option<&'static str> {
    static SOURCE: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let source = std::fs::read_to_string(file()).ok();
        if source.is_none() {
            missing("axe-core");
        }
        source
    };
    SOURCE.get_or_init(read).as_deref()
}

fn file() -> PathBuf {
    match std::env::var_os(FILE) {
        Some(file) => file.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(INSTALLED),
    }
}
