//! The recipes of CONTRIBUTING.md, followed in a copy of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use xtask::codegen::SPEC;
use xtask::exit::Exit;

use crate::workspace::{SCREEN, root, source};

/// The heading and the first line of the table in CONTRIBUTING.md.
const TABLE: &str = "| change of the document |";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipes {
    waits: Vec<Waits>,
    /// A run for each list: the compiler does not say at once what it finds at different stages.
    stops: Vec<Vec<Stops>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waits {
    recipe: String,
    edits: Vec<Edit>,
    seen: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stops {
    recipe: String,
    edits: Vec<Edit>,
    said: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    at: String,
    #[serde(default)]
    add: String,
    #[serde(default)]
    replace: BTreeMap<String, String>,
    #[serde(default)]
    remove: bool,
}

fn recipes() -> Recipes {
    let text = fs::read_to_string(root().join("xtask/tests/it/recipes.yaml")).expect("the recipes");
    serde_saphyr::from_str(&text).expect("the recipes are YAML")
}

#[test]
fn every_recipe_is_followed_here() {
    let guide = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("CONTRIBUTING.md");
    let table = guide.lines().skip_while(|line| !line.starts_with(TABLE));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let written: BTreeSet<_> = rows
        .filter_map(|row| Some(row.split('|').nth(1)?.trim().to_owned()))
        .collect();
    let Recipes { waits, stops } = recipes();
    let waits = waits.into_iter().map(|waits| waits.recipe);
    let followed: BTreeSet<_> = waits
        .chain(stops.into_iter().flatten().map(|stops| stops.recipe))
        .collect();
    assert_eq!(written, followed, "the table of CONTRIBUTING.md");
}

/// Each edit changes the document as it is now.
#[test]
fn every_edit_finds_its_place() {
    let Recipes { waits, stops } = recipes();
    let source = source();
    let waits = waits.iter().flat_map(|waits| &waits.edits);
    let stops = stops.iter().flatten().flat_map(|stops| &stops.edits);
    for edit in waits.chain(stops) {
        assert_ne!(edit.apply(&source), source, "{}", edit.at);
    }
}

/// As many edits as possible are made at once, since each run builds a part of the workspace.
#[test]
#[ignore = "builds the workspace; `cargo xtask ci recipes` runs it"]
fn each_recipe_ends_as_it_says() {
    let Recipes { waits, stops } = recipes();
    let copy = Copy::new();

    for stops in stops {
        copy.edit(stops.iter().flat_map(|stops| &stops.edits));
        let screen = copy.accept(Exit::NeedsHuman);
        for parts in stops.iter().flat_map(|stops| &stops.said) {
            let mut shown = screen.lines();
            let is_shown = shown.any(|line| parts.iter().all(|part| line.contains(part)));
            assert!(is_shown, "{parts:?}\n{screen}");
        }
        copy.git(&["checkout", "--quiet", "."]);
    }

    copy.edit(waits.iter().flat_map(|waits| &waits.edits));
    let screen = copy.accept(Exit::Done);
    for (file, lines) in waits.iter().flat_map(|waits| &waits.seen) {
        let text = fs::read_to_string(copy.root.join(file)).expect(file);
        for line in lines {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert!(screen.contains(file.as_str()), "{file}\n{screen}");
    }
}

/// A copy of what git tracks, in a place that stays the same, which keeps a second build short.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recipes");
        let copy = Self {
            root: folder.join("workspace"),
        };
        fs::create_dir_all(&copy.root).expect("a folder");
        // Cargo reads this for the copy, and not for the workspaces of its tests.
        fs::create_dir_all(folder.join(".cargo")).expect("a folder");
        fs::write(folder.join(".cargo/config.toml"), build_config()).expect("a file");
        copy.git(&["init", "--quiet"]);
        let files = |root: &Path| {
            let listing = git(
                root,
                &[
                    "ls-files",
                    "-z",
                    "--cached",
                    "--others",
                    "--exclude-standard",
                ],
            );
            let files: BTreeSet<_> = listing.split_terminator('\0').map(str::to_owned).collect();
            files
        };
        let ours = files(&root());
        for gone in files(&copy.root).difference(&ours) {
            let _ = fs::remove_file(copy.root.join(gone));
        }
        for file in &ours {
            let (from, path) = (root().join(file), copy.root.join(file));
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            // A link leads to the document of the copy.
            if let Ok(target) = fs::read_link(&from) {
                let _ = fs::remove_file(&path);
                symlink(&target, &path).expect(file);
                continue;
            }
            // A file that is removed and not committed yet is listed, too.
            let Ok(content) = fs::read(&from) else {
                continue;
            };
            // Cargo builds what was written since the last build.
            if fs::read(&path).is_ok_and(|old| old == content) {
                continue;
            }
            fs::copy(&from, path).expect(file);
        }
        copy.commit();
        copy
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&[
            "-c",
            "user.name=recipes",
            "-c",
            "user.email=recipes@example.com",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "--quiet",
            "--allow-empty",
            "--no-verify",
            "--message=recipes",
        ]);
    }

    fn git(&self, arguments: &[&str]) {
        git(&self.root, arguments);
    }

    fn edit<'a>(&self, edits: impl Iterator<Item = &'a Edit>) {
        let path = self.root.join(SPEC);
        let text = fs::read_to_string(&path).expect("the document");
        let edited = edits.fold(text, |text, edit| edit.apply(&text));
        fs::write(path, edited).expect("the document can be written");
    }

    /// Runs `cargo xtask accept`, and returns what is on the screen.
    fn accept(&self, exit: Exit) -> String {
        let output = Command::new(env!("CARGO"))
            .current_dir(&self.root)
            .args(["xtask", "accept"])
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("INSTA_SNAPSHOT_REFERENCES_FILE")
            .output()
            .expect("cargo runs");
        let [shown, said] =
            [output.stderr, output.stdout].map(|text| String::from_utf8_lossy(&text).into_owned());
        let screen = shown + &said;
        println!("{screen}");
        assert_eq!(output.status.code(), Some(exit as i32), "{screen}");
        assert!(screen.lines().count() <= SCREEN, "more than a screen");
        screen
    }
}

/// Dependencies are those that the workspace has built. The wrapper, which only starts the compiler, makes cargo keep the
/// packages of the copy apart from ours.
fn build_config() -> String {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder of the build");
    format!("[build]\nbuild-dir = {built:?}\nrustc-workspace-wrapper = \"env\"\n")
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("paths are text")
}

impl Edit {
    /// The document after this edit. It is made in the text, as a person makes it.
    fn apply(&self, text: &str) -> String {
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let (head, end) = find(&lines, &self.at);
        let (before, after) = (lines[..head].concat(), lines[end..].concat());
        if self.remove {
            return before + &after;
        }
        let indent = " ".repeat(indent(lines[head]) + 2);
        let added = self.add.lines();
        let added: String = added.map(|line| format!("{indent}{line}\n")).collect();
        let mut inside = lines[head].to_owned() + &added + &lines[head + 1..end].concat();
        for (from, to) in &self.replace {
            assert_eq!(inside.matches(from).count(), 1, "{from} in {}", self.at);
            inside = inside.replace(from, to);
        }
        before + &inside + &after
    }
}

/// The lines of what a JSON pointer leads to: that of its key, and the one behind it.
fn find(lines: &[&str], pointer: &str) -> (usize, usize) {
    let (mut head, mut end) = (0, lines.len());
    for (depth, key) in pointer.split('/').skip(1).enumerate() {
        let key = format!("{}{}:", " ".repeat(2 * depth), key.replace("~1", "/"));
        head = (head..end)
            .find(|index| lines[*index].starts_with(&key))
            .unwrap_or_else(|| panic!("the spec has no {pointer}"));
        end = (head + 1..end)
            .find(|index| !lines[*index].trim().is_empty() && indent(lines[*index]) <= 2 * depth)
            .unwrap_or(end);
    }
    (head, end)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
