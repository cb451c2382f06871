//! Running the tests with snapshots, and removing orphans.

use std::fs;

use tempfile::TempDir;
use xtask::codegen::Mode;
use xtask::log::Log;
use xtask::snapshots::outcome::failures;
use xtask::snapshots::{self, Outcome};

#[test]
fn failed_tests_are_read_with_what_they_said() {
    let stdout = "\
running 3 tests
test a ... ok
test b::c ... FAILED
test d ... FAILED

failures:

---- b::c stdout ----

the first line
the second
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

---- d stdout ----
thread 'd' panicked

failures:
    b::c
    d

test result: FAILED. 1 passed; 2 failed
";
    let found: Vec<_> = failures(stdout)
        .into_iter()
        .map(|failure| (failure.test, failure.message))
        .collect();
    let want = [
        ("b::c", "the first line\nthe second"),
        ("d", "thread 'd' panicked"),
    ];
    let want = want.map(|(test, message)| (test.to_owned(), message.to_owned()));
    assert_eq!(found, want);
}

/// A workspace with one package that writes down which snapshots it asked for and which differ, as insta does.
fn workspace(test: &str) -> TempDir {
    let root = TempDir::new().expect("a temporary folder");
    let package = root.path().join("tests");
    fs::create_dir_all(package.join("src")).expect("made");
    fs::create_dir_all(package.join("snapshots")).expect("made");
    let write = |path: &str, text: &str| fs::write(root.path().join(path), text).expect("written");
    write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"tests\"]\nresolver = \"3\"\n",
    );
    write(
        "tests/Cargo.toml",
        "[package]\nname = \"held\"\nedition = \"2024\"\n[features]\ninsta = []\n",
    );
    write("tests/src/lib.rs", test);
    for name in ["kept", "orphan"] {
        write(&format!("tests/snapshots/{name}.snap"), name);
    }
    write("tests/snapshots/kept.snap.new", "kept?");
    write("tests/other.snap", "in no folder of snapshots");
    root
}

const PASSES: &str = r#"
#[test]
fn held() {
    let asked = std::env::var("INSTA_SNAPSHOT_REFERENCES_FILE").unwrap();
    std::fs::write(asked, "tests/snapshots/kept.snap\n").unwrap();
    if let Ok(pending) = std::env::var("INSTA_PENDING_DIR") {
        let folder = std::path::Path::new(&pending).join("tests/snapshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("kept.snap.new"), "new").unwrap();
    }
}
"#;

fn run(root: &TempDir, mode: Mode) -> Outcome {
    let mut screen = Vec::new();
    let mut log = Log::without_file(&mut screen);
    snapshots::run(root.path(), mode, &mut log).expect("it runs")
}

fn left(root: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(root.path().join("tests/snapshots")).expect("listed");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_check_tells_and_removes_nothing() {
    let root = workspace(PASSES);
    let outcome = run(&root, Mode::Check);
    let want = Outcome {
        differing: vec!["tests/snapshots/kept.snap".to_owned()],
        orphans: vec!["tests/snapshots/orphan.snap".to_owned()],
        ..Outcome::default()
    };
    assert_eq!(outcome, want);
    assert_eq!(left(&root), ["kept.snap", "kept.snap.new", "orphan.snap"]);
}

#[test]
fn orphans_go_when_every_test_passed() {
    let root = workspace(PASSES);
    let outcome = run(&root, Mode::Write);
    assert_eq!(outcome.orphans, ["tests/snapshots/orphan.snap"]);
    assert_eq!(left(&root), ["kept.snap"]);
    assert!(root.path().join("tests/other.snap").exists());
}

#[test]
fn orphans_stay_when_a_test_failed() {
    let root = workspace("#[test] fn held() { panic!(\"no\") }");
    let outcome = run(&root, Mode::Write);
    assert_eq!(outcome.failures.len(), 1);
    assert_eq!(outcome.orphans, [""; 0]);
    assert!(left(&root).contains(&"orphan.snap".to_owned()));
}

#[test]
fn code_that_does_not_compile_is_told_as_such() {
    let root = workspace("fn broken() -> u8 { \"\" }");
    let outcome = run(&root, Mode::Check);
    let said = outcome.unbuilt.expect("what the compiler said");
    assert!(said.contains("mismatched types"), "{said}");
}
