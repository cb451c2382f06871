//! The program: its reports, options and exit codes.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::sample::SOURCE;

const ACCEPTED: &str = "accepted:\n- {id: api-removed-with-deprecation, base: '/paths/~1things~1{id}/delete', reason: Announced., date: 2026-01-31}\n";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder"));
        folder.write("old.yaml", SOURCE);
        // A required property more, in what both sides send, and one operation less.
        let (start, rest) = SOURCE.split_once("    delete:\n").expect("an operation");
        let (_, end) = rest.split_once("  /empty:\n").expect("the next path");
        let new = format!("{start}  /empty:\n{end}");
        folder.write("gone.yaml", &new);
        let required = "      required: [a]\n      properties:\n";
        let more = "      required: [a, c]\n      properties:\n        c: {type: string}\n";
        assert!(SOURCE.contains(required));
        folder.write("required.yaml", &SOURCE.replacen(required, more, 1));
        folder.write("latin.yaml", "a: 1\n");
        folder.write("accepted.yaml", ACCEPTED);
        folder.write("malformed.yaml", "accepted:\n- {id: nothing}\n");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_openapi-diff"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

#[test]
fn each_end_has_its_code_and_its_words() {
    let folder = Folder::new();
    let cases: [(&[&str], i32, &str); 15] = [
        (
            &["old.yaml", "old.yaml"],
            0,
            "old.yaml and old.yaml mean the same.\n",
        ),
        (
            &["old.yaml", "gone.yaml"],
            0,
            "api-removed-with-deprecation",
        ),
        (
            &["old.yaml", "gone.yaml", "--fail-on", "warning"],
            1,
            "1 warning",
        ),
        (
            &["old.yaml", "required.yaml"],
            1,
            "new-required-request-property",
        ),
        (
            &["old.yaml", "required.yaml", "--fail-on", "never"],
            0,
            "1 error",
        ),
        (
            &["old.yaml", "required.yaml", "--direction", "response"],
            0,
            "1 info between",
        ),
        (
            &["old.yaml", "required.yaml", "--direction", "request"],
            1,
            "1 error between",
        ),
        (
            &["old.yaml", "required.yaml", "--format", "json"],
            1,
            "\"schema_version\": 1",
        ),
        (
            &["old.yaml", "required.yaml", "--format", "markdown"],
            1,
            "### Errors",
        ),
        (
            &["old.yaml", "required.yaml", "--format", "github"],
            1,
            "::error file=required.yaml,line=",
        ),
        (
            &["old.yaml", "gone.yaml", "--accepted", "accepted.yaml"],
            0,
            "mean the same.",
        ),
        (
            &["old.yaml", "gone.yaml", "--accepted", "malformed.yaml"],
            2,
            "malformed.yaml:2: there is no rule `nothing`",
        ),
        (
            &["old.yaml", "gone.yaml", "--accepted", "none.yaml"],
            2,
            "none.yaml: there is no such file",
        ),
        (
            &["old.yaml", "latin.yaml"],
            2,
            "latin.yaml: no OpenAPI document",
        ),
        (&["old.yaml"], 2, "NEW"),
    ];
    for (arguments, code, words) in cases {
        let (ended, out, err) = folder.run(arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {out}{err}");
        // Everything but the report goes to standard error: a script can keep the report in a file.
        let (told, silent) = if code == 2 {
            (&err, &out)
        } else {
            (&out, &err)
        };
        assert!(told.contains(words), "{arguments:?}: {told}");
        assert_eq!(silent, "", "{arguments:?}");
    }
}

#[test]
fn an_acceptance_without_a_difference_is_reported() {
    let folder = Folder::new();
    let arguments = ["old.yaml", "old.yaml", "--accepted", "accepted.yaml"];
    let (code, out, _) = folder.run(&arguments);
    assert_eq!(code, Some(0));
    assert!(out.contains("acceptance-unused"), "{out}");
}
