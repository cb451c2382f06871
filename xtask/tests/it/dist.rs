//! `cargo xtask dist`: the archive, the licences and the SBOM.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;
use xtask::dist::{Component, Entry, checksum, sbom, third_party_licences, write};

use crate::workspace::root;

const TIME: u64 = 1_790_000_000;

fn component(name: &str, version: &str, folder: &Path) -> Component {
    Component {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: Some("MIT OR Apache-2.0".to_owned()),
        repository: None,
        folder: folder.to_owned(),
        is_third_party: true,
        dependencies: BTreeSet::new(),
    }
}

#[test]
fn archive_depends_on_its_content_alone() {
    let program = || Entry::program("kling-omni", b"ELF".to_vec());
    let page = || Entry::file("man/kling-omni.1", b".TH".to_vec());
    let one = write("kling-omni-1.0.0-target", vec![program(), page()], TIME).expect("an archive");
    let other =
        write("kling-omni-1.0.0-target", vec![page(), program()], TIME).expect("an archive");
    assert_eq!(checksum(&one), checksum(&other));

    let mut archive = tar::Archive::new(GzDecoder::new(&*one));
    let entries = archive.entries().expect("entries").map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("text");
        let header = entry.header();
        assert_eq!(header.mtime().unwrap(), TIME);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
        let path = entry.path().expect("a path").display().to_string();
        (path, entry.header().mode().unwrap(), content)
    });
    let expected = [
        ("kling-omni-1.0.0-target/kling-omni", 0o755, "ELF"),
        ("kling-omni-1.0.0-target/man/kling-omni.1", 0o644, ".TH"),
    ];
    let expected = expected.map(|(path, mode, text)| (path.to_owned(), mode, text.to_owned()));
    assert_eq!(entries.collect::<Vec<_>>(), expected);
}

/// The folder is given as it is on the command line, and cargo is one that only notes how it was called.
#[cfg(unix)]
#[test]
fn build_has_no_relative_path() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().expect("a folder");
    let cargo = folder.path().join("cargo");
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" > args\nprintf '%s' \"$CARGO_ENCODED_RUSTFLAGS\" > flags\nexit 1\n";
    let script = script.replace("> ", &format!("> {}/", folder.path().display()));
    fs::write(&cargo, script).expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a program");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["dist", "--out", "archives"])
        .current_dir(folder.path())
        .env("CARGO", &cargo)
        .output()
        .expect("xtask runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cannot be built"), "{error}");

    let current = folder.path().canonicalize().expect("a path");
    let build = current.join("archives/build").display().to_string();
    let read = |name| fs::read_to_string(folder.path().join(name)).expect("cargo was called");
    assert!(read("args").lines().any(|arg| arg == build), "{build}");
    let remapped = format!("--remap-path-prefix={build}=/target");
    assert_eq!(read("flags").split('\u{1f}').next_back(), Some(&*remapped));
}

/// A tag of an action can be moved by its owner.
#[test]
fn release_pins_its_actions_and_compares_the_tag() {
    let workflow = root().join(".github/workflows/release.yml");
    let workflow = fs::read_to_string(workflow).expect("the workflow");
    let actions = workflow
        .lines()
        .filter_map(|line| line.split_once("uses: "));
    let actions: Vec<_> = actions.map(|(_, action)| action).collect();
    assert!(actions.len() > 3, "{actions:?}");
    for action in actions {
        let pinned = action
            .split_once('@')
            .and_then(|(_, at)| at.split_once(" # v"));
        let is_commit =
            |at: &str| at.len() == 40 && at.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(pinned.is_some_and(|(at, _)| is_commit(at)), "{action}");
    }
    assert!(workflow.contains("kling-omni-${GITHUB_REF_NAME#v}-${{ matrix.target }}.tar.gz"));
}

#[test]
fn licence_text_is_listed_once_with_its_packages() {
    let folder = TempDir::new().expect("a folder");
    let mut components = Vec::new();
    for (name, files) in [
        ("alpha", &[("LICENSE-MIT", "Permission is granted")][..]),
        (
            "beta",
            &[
                ("license-mit.txt", "Permission is granted\r\n"),
                ("NOTICE", "By Beta"),
                ("README.md", "no licence"),
            ],
        ),
    ] {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        for (file, text) in files {
            fs::write(folder.join(file), text).expect("a file");
        }
        components.push(component(name, "1.2.3", &folder));
    }
    let page = third_party_licences(&components).expect("a page");
    assert_eq!(page.matches("Permission is granted").count(), 1, "{page}");
    assert!(
        page.contains("\nalpha 1.2.3, beta 1.2.3\n\nPermission"),
        "{page}"
    );
    assert!(page.contains("\nbeta 1.2.3\n\nBy Beta\n"), "{page}");
    assert!(page.contains("alpha 1.2.3: MIT OR Apache-2.0 ("), "{page}");
    assert!(!page.contains("no licence"), "{page}");

    components[0].licence = None;
    let page = third_party_licences(&components).expect("a page");
    assert!(page.contains("alpha 1.2.3: see its text ("), "{page}");
    fs::remove_file(folder.path().join("alpha/LICENSE-MIT")).expect("the file");
    components[0].licence = Some("MIT".to_owned());
    let page = third_party_licences(&components).expect("a page");
    let line = "alpha 1.2.3: MIT, which its package has no text of (";
    assert!(page.contains(line), "{page}");
    components[0].licence = None;
    let error = third_party_licences(&components).expect_err("no licence");
    assert_eq!(
        error.to_string(),
        "alpha 1.2.3 names no licence and has no text of one"
    );
}

#[test]
fn sbom_has_each_component_and_its_dependencies() {
    let folder = Path::new(".");
    let mut program = component("program", "0.1.0", folder);
    program
        .dependencies
        .insert(("library".to_owned(), "1.0.0+build".to_owned()));
    let components = [component("library", "1.0.0+build", folder), program];
    let document: Value =
        serde_json::from_slice(&sbom(&components, "program", TIME).expect("an SBOM"))
            .expect("JSON");
    assert_eq!(
        document["metadata"]["component"]["purl"],
        "pkg:cargo/program@0.1.0"
    );
    assert_eq!(document["metadata"]["timestamp"], "2026-09-21T14:13:20Z");
    assert_eq!(document["components"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        document["components"][0]["purl"],
        "pkg:cargo/library@1.0.0%2Bbuild"
    );
    assert_eq!(
        document["components"][0]["licenses"][0]["expression"],
        "MIT OR Apache-2.0"
    );
    let graph = &document["dependencies"][1];
    assert_eq!(graph["ref"], "pkg:cargo/program@0.1.0");
    assert_eq!(graph["dependsOn"][0], "pkg:cargo/library@1.0.0%2Bbuild");
    assert!(sbom(&components, "other", TIME).is_err());
}
