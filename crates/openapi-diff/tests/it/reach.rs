//! Which operations a finding affects.

use std::fmt::Write as _;

use openapi_diff::compare::{compare, operations};
use openapi_diff::finding::Finding;
use openapi_diff::tree::Node;

use crate::sample::{base, edited, tree};

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn a_component_used_in_many_places_is_one_finding_that_names_them() {
    let head = edited(&[("/components/parameters/Id/description", "Names the thing.")]);
    let findings = compare(&base(), &head);
    assert_eq!(ids(&findings), ["description-changed"]);
    let all = ["DELETE /things/{id}", "PUT /things/{id}"];
    assert_eq!(findings[0].used_by, all);
    let pointer = "/components/parameters/Id/description".to_owned();
    assert_eq!(
        (&findings[0].base, &findings[0].head),
        (&None, &Some(pointer))
    );
}

#[test]
fn the_body_of_a_callback_is_what_the_service_sends() {
    let head = edited(&[(
        "/components/callbacks/Changed/{$request.body#~1url}/post/requestBody/required",
        "false",
    )]);
    let findings = compare(&base(), &head);
    assert_eq!(ids(&findings), ["response-body-became-optional"]);
    assert_eq!(findings[0].used_by, ["POST /things"]);
}

#[test]
fn fingerprints_survive_moves_and_edits_elsewhere() {
    let bound = (
        "/components/schemas/Delivery/properties/what/maxLength",
        "1",
    );
    let alone = compare(&base(), &edited(&[bound]));
    let mut moved = edited(&[bound, ("/info/version", "9.9.9")]);
    let schemas = moved.at_mut("/components/schemas").expect("schemas");
    let delivery = schemas.remove("Delivery").expect("the delivery");
    schemas.set("Delivery", delivery);
    let moved = compare(&base(), &moved);
    assert_eq!(ids(&alone), ["response-property-max-length-set"]);
    let fingerprints: Vec<_> = moved.iter().map(Finding::fingerprint).collect();
    assert_eq!(fingerprints.len(), 2);
    assert!(fingerprints.contains(&alone[0].fingerprint()));
}

#[test]
fn only_the_chosen_operations_are_compared() {
    let head = edited(&[
        ("/info/version", "9.9.9"),
        ("/components/schemas/Thing/properties/a/maxLength", "1"),
        (
            "/components/responses/Page/headers/x-all/schema/maximum",
            "1",
        ),
        ("/components/schemas/Unused", "{type: string}"),
    ]);
    let only = |method: &str, path: &str| method == "get" && path == "/things";
    let findings = operations(&base(), &head, only);
    assert_eq!(ids(&findings), ["response-header-max-set"]);
    let none = operations(&base(), &tree("{openapi: 3.0.3, paths: {}}"), only);
    assert_eq!(ids(&none), ["api-path-removed-without-deprecation"]);
}

#[test]
fn names_of_components_and_extensions_do_not_count_among_chosen_operations() {
    let text = serde_json::to_string(&base()).expect("JSON");
    let text = text.replace("Choice", "the-choice");
    let mut head: Node = serde_json::from_str(&text).expect("a tree");
    let choice = head.at_mut("/components/schemas/the-choice");
    choice.expect("the choice").remove("x-enum-varnames");
    let only = |method: &str, _: &str| method == "put";
    assert_eq!(operations(&base(), &head, only), []);
}

#[test]
fn references_that_go_round_come_to_an_end() {
    let recursive = |length: u32| {
        tree(&format!(
            "{{openapi: 3.0.3, paths: {{/a: {{get: {{responses: {{'200': {{description: A, content: {{application/json: \
             {{schema: {{$ref: '#/components/schemas/A'}}}}}}}}}}}}}}}}, components: {{schemas: {{\
             A: {{properties: {{b: {{$ref: '#/components/schemas/B'}}}}}}, \
             B: {{maxLength: {length}, items: {{$ref: '#/components/schemas/A'}}}}}}}}}}"
        ))
    };
    let findings = compare(&recursive(1), &recursive(2));
    assert_eq!(ids(&findings), ["response-property-max-length-increased"]);
    let circle = tree(
        "{components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}}",
    );
    assert_eq!(compare(&circle, &circle), []);
    let findings = compare(&tree("{components: {schemas: {A: {}, B: {}}}}"), &circle);
    assert_eq!(ids(&findings), ["reference-broken", "reference-broken"]);
}

#[test]
fn long_chains_of_references_take_no_stack() {
    let chain = |last: &str| {
        let mut text = "paths: {/a: {get: {responses: {'200': {description: A, content: {application/json: {schema: {$ref: '#/components/schemas/S0'}}}}}}}}\ncomponents:\n  schemas:\n".to_owned();
        for index in 0..3000 {
            let next = index + 1;
            let _ = writeln!(
                text,
                "    S{index}: {{properties: {{next: {{$ref: '#/components/schemas/S{next}'}}}}}}"
            );
        }
        let _ = writeln!(text, "    S3000: {{{last}}}");
        tree(&text)
    };
    let findings = compare(&chain("maxLength: 1"), &chain("maxLength: 2"));
    assert_eq!(ids(&findings), ["response-property-max-length-increased"]);
}

#[test]
fn what_nests_too_deeply_is_a_finding() {
    let nested = |depth: usize| {
        let mut schema = tree("{type: string}");
        for _ in 0..depth {
            let mut outer = Node::map();
            outer.set("items", schema);
            schema = outer;
        }
        let mut document = tree("{components: {schemas: {}}}");
        let schemas = document.at_mut("/components/schemas").expect("schemas");
        schemas.set("Deep", schema);
        document
    };
    let findings = compare(&nested(60), &nested(200));
    assert_eq!(ids(&findings), ["nested-too-deeply"]);
    assert!(findings[0].base.is_none() && findings[0].head.is_some());
    let findings = compare(&nested(60), &nested(61));
    assert!(ids(&findings).iter().all(|id| *id == "component-changed"));
}

#[test]
fn documents_of_any_form_are_compared() {
    let odd = [
        "{}",
        "null",
        "7",
        "[]",
        "{paths: [1]}",
        "{components: 7}",
        "{paths: {/a: 7}}",
    ];
    for old in odd {
        for new in odd {
            let findings = compare(&tree(old), &tree(new));
            assert_eq!(
                findings.is_empty(),
                old == new,
                "{old} and {new}: {findings:?}"
            );
        }
    }
}

#[test]
fn every_example_of_a_vendor_in_openapi_3_1_reads_like_ours() {
    let ours = tree(
        "{openapi: 3.0.3, paths: {/a: {get: {parameters: [{name: n, in: query, schema: {type: integer, minimum: 0, exclusiveMinimum: true, nullable: true, example: 3}}], responses: {}}}}}",
    );
    let theirs = tree(
        "{openapi: 3.1.0, paths: {'/a': {get: {parameters: [{name: n, in: query, schema: {type: [integer, 'null'], exclusiveMinimum: 0.0, examples: [3]}}], responses: {}}}}}",
    );
    assert_eq!(operations(&ours, &theirs, |_, _| true), []);
}

#[test]
fn keys_beside_a_reference_count_since_openapi_3_1() {
    let with = |edition: &str, beside: &str| {
        let mut document = tree(
            "{paths: {/a: {get: {parameters: [{name: n, in: query}], responses: {}}}}, components: {schemas: {Name: {type: string}}}}",
        );
        document.set("openapi", Node::from(edition));
        let parameter = document
            .at_mut("/paths/~1a/get/parameters/0")
            .expect("the parameter");
        let schema = format!("{{$ref: '#/components/schemas/Name'{beside}}}");
        parameter.set("schema", tree(&schema));
        document
    };
    let bound = ", maxLength: 5";
    let findings = compare(&with("3.1.0", ""), &with("3.1.0", bound));
    assert_eq!(ids(&findings), ["request-parameter-max-length-set"]);
    let findings = compare(&with("3.0.3", ""), &with("3.0.3", bound));
    assert_eq!(ids(&findings), ["reference-siblings-changed"]);
}
