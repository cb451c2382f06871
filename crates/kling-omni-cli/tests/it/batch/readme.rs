//! Checks the batch in the README of the workspace, which is missing in a package.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::Program;

#[test]
fn transcript_has_what_the_command_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Ok(readme) = fs::read_to_string(root.join("README.md")) else {
        return;
    };
    let run = "cargo run --bin kling-omni -- ";
    let line = readme
        .lines()
        .find_map(|line| line.strip_prefix(run)?.strip_prefix("batch run "))
        .expect("the README runs a batch");
    let (_, rest) = readme
        .split_once("```text\nsandbox: ")
        .expect("the README has its transcript");
    let (transcript, _) = rest.split_once("```").expect("the transcript ends");
    let transcript = format!("sandbox: {transcript}");

    let folder = tempfile::tempdir().unwrap();
    let (manifest, options) = line.split_once(' ').unwrap();
    let manifest = root.join(manifest);
    let program = Program::new(folder.path(), "batch run").arg(manifest.to_str().unwrap());
    let program = options.split(' ').fold(program, Program::arg);
    let ended = program.run().expect(0);
    let printed = format!("{}{}", ended.stderr, ended.stdout);
    // Tasks run side by side, so only the order differs from run to run.
    assert_eq!(shape(&printed), shape(&transcript), "{ended}");
    for line in ended.stdout.lines() {
        assert!(folder.path().join(line).is_file(), "{line}");
    }
}

/// The lines without ids, times and sizes.
fn shape(text: &str) -> BTreeSet<String> {
    let varies = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    let line = |line: &str| {
        let words = line
            .split(' ')
            .map(|word| if varies(word) { "…" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect()
}
