//! The lint before code generation, one edit of the document for each finding.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use openapi_codegen::finding::Finding;
use openapi_codegen::rules::RULES;
use openapi_codegen::{accept, lint};
use openapi_diff::tree::Node;
use serde::Deserialize;

use crate::document::{edited, generate, source, spec, yaml};

/// Shorthands for places of the real spec.
const V1: &str = "/paths/~1v1~1ai~1video~1kling-v3-omni-pro~1video-reference/post";
const R1: &str = "/paths/~1v1~1ai~1reference-to-video~1kling-v3-omni-pro/post";
const R2: &str = "/paths/~1v1~1ai~1reference-to-video~1kling-v3-omni-std/post";
const READ: &str = "/paths/~1v1~1ai~1reference-to-video~1kling-v3-omni~1{task-id}/get";
const LIST: &str = "/paths/~1v1~1ai~1reference-to-video~1kling-v3-omni/get";

#[derive(Deserialize)]
struct Case {
    edit: IndexMap<String, Node>,
    find: Vec<String>,
}

fn cases() -> Vec<Case> {
    serde_saphyr::from_str(include_str!("lint-cases.yaml")).expect("the table of cases")
}

#[test]
fn the_spec_itself_has_no_findings() {
    assert_eq!(lint(&spec()), []);
}

#[test]
fn each_edit_is_found() {
    let mut wrong = Vec::new();
    for case in cases() {
        let edits = case.edit.iter();
        let spec = edited(edits.map(|(pointer, value)| (expand(pointer), value.clone())));
        let found: BTreeSet<_> = lint(&spec)
            .iter()
            .map(|one| format!("{} {}", one.code, one.pointer))
            .collect();
        let wanted: BTreeSet<_> = case.find.iter().flat_map(|one| places(one)).collect();
        if found != wanted {
            let edit = &case.edit;
            wrong.push(format!("{edit:?}\n  wanted {wanted:?}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_finding_has_a_case() {
    let rules = RULES.iter();
    let kinds: BTreeSet<_> = rules.map(|rule| rule.id.to_owned()).collect();
    let findings = cases().into_iter().flat_map(|case| case.find);
    let mut covered: BTreeSet<_> = findings
        .filter_map(|finding| Some(finding.split_once(' ')?.0.to_owned()))
        .collect();
    // It has tests of its own below, because no tree can hold what is wrong there.
    covered.insert("unreadable".to_owned());
    assert_eq!(kinds, covered);
}

#[test]
fn a_repeated_key_is_refused() {
    let text = source().replacen(
        "    TaskStatus:\n",
        "    TaskStatus:\n      type: string\n",
        1,
    );
    let findings = accept(&text).expect_err("`type` is there twice");
    assert_eq!(codes(&findings), ["unreadable"]);
    assert!(findings[0].message.contains("type"), "{:?}", findings[0]);
    let line = line_of("    TaskStatus:") + 2;
    let place = format!("spec.yaml:{line}:7: unreadable\n");
    let shown = findings[0].describe("spec.yaml");
    assert!(shown.starts_with(&place), "{shown}");
}

#[test]
fn a_text_that_is_no_yaml_is_refused() {
    let findings = accept("openapi: [3.0.3").expect_err("the bracket is open");
    assert_eq!(codes(&findings), ["unreadable"]);
}

#[test]
fn a_document_without_anything_is_refused_and_not_crashed_upon() {
    for text in [
        "",
        "null",
        "[]",
        "3.0.3",
        "{}",
        "openapi: 3.0.3\npaths: 7\ncomponents: []",
    ] {
        let findings = accept(text).expect_err(text);
        assert!(!findings.is_empty(), "{text}");
    }
}

#[test]
fn a_finding_names_the_line() {
    let text = source().replacen("x-open-enum:", "x-open-enums:", 1);
    let findings = accept(&text).expect_err("nothing reads the extension");
    let place = format!("spec.yaml:{}: unknown-extension", line_of("x-open-enum:"));
    let shown = findings[0].describe("spec.yaml");
    assert!(shown.starts_with(&place), "{shown}");
}

/// What lint lets through, the generator must cope with.
#[test]
fn harmless_edits_pass_lint_and_generate() {
    let spec = edited(yaml(&[
        // Nothing leads to it, so nothing is generated from it.
        ("/components/schemas/Unused", "{type: object, allOf: []}"),
        (
            "/components/schemas/TaskDetail/additionalProperties",
            "false",
        ),
        (
            "/components/schemas/TaskDetail/properties/flags",
            "{type: array, nullable: true, items: {type: boolean}}",
        ),
        ("/components/schemas/TaskStatus/x-open-enum", "false"),
        ("/components/schemas/OutputDuration/x-open-enum", "true"),
        (
            "/components/schemas/Camera",
            "{type: object, required: [zoom], properties: {zoom: {type: number}, type: {type: boolean, default: true}}}",
        ),
        (
            "/components/schemas/VideoReferenceRequest/properties/camera",
            "{$ref: '#/components/schemas/Camera'}",
        ),
        (
            "/components/schemas/VideoReferenceRequest/properties/seed",
            "{type: integer, format: int64, minimum: 0, nullable: true}",
        ),
        (
            "/components/schemas/VideoReferenceRequest/properties/cameras",
            "{type: array, minItems: 1, maxItems: 3, items: {$ref: '#/components/schemas/Camera'}}",
        ),
        (
            "/components/schemas/VideoReferenceRequest/properties/frames",
            "{type: array, items: {type: array, items: {$ref: '#/components/schemas/StartFrameUrl'}}}",
        ),
    ]));
    assert_eq!(lint(&spec), []);
    let files = generate(&spec);
    assert!(files["limits/camera.rs"].contains("pub const ZOOM"));
    let limits = files["limits/video_reference_request.rs"].split_whitespace();
    let limits = limits.collect::<Vec<_>>().join(" ");
    for part in [
        "min_items: Some(1), max_items: Some(3), items: Some( &Field { fields: super::camera::FIELDS,",
        "fields: super::camera::FIELDS, ..Field::named(\"camera\")",
        "items: Some( &Field { items: Some( &Field { format: Some(\"uri\"), media:",
    ] {
        assert!(limits.contains(part), "{part} is not in {limits}");
    }
}

/// The status path keeps the tier, the list is the path that creates, and there is no list for the other tier.
#[test]
fn a_second_model_passes_lint_and_generates() {
    let real = spec();
    let operation = |pointer: &str, id: &str, task: &str| {
        let mut node = real.tree.at(pointer).expect(pointer).clone();
        node.set("operationId", id.into());
        let (_, task) = yaml(&[("", task)]).remove(0);
        node.set("x-task", task);
        node
    };
    let mut edits = Vec::new();
    for (tier, name) in [("pro", "Pro"), ("standard", "Standard")] {
        let path = format!("/paths/~1v1~1ai~1video~1kling-v3-lip-sync-{tier}");
        let id = |verb: &str| format!("{verb}LipSync{name}");
        let family = format!("lip-sync-{tier}");
        let create =
            format!("{{creates: lip-sync, route: lip-sync, tier: {tier}, families: [{family}]}}");
        let mut item = Node::map();
        item.set("post", operation(R2, &id("create"), &create));
        if tier == "pro" {
            let task = format!("{{lists: {family}}}");
            item.set("get", operation(LIST, &id("list"), &task));
        }
        edits.push((path.clone(), item));
        let mut item = Node::map();
        let task = format!("{{reads: {family}}}");
        item.set("get", operation(READ, &id("get"), &task));
        edits.push((format!("{path}~1{{task-id}}"), item));
    }
    let spec = edited(edits);
    assert_eq!(lint(&spec), []);
    let files = generate(&spec);
    let words = |file: &str| files[file].split_whitespace().collect::<Vec<_>>().join(" ");
    let tasks = words("tasks.rs");
    for part in [
        "name: \"lip-sync-pro\", title: \"lip-sync (pro)\", families: &[\"lip-sync-pro\"], reads: &[TaskRead::GetLipSyncPro], lists: &[TaskList::ListLipSyncPro], successor: None,",
        "reads: &[TaskRead::GetLipSyncStandard], lists: &[], successor: None,",
        "family: \"lip-sync-standard\", list: None,",
        "Self::CreateLipSyncPro => { client.create_lip_sync_pro().body(body).send().await }",
    ] {
        assert!(tasks.contains(part), "{part} is not in {tasks}");
    }
    let service = words("service.rs");
    for method in ["POST", "GET"] {
        let part = format!("method: \"{method}\", path: \"/v1/ai/video/kling-v3-lip-sync-pro\",");
        assert!(service.contains(&part), "{part} is not in {service}");
    }
}

/// The first line of the real spec that has `text`.
fn line_of(text: &str) -> usize {
    let source = source();
    let before = source.find(text).expect("the text is there");
    source[..before].matches('\n').count() + 1
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

/// The findings that a line of the table stands for.
fn places(finding: &str) -> Vec<String> {
    let spec = spec();
    let (rule, place) = finding.split_once(' ').expect("a rule and a place");
    let mut found = Vec::new();
    if let Some(target) = place.strip_prefix("references to ") {
        let target = format!("#{}", expand(target));
        spec.tree.walk("", &mut |pointer, node| {
            if node.text("$ref") == Some(&target) {
                found.push(format!("{rule} {pointer}/$ref"));
            }
        });
    } else if let Some(target) = place.strip_prefix("operations with ") {
        let target = format!("#{}", expand(target));
        let operations = spec.operations().into_iter();
        let operations = operations.filter(|operation| {
            let mut parameters = operation.parameters().into_iter();
            parameters.any(|(_, node)| node.text("$ref") == Some(&target))
        });
        found.extend(operations.map(|operation| format!("{rule} {}", operation.pointer())));
    } else {
        return vec![expand(finding)];
    }
    assert!(!found.is_empty(), "no {finding}");
    found
}

/// Writes the shorthands of the table out.
fn expand(text: &str) -> String {
    let (finding, pointer) = match text.split_once(' ') {
        Some((finding, pointer)) => (format!("{finding} "), pointer),
        None => (String::new(), text),
    };
    let places = [
        ("V1", V1),
        ("R1", R1),
        ("R2", R2),
        ("LIST", LIST),
        ("S/", "/components/schemas/"),
    ];
    for (short, long) in places {
        if let Some(rest) = pointer.strip_prefix(short) {
            return format!("{finding}{long}{rest}");
        }
    }
    format!("{finding}{pointer}")
}
