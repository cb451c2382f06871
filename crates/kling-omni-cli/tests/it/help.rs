use std::path::Path;

use kling_omni::raw::limits::video_reference_request::FIELDS;
use serde_json::{Map, Value};

use crate::support::{Program, Snapshots};

fn program(line: &str) -> Program {
    Program::new(Path::new("."), line)
}

#[test]
fn every_command_explains_itself() {
    let mut snapshots = Snapshots::default();
    for command in [
        "",
        "generate",
        "status",
        "wait",
        "download",
        "list",
        "sandbox",
        "schema",
        "completions",
    ] {
        let ended = program(command).arg("--help").run().expect(0);
        assert_eq!(ended.stderr, "");
        let name = if command.is_empty() {
            "kling-omni"
        } else {
            command
        };
        snapshots.check(format!("help-{name}"), &ended.stdout);
    }
}

#[test]
fn without_a_command_there_is_help_and_an_error() {
    let ended = program("").run().expect(2);
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("Usage: kling-omni"));
}

#[test]
fn the_version_is_that_of_the_package() {
    let ended = program("--version").run().expect(0);
    assert_eq!(
        ended.stdout,
        concat!("kling-omni ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn the_schema_has_fields_of_the_spec() {
    let properties = properties();
    for name in properties.keys() {
        let is_of_the_spec = FIELDS.iter().any(|field| field.name == name);
        assert!(is_of_the_spec || name == "tier", "{name} is none");
    }
}

/// A field that the spec gained is offered later; one that is offered shows with its limits.
#[test]
fn the_help_of_a_field_has_its_limits() {
    let help = program("generate --help").run().expect(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let properties = properties();
    for field in FIELDS
        .iter()
        .filter(|field| properties.contains_key(field.name))
    {
        for limit in [
            field
                .max_length
                .map(|most| format!("[at most {most} characters]")),
            field.default.map(|default| format!("[default: {default}]")),
            field.minimum.map(|least| format!("[{least} to ")),
        ]
        .into_iter()
        .flatten()
        {
            assert!(help.contains(&limit), "{}: {limit}", field.name);
        }
    }
}

/// What a request can say, from the schema that the program prints.
fn properties() -> Map<String, Value> {
    let ended = program("schema").run().expect(0);
    let schema: Value = serde_json::from_str(&ended.stdout).expect("the schema is JSON");
    schema["properties"]
        .as_object()
        .expect("properties")
        .clone()
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = program("completions").arg(shell).run().expect(0);
        for word in ["generate", "aspect-ratio", "no-wait"] {
            assert!(ended.stdout.contains(word), "no {word} for {shell}");
        }
    }
}
