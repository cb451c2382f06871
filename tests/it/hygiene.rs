//! Rules for all files of the workspace.

use std::collections::BTreeSet;
use std::fs;

use kling_omni_test_support::snapshots::contents;
use kling_omni_test_support::{fail_on, sources};
use kling_omni_tests::snapshots::Kind;
use proc_macro2::{TokenStream, TokenTree};

const MOST_LINES_OF_SNAPSHOT: usize = 60;
/// Snapshots that are longer, each for a reason.
const LONG_SNAPSHOTS: &[&str] = &[
    // One line for each code and each form of a value, with the words that describe it.
    "schema/Finding.snap",
    // One line for each property of each kind of finding about a video, with the words that describe it.
    "schema/Saved.snap",
    "schema/Sidecar.snap",
    // Each field with its rules and the words that describe it.
    "schema/TextToVideo.snap",
    "schema/VideoReference.snap",
];

/// The folders of the snapshots that the tests of the crate `kling-omni` compare.
const CLIENT_SNAPSHOTS: [&str; 4] = ["errors", "logs", "names", "wire"];

/// Listings that `cargo xtask surface` keeps: long ones, of which a change shows its own lines.
const SURFACE: &str = "surface";

/// Macros that people put into code which is not ready.
const UNFINISHED: [&str; 3] = ["dbg", "todo", "unimplemented"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Settings that send a package manager to another registry than its public one.
const REGISTRY_SETTINGS: [&str; 6] = [
    "[registries",
    "[registry]",
    "[source",
    "extra-index-url",
    "index-url",
    "replace-with",
];
/// Where tools are set up.
const TOOL_SETTINGS: [&str; 4] = [".cargo/", ".ci/", ".github/", "Cargo.toml"];

#[test]
fn snapshots_are_short_and_in_their_folders() {
    let ours = Kind::ALL.iter().map(|kind| kind.folder());
    let folders: BTreeSet<_> = ours.chain(CLIENT_SNAPSHOTS).collect();
    let mut findings = Vec::new();
    let root = "tests/snapshots/";
    for path in sources::files_below(root) {
        let name = path.strip_prefix(root).unwrap_or(&path);
        let folder = name.split('/').next().unwrap_or_default();
        if folder == SURFACE {
            continue;
        }
        if !folders.contains(folder) {
            findings.push(format!(
                "{path}: there is no kind of snapshots with this folder"
            ));
        }
        // A snapshot that awaits review is not a snapshot yet.
        if path.ends_with(".snap.new") {
            continue;
        }
        if !path.ends_with(".snap") {
            findings.push(format!("{path} is not a snapshot"));
        }
        let lines = contents(&sources::read(&path)).lines().count();
        let is_long = lines > MOST_LINES_OF_SNAPSHOT;
        match (is_long, LONG_SNAPSHOTS.contains(&name)) {
            (true, false) => findings.push(format!(
                "{path}: {lines} lines, {MOST_LINES_OF_SNAPSHOT} are a readable diff"
            )),
            (false, true) => findings.push(format!(
                "{path} is short now: take it out of the list of long ones"
            )),
            _ => {}
        }
    }
    fail_on(findings);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut findings = Vec::new();
    for path in handwritten() {
        let tokens: TokenStream = sources::read(&path)
            .parse()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut found = Vec::new();
        find_macros(tokens, &mut found);
        findings.extend(found.into_iter().map(|name| format!("{path}: {name}!")));
    }
    fail_on(findings);
}

#[test]
fn every_source_file_says_what_is_in_it() {
    fail_on(handwritten().into_iter().filter_map(|path| {
        let text = sources::read(&path);
        let mut lines = text.lines().map(str::trim).filter(|line| {
            let is_attribute = line.starts_with("#!") && !line.starts_with("#![doc");
            !line.is_empty() && !is_attribute
        });
        let first = lines.next().unwrap_or_default();
        let is_said = first.starts_with("//!") || first.starts_with("#![doc");
        (!is_said).then(|| format!("{path}: it does not begin with a `//!` line"))
    }));
}

/// The module `x` is `x.rs`, and what is in it lies in the folder `x`.
#[test]
fn modules_are_named_by_their_files() {
    // A file in the folder of the examples would be an example of its own.
    let is_exempt = |path: &str| path.contains("/examples/");
    let found = handwritten()
        .into_iter()
        .filter(|path| path.ends_with("/mod.rs") && !is_exempt(path));
    fail_on(found.map(|path| format!("{path}: give it the name of the module")));
}

/// Snapshots are compared by one module, which compares all of them before it fails.
#[test]
fn nobody_calls_insta_directly() {
    let packages = ["crates/kling-omni", "tests"];
    let files = packages.map(sources::files_below).into_iter().flatten();
    fail_on(files.filter(|path| {
        path.ends_with(".rs")
            && path != "tests/support/src/snapshots.rs"
            && sources::read(path).contains(concat!("insta", "::assert"))
    }));
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let mut places = vec!["/home/", "/root/", "/Users/", r"C:\Users\"];
    let checkout = sources::root().to_string_lossy();
    // A checkout right below the root of a container may have a name that is everywhere.
    if sources::root().components().count() >= 3 {
        places.push(&checkout);
    }
    let mut findings = Vec::new();
    for path in sources::files_below("") {
        // The rule itself, and files that are not text.
        let Ok(text) = fs::read_to_string(sources::root().join(&path)) else {
            continue;
        };
        if path == "tests/it/hygiene.rs" {
            continue;
        }
        for (line, text) in (1..).zip(text.lines()) {
            if let Some(place) = places.iter().find(|place| text.contains(**place)) {
                findings.push(format!("{path}:{line} names {place}"));
            }
        }
    }
    fail_on(findings);
}

#[test]
fn packages_come_from_public_registries() {
    let mut findings = Vec::new();
    for path in sources::files_below("") {
        let lines = |wanted: fn(&str) -> bool| {
            let text = fs::read_to_string(sources::root().join(&path)).unwrap_or_default();
            let lines: Vec<_> = text
                .lines()
                .filter(|line| wanted(line))
                .map(str::to_owned)
                .collect();
            lines
        };
        let found = if path == "Cargo.lock" {
            lines(|line| line.starts_with("source = ") && !line.contains(CRATES_IO))
        } else if TOOL_SETTINGS.iter().any(|place| path.contains(place)) {
            lines(|line| {
                REGISTRY_SETTINGS
                    .iter()
                    .any(|setting| line.contains(setting))
            })
        } else {
            Vec::new()
        };
        findings.extend(found.into_iter().map(|line| format!("{path}: {line}")));
    }
    fail_on(findings);
}

/// Every Rust file that a person writes.
fn handwritten() -> Vec<String> {
    let files = ["bench", "crates", "fuzz", "tests", "xtask"]
        .into_iter()
        .flat_map(sources::files_below);
    files
        .filter(|path| path.ends_with(".rs") && !path.contains("/src/generated/"))
        .collect()
}

fn find_macros(tokens: TokenStream, found: &mut Vec<String>) {
    let mut before = None;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                find_macros(group.stream(), found);
                before = None;
            }
            TokenTree::Punct(punct) if punct.as_char() == '!' => {
                found.extend(
                    before
                        .take()
                        .filter(|name: &String| UNFINISHED.contains(&name.as_str())),
                );
            }
            TokenTree::Ident(ident) => before = Some(ident.to_string()),
            _ => before = None,
        }
    }
}
