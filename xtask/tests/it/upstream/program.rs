//! `cargo xtask upstream` as a command.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;
use xtask::codegen::SPEC;
use xtask::exit::Exit;
use xtask::spec::upstream::ACCEPTED;

use super::server::Server;
use crate::workspace::snapshot;

/// A workspace with a spec, and a vendor's document beside it.
struct Place(TempDir);

impl Place {
    fn new(accepted: &str) -> Self {
        let place = Self(TempDir::new().expect("a temporary folder"));
        fs::create_dir(place.0.path().join("openapi")).expect("made");
        place.write(SPEC, include_str!("ours.yaml"));
        place.write(ACCEPTED, accepted);
        place.write("vendor.yaml", include_str!("vendor.yaml"));
        place.write("same.yaml", include_str!("ours.yaml"));
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["spec", "upstream"])
            .args(arguments)
            .args([PathBuf::from("--root"), self.0.path().to_owned()])
            .current_dir(self.0.path())
            .output()
            .expect("the xtask runs")
    }
}

const MISSING: &str = "accepted:\n- {id: upstream-operation-missing, ours: /paths/~1v1~1clips~1reel-pro~1remix/post, reason: known, date: 2026-01-02}\n";

#[test]
fn each_end_has_its_code() {
    let unclear = "accepted: [{id: upstream-operations-missing}]";
    let cases: [(&str, &[&str], Exit); 11] = [
        ("", &["vendor.yaml"], Exit::Findings),
        ("", &["vendor.yaml", "--fail-on", "never"], Exit::Done),
        (
            MISSING,
            &["vendor.yaml", "--fail-on", "info"],
            Exit::Findings,
        ),
        ("", &["same.yaml", "--fail-on", "info"], Exit::Done),
        (MISSING, &["same.yaml"], Exit::Done),
        (
            MISSING,
            &["same.yaml", "--fail-on", "warning"],
            Exit::Findings,
        ),
        (unclear, &["vendor.yaml"], Exit::NeedsHuman),
        ("", &["nothing.yaml"], Exit::Unavailable),
        ("", &[ACCEPTED], Exit::Unavailable),
        ("", &["http://127.0.0.1:1/"], Exit::Unavailable),
        ("", &[], Exit::Usage),
    ];
    for (accepted, arguments, exit) in cases {
        let output = Place::new(accepted).run(arguments);
        let code = output.status.code();
        assert_eq!(code, Some(exit as i32), "{arguments:?}: {output:?}");
        // Everything but the report goes to standard error: a script can keep the report in a file.
        let is_report = matches!(exit, Exit::Done | Exit::Findings);
        assert_eq!(output.stdout.is_empty(), !is_report, "{output:?}");
        assert_eq!(output.stderr.is_empty(), is_report, "{output:?}");
    }
}

#[test]
fn the_report_reads_well() {
    let place = Place::new(MISSING);
    for format in ["text", "markdown", "json", "github"] {
        let output = place.run(&["vendor.yaml", "--format", format]);
        let text = String::from_utf8(output.stdout).expect("text");
        snapshot(&format!("upstream.{format}"), &text);
    }
    let output = place.run(&["vendor.yaml"]);
    assert!(output.stderr.is_empty(), "{output:?}");
    let agreed = Place::new("").run(&["same.yaml"]);
    let text = String::from_utf8(agreed.stdout).expect("text");
    assert_eq!(
        text,
        "openapi/kling-v3-omni.yaml and same.yaml say the same about the operations of ours.\n"
    );
}

#[test]
fn a_url_gives_the_same_report_as_a_file() {
    let place = Place::new("");
    let server = Server::with(
        "200 OK",
        "application/json",
        include_str!("vendor-3.1.json"),
    );
    let url = server.url("/openapi.json");
    let from_url = place.run(&[&url, "--format", "markdown"]);
    let from_file = place.run(&["vendor.yaml", "--format", "markdown"]);
    let told = |output: &Output| String::from_utf8(output.stdout.clone()).expect("text");
    let shown = url.replace("://", ":<!-- -->//");
    assert_eq!(
        told(&from_url).replace(&shown, "vendor.yaml"),
        told(&from_file)
    );
}

#[test]
fn a_malformed_entry_is_told_with_its_line_and_what_was_meant() {
    let output = Place::new(
        "accepted:\n- {id: upstream-operations-missing, ours: /paths/**, reason: x, date: 2026-01-02}\n",
    );
    let output = output.run(&["vendor.yaml"]);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        text,
        "error: openapi/accepted.yaml:2: there is no rule `upstream-operations-missing`; did you mean \
         `upstream-operation-missing`?\nNothing was compared; correct openapi/accepted.yaml.\n"
    );
}
