//! `cargo xtask diff` as a command: versions, exit codes and errors.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use xtask::codegen::SPEC;
use xtask::exit::Exit;

use crate::workspace::source;

/// A repository with the spec on its main branch.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self::without_git();
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.commit("first");
        repository
    }

    fn without_git() -> Self {
        let repository = Self(TempDir::new().expect("a temporary folder"));
        fs::create_dir(repository.path().join("openapi")).expect("made");
        repository.write(&source());
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, text: &str) {
        fs::write(self.path().join(SPEC), text).expect("written");
    }

    /// Puts one text in the place of another.
    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path().join(SPEC)).expect("read");
        assert!(text.contains(from), "the spec has no {from}");
        self.write(&text.replacen(from, to, 1));
    }

    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args([
                "-c",
                "user.name=Tester",
                "-c",
                "user.email=tester@example.com",
            ])
            .args(arguments)
            .env_remove("GIT_DIR")
            .status()
            .expect("git runs");
        assert!(done.success(), "git {arguments:?}");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--no-gpg-sign", "--message", message]);
    }

    fn diff(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("--root")
            .arg(self.path())
            .args(["spec", "diff"])
            .args(arguments)
            .current_dir(self.path())
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.path().parent().expect("a parent"),
            )
            .output()
            .expect("the xtask runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code(), text(stdout), text(stderr))
    }

    /// The end, and the last line of what was printed.
    fn ends(&self, arguments: &[&str], exit: Exit, last: &str) {
        let (code, out, err) = self.diff(arguments);
        assert_eq!(code, Some(exit as i32), "{arguments:?}: {out}{err}");
        let printed = format!("{out}{err}");
        let printed = printed.lines().last().unwrap_or_default();
        assert!(printed.contains(last), "{arguments:?}: {printed}");
    }
}

const TITLE: &str = "title: Kling 3 Omni";

#[test]
fn left_out_versions_are_the_merge_base_and_the_work_tree() {
    let here = Repository::new();
    here.ends(&[], Exit::Done, "mean the same.");
    here.edit(TITLE, "title: Kling 4 Omni");
    here.ends(&[], Exit::Done, "1 info between");
    here.git(&["checkout", "--quiet", "-b", "work"]);
    here.commit("second");
    here.ends(&[], Exit::Done, "1 info between");
    here.ends(&["HEAD"], Exit::Done, "mean the same.");
    here.ends(
        &["HEAD~1", "HEAD"],
        Exit::Done,
        "1 info between HEAD~1:openapi",
    );
    // Commits that the main branch gained since are not compared.
    here.git(&["checkout", "--quiet", "main"]);
    here.edit("https://api.magnific.com", "https://api.example.com");
    here.commit("third");
    here.git(&["checkout", "--quiet", "work"]);
    here.ends(&[], Exit::Done, "1 info between");
    here.ends(
        &["main"],
        Exit::Findings,
        "1 error, 2 infos between main:openapi",
    );
}

#[test]
fn files_need_no_repository() {
    let here = Repository::without_git();
    let other = here.path().join("other.yaml");
    fs::write(&other, source().replacen("maxLength: ", "maxLength: 1", 1)).expect("written");
    here.ends(
        &["other.yaml", SPEC],
        Exit::Findings,
        "1 error between other.yaml and openapi/",
    );
    here.ends(&[SPEC, "other.yaml"], Exit::Done, "1 info between");
    here.ends(&["other.yaml"], Exit::Findings, "1 error");
}

#[test]
fn the_end_follows_the_severity_that_fails() {
    let here = Repository::new();
    here.edit(TITLE, "title: Kling 4 Omni");
    here.ends(&["--fail-on", "info"], Exit::Findings, "1 info");
    here.ends(&["--fail-on", "warning"], Exit::Done, "1 info");
    here.edit("operationId: getVideoTask", "operationId: readVideoTask");
    here.ends(
        &["--fail-on", "warning"],
        Exit::Findings,
        "1 warning, 1 info",
    );
    here.ends(&["--fail-on", "error"], Exit::Done, "1 warning, 1 info");
    here.edit("https://api.magnific.com", "https://api.example.com");
    here.ends(&[], Exit::Findings, "1 error");
    here.ends(&["--fail-on", "never"], Exit::Done, "1 error");
    here.ends(&["--fail-on", "sometimes"], Exit::Usage, "--help");
}

#[test]
fn each_fault_is_named() {
    let bare = Repository::without_git();
    bare.ends(
        &[],
        Exit::Crashed,
        "is not in a git repository; name the document to compare with",
    );
    bare.ends(&["v1"], Exit::Crashed, "there is no file v1");
    bare.ends(&["openapi"], Exit::Crashed, "openapi is a folder");

    let here = Repository::new();
    here.ends(
        &["v1"],
        Exit::Crashed,
        "v1 is neither a file nor a revision of this repository",
    );
    here.ends(
        &["--", "--help"],
        Exit::Crashed,
        "--help is neither a file nor a revision",
    );
    here.git(&["rm", "--quiet", "--cached", SPEC]);
    fs::write(here.path().join("note"), "").expect("written");
    here.git(&["add", "note"]);
    here.git(&["commit", "--quiet", "--no-gpg-sign", "--message", "without"]);
    here.ends(
        &["HEAD"],
        Exit::Crashed,
        "there is no openapi/kling-v3-omni.yaml at HEAD",
    );
    here.git(&["branch", "--quiet", "--move", "main", "trunk"]);
    here.ends(&[], Exit::Crashed, "there is no branch origin/main or main");
    here.write("openapi: [");
    here.ends(&["HEAD~1"], Exit::Crashed, SPEC);
    fs::remove_file(here.path().join(SPEC)).expect("removed");
    here.ends(
        &["HEAD~1"],
        Exit::Crashed,
        "openapi/kling-v3-omni.yaml: cannot read it",
    );
}

#[test]
fn places_are_lines_of_the_files() {
    let here = Repository::new();
    here.edit(TITLE, "# A line more.\n  title: Kling 4 Omni");
    let (_, text, _) = here.diff(&["HEAD"]);
    let line = |text: &str| {
        text.lines()
            .position(|line| line.contains("title: Kling"))
            .map(|at| at + 1)
    };
    let old = line(&source()).expect("the title");
    let wanted = format!("at {SPEC}:{}, was at HEAD:{SPEC}:{old}", old + 1);
    assert!(text.contains(&wanted), "{text}");
    let (_, text, _) = here.diff(&["HEAD", "--format", "github"]);
    let wanted = format!(
        "::notice file={SPEC},line={},title=api-title-changed::",
        old + 1
    );
    assert!(text.starts_with(&wanted), "{text}");
}

#[test]
fn an_unknown_id_is_wrong_usage() {
    let run = |id: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(["explain", id])
            .output()
            .expect("the xtask runs")
            .status
            .code()
    };
    assert_eq!(run("unclassified"), Some(Exit::Done as i32));
    assert_eq!(run("unclasified"), Some(Exit::Usage as i32));
}

#[test]
fn a_fault_of_the_document_says_what_to_do_next() {
    let here = Repository::new();
    let latin = |text: String| {
        let bytes = text
            .replacen("title: Kling", "title: \u{1}Kling", 1)
            .into_bytes();
        let to_latin = |byte| if byte == 1 { 0xe9 } else { byte };
        bytes.into_iter().map(to_latin).collect::<Vec<u8>>()
    };
    fs::write(here.path().join(SPEC), latin(source())).expect("written");
    let byte = "byte 0xE9 is not UTF-8; convert the file, as with `iconv";
    here.ends(&[], Exit::Crashed, byte);
    let (_, _, told) = here.diff(&[]);
    assert!(
        told.starts_with("error: openapi/kling-v3-omni.yaml:"),
        "{told}"
    );
    here.commit("Latin-1");
    let (_, _, told) = here.diff(&["HEAD", "HEAD~1"]);
    assert!(
        told.starts_with("error: HEAD:openapi/kling-v3-omni.yaml:"),
        "{told}"
    );
    assert!(told.contains(byte), "{told}");

    here.write(&source());
    here.edit("CREATED, IN_PROGRESS, ", "CREATED, IN_PROGRESS, zz, ");
    let (code, out, err) = here.diff(&["HEAD~1"]);
    assert_eq!(code, Some(Exit::Findings as i32), "{err}");
    assert!(out.contains("enum-varnames-mispaired"), "{out}");
    assert!(out.contains("; add a name for "), "{out}");
    assert!(!out.contains("unclassified"), "{out}");
}
