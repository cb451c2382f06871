//! What an edit of the document changes in the generated code.

use std::collections::BTreeMap;

use heck::ToSnakeCase as _;
use openapi_codegen::Files;
use openapi_diff::tree::Node;

use crate::document::{self, ORIGIN, edited, spec, yaml};

fn generate(edits: &[(&str, &str)]) -> Files {
    document::generate(&edited(yaml(edits)))
}

/// The changed lines of each changed file: those taken out, then those put in.
fn changed(before: &Files, after: &Files) -> Vec<(String, Vec<String>, Vec<String>)> {
    let mut changed = Vec::new();
    for (path, old) in before {
        let new = &after[path];
        if old != new {
            let lines = |of: &str, other: &str| {
                let other: Vec<_> = other.lines().collect();
                let lines = of.lines().filter(|line| !other.contains(line));
                lines.map(|line| line.trim().to_owned()).collect()
            };
            changed.push((path.clone(), lines(old, new), lines(new, old)));
        }
    }
    changed
}

fn one(path: &str, old: &str, new: &str) -> (String, Vec<String>, Vec<String>) {
    (path.to_owned(), vec![old.to_owned()], vec![new.to_owned()])
}

#[test]
fn a_bound_is_one_line_for_each_field_that_has_it() {
    let before = generate(&[("/components/schemas/Prompt/maxLength", "1111")]);
    let after = generate(&[("/components/schemas/Prompt/maxLength", "2222")]);
    let (old, new) = ("max_length: Some(1111),", "max_length: Some(2222),");
    let changes = changed(&before, &after).into_iter();
    let limits: Vec<_> = changes.map(|(path, _, put_in)| (path, put_in)).collect();
    let spec = spec();
    let uses = spec.schemas().filter_map(|(name, schema)| {
        let mut uses = 0;
        schema.walk("", &mut |_, node| {
            uses += usize::from(node.text("$ref") == Some("#/components/schemas/Prompt"));
        });
        (uses > 0).then(|| (format!("limits/{}.rs", name.to_snake_case()), uses))
    });
    let uses: BTreeMap<_, _> = uses.collect();
    let expected = uses.keys().map(|path| (path.clone(), vec![new.to_owned()]));
    assert_eq!(limits, expected.collect::<Vec<_>>());
    assert!(!limits.is_empty());
    for (path, count) in uses {
        let lines = |files: &Files, line: &str| files[&path].matches(line).count();
        assert_eq!(lines(&before, old) - lines(&after, old), count, "{path}");
        assert_eq!(lines(&after, new), count, "{path}");
    }
}

#[test]
fn a_media_rule_and_a_default_are_one_line_each() {
    let at = "/components/schemas/ReferenceToVideoRequest/properties";
    let fps = format!("{at}/video_url/x-media/framesPerSecond/maximum");
    let scale = format!("{at}/cfg_scale");
    let before = generate(&[(&fps, "61"), (&scale, "{type: number, default: 0.5}")]);
    let after = generate(&[(&fps, "62"), (&scale, "{type: number, default: 0}")]);
    let limits: Vec<_> = changed(&before, &after)
        .into_iter()
        .filter(|(path, _, _)| path.starts_with("limits/"))
        .collect();
    let file = "limits/reference_to_video_request.rs".to_owned();
    let old = [
        "maximum: Some(61.0),",
        "default: Some(Scalar::Number(0.5)),",
    ];
    let new = [
        "maximum: Some(62.0),",
        "default: Some(Scalar::Number(0.0)),",
    ];
    let lines = |lines: [&str; 2]| lines.map(str::to_owned).to_vec();
    assert_eq!(limits, [(file, lines(old), lines(new))]);
}

#[test]
fn a_required_field_changes_its_limit_and_its_type() {
    let before = generate(&[]);
    let after = generate(&[(
        "/components/schemas/VideoReferenceRequest/required",
        "[prompt]",
    )]);
    let files: Vec<_> = changed(&before, &after)
        .into_iter()
        .map(|(path, _, _)| path)
        .collect();
    assert_eq!(
        files,
        [
            "limits/video_reference_request.rs",
            "types/video_reference_request.rs"
        ]
    );
}

/// Each of these would make the generator refuse what the service sends, or send what the caller did not say.
#[test]
fn rules_reach_no_generated_type() {
    let plain = generate(&[]);
    let edits: &[&[(&str, &str)]] = &[
        &[(
            "/components/schemas/TaskDetail/additionalProperties",
            "false",
        )],
        &[(
            "/components/schemas/TaskDetail/properties/task_id/minLength",
            "36",
        )],
        &[(
            "/components/schemas/TaskDetail/properties/generated/nullable",
            "true",
        )],
        &[("/components/schemas/Prompt/maxLength", "10")],
    ];
    for edits in edits {
        for (path, text) in generate(edits) {
            if path.starts_with("types/") || path.starts_with("operations/") {
                assert_eq!(text, plain[&path], "{edits:?} changed {path}");
            }
        }
    }
}

#[test]
fn a_new_value_of_an_enum_is_a_new_variant() {
    let before = generate(&[]);
    let after = generate(&[
        ("/components/schemas/AspectRatio/enum/-", "'7:5'"),
        (
            "/components/schemas/AspectRatio/x-enum-varnames/-",
            "Poster",
        ),
    ]);
    let changed = changed(&before, &after);
    let enums = changed.iter().find(|(path, _, _)| path == "enums.rs");
    let (_, _, put_in) = enums.expect("the enums changed");
    for line in ["/// `7:5`", "Poster,", "Self::Poster => \"7:5\","] {
        assert!(
            put_in.iter().any(|one| one == line),
            "{line} is not in {put_in:#?}"
        );
    }
}

#[test]
fn an_open_enum_takes_any_value_and_a_closed_one_does_not() {
    let files = generate(&[("/components/schemas/TaskStatus/x-open-enum", "false")]);
    assert!(!files["enums.rs"].contains("Unknown(String)"));
    let files = generate(&[("/components/schemas/AspectRatio/x-open-enum", "true")]);
    assert_eq!(files["enums.rs"].matches("Unknown(String)").count(), 2);
    // Nothing is refused of an open enum, so it limits nothing.
    assert!(!files["limits/video_reference_request.rs"].contains("enums::AspectRatio"));
}

#[test]
fn the_hash_stands_in_one_file_and_every_file_names_its_command() {
    let mut spec = spec();
    let before = document::generate(&spec);
    let (old, new) = (spec.sha256.clone(), "0".repeat(64));
    spec.sha256.clone_from(&new);
    let after = document::generate(&spec);
    let (old, new) = (
        format!("// Spec: sha256 {old}"),
        format!("// Spec: sha256 {new}"),
    );
    assert_eq!(changed(&before, &after), [one("mod.rs", &old, &new)]);
    for (path, text) in before.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.contains("@generated") && first.contains(ORIGIN.command),
            "{path}"
        );
        assert!(!text.contains('\r') && text.ends_with('\n'), "{path}");
    }
}

/// rustdoc would compile a block of code without a language, fenced or indented, as a doctest.
#[test]
fn code_in_a_description_is_marked_as_text() {
    let cases = [
        ("One line.", "One line."),
        (
            "Such as:\n\n    POST /v1\n\n      x: 1\n\nThen.",
            "Such as:\n\n```text\nPOST /v1\n\n  x: 1\n```\n\nThen.",
        ),
        (
            "At the end:\n\n    code",
            "At the end:\n\n```text\ncode\n```",
        ),
        // Without an empty line before it, an indented line continues the paragraph.
        ("Words\n    that go on", "Words\n    that go on"),
        (
            "```\ncode\n\n    deep\n```",
            "```text\ncode\n\n    deep\n```",
        ),
        ("```rust\ncode\n```", "```text\ncode\n```"),
        ("```json\n{}\n```\nwords", "```json\n{}\n```\nwords"),
        (
            "* item\n\n    of two paragraphs",
            "* item\n\n    of two paragraphs",
        ),
        ("* item\n\n        code", "* item\n\n```text\ncode\n```"),
    ];
    let fields = cases.iter().enumerate().map(|(index, (text, _))| {
        let mut field = Node::map();
        field.set("type", "string".into());
        field.set("description", (*text).into());
        let pointer = format!("/components/schemas/TaskDetail/properties/described_{index}");
        (pointer, field)
    });
    let files = document::generate(&edited(fields));
    let lines: Vec<_> = files["types/task_detail.rs"].lines().collect();
    for (index, (text, expected)) in cases.iter().enumerate() {
        let field = format!("pub described_{index}:");
        let field = lines
            .iter()
            .position(|line| line.trim().starts_with(&field));
        let before = lines[..field.expect("the field")].iter().rev();
        let docs = before.skip_while(|line| !line.trim().starts_with("///"));
        let docs = docs.map_while(|line| line.trim().strip_prefix("///"));
        let mut docs: Vec<_> = docs
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        docs.reverse();
        assert_eq!(docs.join("\n"), *expected, "{text}");
    }
}
