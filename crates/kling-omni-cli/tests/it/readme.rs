//! Checks the picture in the README of the workspace. Both files are missing in a package.

use std::fs;
use std::path::Path;

use crate::support::Program;

#[test]
fn picture_shows_the_command_and_what_it_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Ok(readme) = fs::read_to_string(root.join("README.md")) else {
        return;
    };
    let arguments = readme
        .lines()
        .find_map(|line| line.strip_prefix("cargo run --bin kling-omni -- "))
        .expect("the README runs the program");
    let picture = fs::read_to_string(root.join("docs/generate.svg")).unwrap();
    let (command, frames) = picture.split_once("<g class=\"frame\"").unwrap();
    let (_, last_frame) = frames.rsplit_once("<g class=\"frame\"").unwrap();

    let command = lines(command).join(" ").replace(" \\", "");
    let typed = format!("$ kling-omni {arguments}");
    let update = "`cargo xtask record` draws the picture again";
    assert_eq!(words(&command), words(&typed), "{update}");

    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::new(folder.path(), "");
    for word in words(arguments) {
        program = program.arg(&word);
    }
    let ended = program.run().expect(0);
    let printed = format!("{}{}", ended.stderr, ended.stdout);
    assert!(folder.path().join(ended.stdout.trim_end()).exists());
    // On a terminal, a line of progress takes the place of the lines about the status.
    let mut rest = normalize(&printed).into_iter();
    for line in normalize(&lines(last_frame).join("\n")) {
        assert!(
            rest.any(|printed| printed == line),
            "{line:?} is not in its place in {printed:?}: {update}"
        );
    }
}

/// The lines of text in a part of the picture.
fn lines(svg: &str) -> Vec<String> {
    let texts = svg.lines().filter_map(|line| {
        let (_, text) = line.strip_prefix("<text")?.split_once('>')?;
        text.strip_suffix("</text>")
    });
    texts
        .map(|text| {
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&")
        })
        .collect()
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
