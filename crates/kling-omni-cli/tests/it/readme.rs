//! Checks the transcript in the README of the workspace. The file is missing in a package.

use std::fs;
use std::path::Path;

use crate::support::Program;

#[test]
fn transcript_is_reproducible() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let Ok(readme) = fs::read_to_string(path) else {
        return;
    };
    let command = readme
        .lines()
        .find_map(|line| line.strip_prefix("cargo run -p kling-omni-cli -- "))
        .expect("the README runs the program");
    let (_, transcript) = readme.split_once("```text\n").unwrap();
    let (transcript, _) = transcript.split_once("```").unwrap();

    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), "");
    for word in words(command) {
        program = program.arg(&word);
    }
    let ended = program.run().expect(0);
    let printed = format!("{}{}", ended.stderr, ended.stdout);
    assert_eq!(normalize(transcript), normalize(&printed), "{printed}");
    assert!(folder.path().join(ended.stdout.trim_end()).exists());
}

/// Splits a command line into words, which may be in double quotes.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// Replaces ids, times and sizes, which differ from run to run.
fn normalize(text: &str) -> Vec<String> {
    let varies =
        |word: &str| !word.ends_with(".mp4") && word.contains(|c: char| c.is_ascii_digit());
    text.lines()
        .map(|line| {
            let words = line
                .split(' ')
                .map(|word| if varies(word) { "…" } else { word });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}
