//! Listings of the public surface of the libraries, which show every change of it.

pub mod rustdoc;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use openapi_codegen::Files;
use public_api::Builder;

use crate::codegen::Mode;
use crate::codegen::write::{self, Change};

/// The packages whose surface is listed.
pub const PACKAGES: [&str; 8] = [
    "kling-omni-api",
    "kling-omni",
    "kling-omni-batch",
    "kling-omni-clock",
    "media-probe",
    "kling-omni-sandbox",
    "test-card",
    "openapi-diff",
];

/// The folder of the listings, from the workspace's root. Nothing else lives in it.
pub const FOLDER: &str = "tests/snapshots/surface";

/// The command that makes the listings current.
pub const COMMAND: &str = "cargo xtask surface";

/// The versions of rustdoc's JSON that can be read, and the toolchains that write them.
const FORMATS: std::ops::RangeInclusive<u32> = 57..=59;
const TOOLCHAIN: &str = "Rust 1.93 to 1.97";

/// Lists the surfaces, and brings the files up to date or only compares. `program` is this program, as it was found when
/// it started: a build may have replaced it since.
///
/// # Errors
///
/// When a crate does not compile, or when the toolchain's rustdoc writes JSON that cannot be read.
pub fn run(root: &Path, program: &Path, mode: Mode) -> Result<Vec<Change>> {
    let mut files = Files::new();
    let folder = rustdoc::json(root, program)?;
    for package in PACKAGES {
        let json = folder.join(format!("{}.json", package.replace('-', "_")));
        files.insert(format!("{package}.txt"), listing(package, &json)?);
    }
    let folder = root.join(FOLDER);
    let changes = write::compare(&folder, &files)?;
    if mode == Mode::Write && !changes.is_empty() {
        write::apply(&folder, &changes)?;
    }
    Ok(changes)
}

/// The surface of one package, from rustdoc's JSON, an item a line. Of a derived trait there is the `impl`, since losing
/// one breaks its users, and not the methods that follow from it.
fn listing(package: &str, json: &Path) -> Result<String> {
    let text =
        fs::read_to_string(json).with_context(|| format!("cannot read {}", json.display()))?;
    let format = rustdoc::format(&text)?;
    if !FORMATS.contains(&format) {
        bail!(
            "this toolchain's rustdoc writes its JSON in format {format}; the surface can be read from formats {} to {}. \
             Use {TOOLCHAIN}, or a `public-api` that reads format {format}",
            FORMATS.start(),
            FORMATS.end()
        );
    }
    let items = |omit_derived| -> Result<Vec<String>> {
        let surface = Builder::from_rustdoc_json(json)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(omit_derived)
            .build()
            .with_context(|| format!("the surface of {package} cannot be read"))?;
        Ok(surface.items().map(|item| item.to_string()).collect())
    };
    let written: BTreeSet<_> = items(true)?.into_iter().collect();
    Ok(items(false)?
        .into_iter()
        .filter(|line| written.contains(line) || is_derived(line))
        .map(|line| line + "\n")
        .collect())
}

/// Whether a line names a trait that can be derived for others to use: `StructuralPartialEq` follows from `PartialEq`.
fn is_derived(line: &str) -> bool {
    line.starts_with("impl") && !line.contains("StructuralPartialEq")
}

/// The report of a run.
pub fn report(changes: &[Change], mode: Mode) -> String {
    if changes.is_empty() {
        return "The listings of the public surface are up to date.\n".to_owned();
    }
    let mut text: String = changes
        .iter()
        .map(|change| write::diff(change) + "\n")
        .collect();
    match mode {
        Mode::Write => text.push_str("Written. Read them as those who depend on us would.\n"),
        Mode::Check => text.push_str(&format!(
            "The public surface differs from the listings; run `{COMMAND}`.\n"
        )),
    }
    text
}
