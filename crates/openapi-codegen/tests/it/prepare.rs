//! How the document is prepared for the generator.

use std::collections::BTreeSet;

use openapi_codegen::prepare::{HIDDEN_KEYWORDS, Prepared, prepare};
use openapi_codegen::spec::{Spec, schema_name};
use openapi_diff::tree::Node;

use crate::document::{edited, spec, yaml};

fn prepared(edits: &[(&str, &str)]) -> Prepared {
    prepare(&edited(yaml(edits))).expect("the spec can be prepared")
}

/// What preparation took out is all that there was, by another way of counting; and of what it has to find, something
/// was found.
#[test]
fn what_was_taken_out_is_counted() {
    let spec = spec();
    let prepared = prepare(&spec).expect("the spec can be prepared");
    for keyword in HIDDEN_KEYWORDS {
        let (before, after) = (rules(&spec.tree, keyword), rules(&prepared.tree, keyword));
        assert_eq!(after, 0, "`{keyword}` is still there");
        let is_counted = prepared.counts.contains_key(keyword);
        assert_eq!(is_counted, before > 0, "`{keyword}`, {before} times");
    }
    let operations = spec.operations();
    let callbacks = operations
        .iter()
        .filter(|one| one.node.get("callbacks").is_some());
    assert_eq!(prepared.counts["callbacks"], callbacks.count());
    let errors = operations.iter().map(|one| {
        let responses = one
            .node
            .get("responses")
            .into_iter()
            .flat_map(Node::entries);
        responses
            .filter(|(status, _)| !status.starts_with('2'))
            .count()
    });
    assert_eq!(prepared.counts["error responses"], errors.sum::<usize>());
    for what in [
        "examples",
        "extensions",
        "schemas left out",
        "schemas written in place",
    ] {
        assert!(prepared.counts[what] > 0, "no {what}");
    }
    // A list that is all its response has, such as that of tasks, has to be there.
    let answered = answered(&spec);
    let schemas = spec.schemas().filter(|(name, _)| answered.contains(*name));
    let lists = schemas.flat_map(|(name, schema)| {
        let properties: Vec<_> = schema
            .get("properties")
            .map_or_else(Vec::new, |node| node.entries().collect());
        let is_alone = properties.len() == 1;
        let lists = properties.into_iter().filter(|(_, property)| {
            let property = spec.resolve(property).expect("a schema");
            property.text("type") == Some("array")
        });
        let lists: Vec<_> = lists
            .map(|(key, _)| (name.to_owned(), key.to_owned()))
            .collect();
        if is_alone { Vec::new() } else { lists }
    });
    assert_eq!(prepared.tolerant, lists.collect::<Vec<_>>());
    let generated = ("TaskDetail".to_owned(), "generated".to_owned());
    assert!(prepared.tolerant.contains(&generated));
}

/// The names of the schemas that successful responses lead to.
fn answered(spec: &Spec) -> BTreeSet<String> {
    let mut ahead = Vec::new();
    for operation in spec.operations() {
        let responses = operation
            .node
            .get("responses")
            .expect("responses")
            .entries();
        let successes = responses.filter(|(status, _)| status.starts_with('2'));
        ahead.extend(successes.map(|(_, response)| spec.resolve(response).expect("a response")));
    }
    let mut names = BTreeSet::new();
    while let Some(node) = ahead.pop() {
        node.walk("", &mut |_, value| {
            let name = value.text("$ref").and_then(schema_name);
            if let Some(name) = name.filter(|name| names.insert((*name).to_owned())) {
                let schema = spec.tree.at(&format!("/components/schemas/{name}"));
                ahead.push(schema.expect(name));
            }
        });
    }
    names
}

/// The number of schemas that have a keyword; the values of examples do not count.
fn rules(tree: &Node, keyword: &str) -> usize {
    let mut found = 0;
    tree.walk("", &mut |pointer, node| {
        let is_schema = node.get("type").is_some() && !pointer.contains("/examples/");
        found += usize::from(is_schema && node.get(keyword).is_some());
    });
    found
}

/// An edit of the spec, a place in the prepared document, and what must stand there; `null` for nothing.
struct Case {
    name: &'static str,
    edits: &'static [(&'static str, &'static str)],
    at: &'static str,
    want: &'static str,
}

const V1: &str = "/paths/~1v1~1ai~1video~1kling-v3-omni-pro~1video-reference/post";

const CASES: &[Case] = &[
    Case {
        name: "only the success response stays",
        edits: &[(
            "/components/responses/TaskCreated",
            "{description: Made., headers: {}, content: {application/json: {example: {}, schema: {$ref: '#/components/schemas/TaskResponse'}}}}",
        )],
        at: "V1/responses",
        want: "{2XX: {description: Made., content: {application/json: {schema: {$ref: '#/components/schemas/TaskResponse'}}}}}",
    },
    Case {
        name: "a create takes JSON that is serialised already",
        edits: &[],
        at: "V1/requestBody/content/application~1json/schema",
        want: "{$ref: '#/components/schemas/RequestBody'}",
    },
    Case {
        name: "another request keeps its type",
        edits: &[],
        at: "/paths/~1v1~1ai~1uploads~1request-url/post/requestBody/content/application~1json/schema",
        want: "{$ref: '#/components/schemas/UploadRequest'}",
    },
    Case {
        name: "callbacks go",
        edits: &[],
        at: "V1/callbacks",
        want: "null",
    },
    Case {
        name: "a default goes, and the description keeps it",
        edits: &[(
            "/components/schemas/NegativePrompt",
            "{type: string, default: blur, description: \"What to leave out.\\n\"}",
        )],
        at: "/components/schemas/ReferenceToVideoRequest/properties/negative_prompt",
        want: r#"{type: string, description: "What to leave out.\n\nLeft out, the service takes `blur`."}"#,
    },
    Case {
        name: "a default without a description makes one",
        edits: &[(
            "/components/schemas/Prompt",
            "{type: string, default: hello}",
        )],
        at: "/components/schemas/ReferenceToVideoRequest/properties/prompt",
        want: "{type: string, description: 'Left out, the service takes `hello`.'}",
    },
    Case {
        name: "bounds go",
        edits: &[(
            "/components/schemas/VideoReferenceRequest/properties/cfg_scale",
            "{type: number, minimum: 0, maximum: 2}",
        )],
        at: "/components/schemas/VideoReferenceRequest/properties/cfg_scale",
        want: "{type: number}",
    },
    Case {
        name: "bounds of parameters go",
        edits: &[(
            "/components/parameters/TaskId",
            "{name: task-id, in: path, required: true, schema: {type: string, minLength: 1}, example: a}",
        )],
        at: "/paths/~1v1~1ai~1video~1kling-v3-omni~1{task-id}/get/parameters/0",
        want: "{name: task-id, in: path, required: true, schema: {type: string}}",
    },
    Case {
        name: "a closed object opens",
        edits: &[(
            "/components/schemas/TaskSummary/additionalProperties",
            "false",
        )],
        at: "/components/schemas/TaskSummary/additionalProperties",
        want: "null",
    },
    Case {
        name: "a list in a response becomes optional",
        edits: &[(
            "/components/schemas/TaskDetail/required",
            "[generated, status]",
        )],
        at: "/components/schemas/TaskDetail/required",
        want: "[status]",
    },
    Case {
        name: "a list that is all there is stays required",
        edits: &[("/components/schemas/TaskListResponse/required", "[data]")],
        at: "/components/schemas/TaskListResponse/required",
        want: "[data]",
    },
    Case {
        name: "a requirement without names goes",
        edits: &[("/components/schemas/TaskDetail/required", "[generated]")],
        at: "/components/schemas/TaskDetail/required",
        want: "null",
    },
    Case {
        name: "a list in a request stays required",
        edits: &[
            (
                "/components/schemas/VideoReferenceRequest/properties/prompts",
                "{type: array, items: {$ref: '#/components/schemas/Prompt'}}",
            ),
            (
                "/components/schemas/VideoReferenceRequest/required",
                "[prompts]",
            ),
        ],
        at: "/components/schemas/VideoReferenceRequest/required",
        want: "[prompts]",
    },
    Case {
        name: "a text that is a component is written in place, in lists too",
        edits: &[
            ("/components/schemas/Prompt", "{type: string, maxLength: 9}"),
            (
                "/components/schemas/VideoReferenceRequest/properties/prompts",
                "{type: array, items: {$ref: '#/components/schemas/Prompt'}}",
            ),
        ],
        at: "/components/schemas/VideoReferenceRequest/properties/prompts",
        want: "{type: array, items: {type: string}}",
    },
    Case {
        name: "bounds of lists and of their items go",
        edits: &[(
            "/components/schemas/VideoReferenceRequest/properties/prompts",
            "{type: array, minItems: 1, maxItems: 1, items: {type: string, maxLength: 9}}",
        )],
        at: "/components/schemas/VideoReferenceRequest/properties/prompts",
        want: "{type: array, items: {type: string}}",
    },
    Case {
        name: "the default of a flag goes, and the description keeps it",
        edits: &[(
            "/components/schemas/VideoReferenceRequest/properties/sound",
            "{type: boolean, default: true, description: With sound.}",
        )],
        at: "/components/schemas/VideoReferenceRequest/properties/sound",
        want: r#"{type: boolean, description: "With sound.\n\nLeft out, the service takes `true`."}"#,
    },
    Case {
        name: "an enum keeps its name",
        edits: &[],
        at: "/components/schemas/TaskDetail/properties/status",
        want: "{$ref: '#/components/schemas/TaskStatus'}",
    },
    Case {
        name: "schemas of errors go",
        edits: &[],
        at: "/components/schemas/ErrorMessage",
        want: "null",
    },
    Case {
        name: "extensions go",
        edits: &[],
        at: "/components/schemas/TaskStatus/x-open-enum",
        want: "null",
    },
];

#[test]
fn each_part_is_made_fit() {
    for case in CASES {
        let prepared = prepared(case.edits);
        let found = prepared.tree.at(&case.at.replace("V1", V1)).cloned();
        let want = serde_saphyr::from_str(case.want).expect("YAML");
        assert_eq!(
            found.unwrap_or(openapi_diff::tree::Node::Null),
            want,
            "{}",
            case.name
        );
    }
}
