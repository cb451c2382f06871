//! The workspace's README says what this program prints. A package has no such file beside it, and nothing to check.

use std::fs;
use std::path::Path;

use crate::support::Program;

#[test]
fn the_transcript_in_the_readme_is_true() {
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
    assert_eq!(shape(transcript), shape(&printed), "{printed}");
    assert!(folder.path().join(ended.stdout.trim_end()).exists());
}

/// The words of a command line, which may be in double quotes.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// A transcript without ids, times and sizes, which differ from run to run.
fn shape(text: &str) -> Vec<String> {
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
