use std::path::Path;

use kling_omni::raw::limits::video_reference_request::FIELDS;

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
fn the_schema_has_every_field_of_the_spec() {
    let ended = program("schema").run().expect(0);
    let schema: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    for field in FIELDS {
        assert!(
            properties.contains_key(field.name),
            "{} is missing",
            field.name
        );
    }
    assert!(properties.contains_key("tier"));
    assert_eq!(properties.len(), FIELDS.len() + 1);
}

#[test]
fn the_help_of_a_field_has_its_limits() {
    let help = program("generate --help").run().expect(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for field in FIELDS {
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

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = program("completions").arg(shell).run().expect(0);
        for word in ["generate", "aspect-ratio", "no-wait"] {
            assert!(ended.stdout.contains(word), "no {word} for {shell}");
        }
    }
}
