//! Help texts, the version, and the JSON Schema of requests.

use std::fs;
use std::path::Path;

use kling_omni::request::RequestType;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::{Program, Snapshots};

fn program(line: &str) -> Program {
    Program::new(Path::new("."), line)
}

#[test]
fn every_command_has_help() {
    let mut snapshots = Snapshots::default();
    for command in [
        "",
        "generate",
        "batch",
        "batch check",
        "batch run",
        "batch worker",
        "batch status",
        "batch resume",
        "batch retry",
        "batch pause",
        "batch stop",
        "batch show",
        "batch settle",
        "batch report",
        "batch move",
        "batch doctor",
        "batch metrics",
        "check",
        "status",
        "wait",
        "download",
        "list",
        "doctor",
        "listen",
        "sandbox",
        "schema",
        "completions",
        "man",
    ] {
        let ended = program(command).arg("--help").run().expect(0);
        assert_eq!(ended.stderr, "");
        let name = match command {
            "" => "kling-omni".to_owned(),
            command => command.replace(' ', "-"),
        };
        snapshots.check(format!("help-{name}"), &ended.stdout);
    }
}

#[test]
fn no_command_prints_help_and_fails() {
    let ended = program("").run().expect(2);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("Usage: kling-omni"));
}

#[test]
fn version_is_that_of_the_package() {
    let ended = program("--version").run().expect(0);
    assert_eq!(
        ended.stdout,
        concat!("kling-omni ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn schema_has_the_fields_of_the_document() {
    for RequestType {
        mode, name, limits, ..
    } in RequestType::ALL
    {
        let own = properties(&schema(&format!("schema --mode {mode}")));
        let either = schema("schema");
        assert_eq!(properties(&either["$defs"][name]), own, "{mode}");
        for name in own.keys() {
            let is_in_document = limits[0].iter().any(|field| field.name == name);
            assert!(
                is_in_document || name == "tier",
                "{mode}: the spec has no field {name}"
            );
        }
        let choices = either["anyOf"].to_string();
        assert!(choices.contains(&format!("#/$defs/{name}")), "{choices}");
    }
}

/// Returns the schema that a command prints.
fn schema(line: &str) -> Value {
    let ended = program(line).run().expect(0);
    serde_json::from_str(&ended.stdout).expect("the schema is JSON")
}

/// Returns the properties of a schema.
fn properties(schema: &Value) -> Map<String, Value> {
    schema["properties"]
        .as_object()
        .expect("properties")
        .clone()
}

#[test]
fn manual_has_a_page_for_each_command() {
    let folder = TempDir::new().expect("a folder");
    let pages = folder.path().join("new/man1");
    program("man").arg(pages.to_str().unwrap()).run().expect(0);
    for (page, text) in [
        ("kling-omni.1", "FREEPIK_API_KEY"),
        ("kling-omni-generate.1", "aspect\\-ratio"),
        ("kling-omni-batch-run.1", "in\\-flight"),
    ] {
        let page = fs::read_to_string(pages.join(page)).expect(page);
        assert!(page.contains(text), "{page}");
        assert!(!page.contains('\u{1b}'), "{page}");
    }
    let file = pages.join("kling-omni.1/man1");
    let ended = program("man").arg(file.to_str().unwrap()).run().expect(7);
    assert!(
        ended
            .stderr
            .contains("the manual pages could not be written"),
        "{ended}"
    );
}

#[test]
fn completions_contain_commands_and_options() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = program("completions").arg(shell).run().expect(0);
        for word in ["generate", "aspect-ratio", "no-wait"] {
            assert!(ended.stdout.contains(word), "no {word} for {shell}");
        }
    }
}
