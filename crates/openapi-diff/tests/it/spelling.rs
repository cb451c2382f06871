//! What can be written in several ways: the same meaning has no findings, and a small difference has the one that it is.

use openapi_diff::compare::compare;
use openapi_diff::document::Document;

/// Two schemas of one body, and the ids of what is found between them.
struct Case {
    name: &'static str,
    old: &'static str,
    new: &'static str,
    found: &'static [&'static str],
}

/// A document whose response has the schema, with a few components.
fn document(edition: &str, schema: &str) -> Document {
    let text = format!(
        "openapi: {edition}\n\
         info: {{title: Things, version: '1'}}\n\
         paths:\n\
         \x20 /a/{{id}}:\n\
         \x20   parameters: [{{name: id, in: path, required: true, schema: {{type: string}}}}]\n\
         \x20   get:\n\
         \x20     responses:\n\
         \x20       '200': {{description: A, content: {{application/json: {{schema: {schema}}}}}}}\n\
         components:\n\
         \x20 schemas:\n\
         \x20   E: {{type: string, enum: [a, b]}}\n\
         \x20   O: {{type: object, properties: {{e: {{$ref: '#/components/schemas/E'}}}}}}\n\
         \x20   A b/c: {{type: string, enum: [a, b]}}\n"
    );
    Document::parse(schema, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn found(old: &Document, new: &Document) -> Vec<String> {
    let findings = compare(&old.tree, &new.tree);
    findings
        .iter()
        .map(|one| {
            let place = "response-body-";
            let id = one.rule.id.strip_prefix(place).unwrap_or(one.rule.id);
            id.strip_prefix("response-property-")
                .unwrap_or(id)
                .to_owned()
        })
        .collect()
}

fn check(editions: [&str; 2], cases: &[Case]) {
    for case in cases {
        let old = document(editions[0], case.old);
        let new = document(editions[1], case.new);
        assert_eq!(
            found(&old, &new),
            case.found,
            "{}: {} and {}",
            case.name,
            case.old,
            case.new
        );
        if case.found.is_empty() {
            assert_eq!(
                found(&new, &old),
                case.found,
                "{}, the other way round",
                case.name
            );
        }
    }
}

#[test]
fn a_document_of_3_0_and_its_translation_to_3_1_have_no_differences() {
    let same = |name, old, new| Case {
        name,
        old,
        new,
        found: &[],
    };
    let cases = [
        same(
            "null",
            "{type: string, nullable: true}",
            "{type: [string, 'null']}",
        ),
        same(
            "null first",
            "{type: string, nullable: true}",
            "{type: ['null', string]}",
        ),
        same("one type", "{type: string}", "{type: [string]}"),
        same(
            "types",
            "{anyOf: [{type: string}, {type: integer}]}",
            "{type: [string, integer]}",
        ),
        same(
            "types and null",
            "{nullable: true, oneOf: [{type: string}, {type: integer}]}",
            "{type: [string, integer, 'null']}",
        ),
        same(
            "null in anyOf",
            "{nullable: true, allOf: [{$ref: '#/components/schemas/E'}]}",
            "{anyOf: [{$ref: '#/components/schemas/E'}, {type: 'null'}]}",
        ),
        same(
            "null in oneOf, with a text",
            "{nullable: true, description: Hi, allOf: [{$ref: '#/components/schemas/O'}]}",
            "{description: Hi, oneOf: [{type: 'null'}, {$ref: '#/components/schemas/O'}]}",
        ),
        same(
            "null in a union",
            "{nullable: true, oneOf: [{$ref: '#/components/schemas/E'}, {$ref: '#/components/schemas/O'}]}",
            "{oneOf: [{$ref: '#/components/schemas/E'}, {$ref: '#/components/schemas/O'}, {type: 'null'}]}",
        ),
        same(
            "text beside a reference",
            "{description: Hi, allOf: [{$ref: '#/components/schemas/E'}]}",
            "{description: Hi, $ref: '#/components/schemas/E'}",
        ),
        same(
            "const",
            "{type: string, enum: [x]}",
            "{type: string, const: x}",
        ),
        same(
            "example",
            "{type: integer, example: 3}",
            "{type: integer, examples: [3]}",
        ),
        same(
            "exclusive ends",
            "{type: integer, minimum: 0, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: true}",
            "{type: integer, exclusiveMinimum: 0, exclusiveMaximum: 9}",
        ),
        same(
            "an end that is included",
            "{type: integer, minimum: 0, exclusiveMinimum: false}",
            "{type: integer, minimum: 0}",
        ),
        same(
            "base64",
            "{type: string, format: byte}",
            "{type: string, contentEncoding: base64}",
        ),
        same(
            "bytes",
            "{type: string, format: binary}",
            "{type: string, contentMediaType: application/octet-stream}",
        ),
        same(
            "any value",
            "{type: array, items: {}}",
            "{type: array, items: true}",
        ),
        same(
            "in a property",
            "{type: object, properties: {p: {type: object, nullable: true, properties: {q: {type: integer, example: 3}}}}}",
            "{type: object, properties: {p: {type: [object, 'null'], properties: {q: {type: integer, examples: [3]}}}}}",
        ),
    ];
    check(["3.0.3", "3.1.0"], &cases);
}

#[test]
fn what_differs_between_3_0_and_3_1_is_found() {
    let cases = [
        Case {
            name: "not null any more",
            old: "{type: string, nullable: true}",
            new: "{type: [string]}",
            found: &["became-not-nullable"],
        },
        Case {
            name: "null in a union",
            old: "{$ref: '#/components/schemas/E'}",
            new: "{oneOf: [{$ref: '#/components/schemas/E'}, {type: 'null'}]}",
            found: &["became-nullable"],
        },
        Case {
            name: "another end",
            old: "{type: integer, minimum: 0, exclusiveMinimum: true}",
            new: "{type: integer, exclusiveMinimum: 1}",
            found: &["min-increased"],
        },
        Case {
            name: "another value",
            old: "{type: string, enum: [x]}",
            new: "{type: string, const: y}",
            found: &["enum-value-added", "enum-value-removed"],
        },
        Case {
            name: "a bound beside a reference",
            old: "{$ref: '#/components/schemas/E'}",
            new: "{$ref: '#/components/schemas/E', maxLength: 5}",
            found: &["max-length-set"],
        },
        Case {
            name: "another encoding",
            old: "{type: string, format: byte}",
            new: "{type: string, contentMediaType: application/octet-stream}",
            found: &["format-changed"],
        },
    ];
    check(["3.0.3", "3.1.0"], &cases);
}

#[test]
fn scalars_are_compared_as_they_were_written_where_the_schema_says_text() {
    let cases = [
        (
            "{type: string, default: '8'}",
            "{type: string, default: 8}",
            "",
        ),
        (
            "{type: string, default: '1.10'}",
            "{type: string, default: 1.10}",
            "",
        ),
        (
            "{type: string, default: 1.1}",
            "{type: string, default: 1.10}",
            "default-value-changed",
        ),
        (
            "{type: string, default: 'no'}",
            "{type: string, default: no}",
            "",
        ),
        (
            "{type: string, default: 'true'}",
            "{type: string, default: true}",
            "",
        ),
        (
            "{type: string, default: '1e3'}",
            "{type: string, default: 1e3}",
            "",
        ),
        (
            "{type: string, default: '0x1F'}",
            "{type: string, default: 0x1F}",
            "",
        ),
        (
            "{type: string, default: '007'}",
            "{type: string, default: 007}",
            "",
        ),
        (
            "{type: string, enum: ['8', '1.10', 'no']}",
            "{type: string, enum: [8, 1.10, no]}",
            "",
        ),
        (
            "{type: string, enum: [1.1]}",
            "{type: string, enum: [1.10]}",
            "enum-value-added enum-value-removed",
        ),
        (
            "{type: string, example: '5'}",
            "{type: string, example: 5}",
            "",
        ),
        (
            "{type: number, default: 1.10}",
            "{type: number, default: 1.1}",
            "",
        ),
        (
            "{type: number, default: 8}",
            "{type: number, default: '8'}",
            "default-value-changed",
        ),
        (
            "{type: integer, enum: [8]}",
            "{type: integer, enum: ['8']}",
            "enum-value-added enum-value-removed",
        ),
    ];
    for (old, new, ids) in cases {
        let (before, after) = (document("3.0.3", old), document("3.0.3", new));
        assert_eq!(found(&before, &after).join(" "), ids, "{old} and {new}");
    }
}

#[test]
fn texts_of_the_document_and_examples_of_texts_are_compared_as_they_were_written() {
    let with = |version: &str, example: &str, kind: &str| {
        let text = format!(
            "openapi: 3.0.3\n\
             info: {{title: Things, version: {version}}}\n\
             paths: {{/a: {{get: {{parameters: [{{name: p, in: query, example: {example}, schema: {{type: {kind}}}}}], responses: {{}}}}}}}}\n"
        );
        Document::parse("doc", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
    };
    let old = with("1.10", "5", "string");
    let cases = [
        (with("'1.10'", "'5'", "string"), ""),
        (with("1.1", "5", "string"), "api-version-changed"),
        (with("1.10", "5.0", "string"), "example-changed"),
    ];
    for (new, ids) in cases {
        assert_eq!(found(&old, &new).join(" "), ids);
    }
    let (old, new) = (with("1", "5", "integer"), with("1", "'5'", "integer"));
    assert_eq!(found(&old, &new), ["example-changed"]);
}

#[test]
fn references_are_decoded() {
    let same = |old, new| Case {
        name: "reference",
        old,
        new,
        found: &[],
    };
    let cases = [
        same(
            "{$ref: '#/paths/~1a~1{id}/parameters/0/schema'}",
            "{$ref: '#/paths/~1a~1%7Bid%7D/parameters/0/schema'}",
        ),
        same(
            "{$ref: '#/components/schemas/A b~1c'}",
            "{$ref: '#/components/schemas/A%20b~1c'}",
        ),
        same(
            "{$ref: '#/components/schemas/A b~1c'}",
            "{$ref: '#/components/schemas/A%20b%7E1c'}",
        ),
        Case {
            name: "what is not UTF-8 leads nowhere",
            old: "{$ref: '#/components/schemas/E'}",
            new: "{$ref: '#/components/schemas/%FF'}",
            found: &["reference-broken"],
        },
    ];
    check(["3.0.3", "3.0.3"], &cases);
}

#[test]
fn a_composition_of_one_schema_is_that_schema() {
    let cases = [
        Case {
            name: "allOf with a text",
            old: "{type: object, properties: {e: {$ref: '#/components/schemas/E'}}}",
            new: "{type: object, properties: {e: {allOf: [{$ref: '#/components/schemas/E'}], description: hi}}}",
            found: &["description-changed"],
        },
        Case {
            name: "allOf alone",
            old: "{$ref: '#/components/schemas/E'}",
            new: "{allOf: [{$ref: '#/components/schemas/E'}]}",
            found: &[],
        },
        Case {
            name: "allOf around a schema",
            old: "{type: string, description: hi}",
            new: "{allOf: [{type: string}], description: hi}",
            found: &[],
        },
        Case {
            name: "another target",
            old: "{allOf: [{type: string, maxLength: 5}]}",
            new: "{allOf: [{type: string, maxLength: 6}]}",
            found: &["max-length-increased"],
        },
        Case {
            name: "allOf with a text of its own",
            old: "{type: object, properties: {e: {$ref: '#/components/schemas/E'}}}",
            new: "{type: object, properties: {e: {allOf: [{$ref: '#/components/schemas/E'}, {description: hi}]}}}",
            found: &["description-changed"],
        },
        Case {
            name: "with a bound beside it, it is not only a description",
            old: "{allOf: [{type: string}]}",
            new: "{allOf: [{type: string}], maxLength: 6}",
            found: &["max-length-set"],
        },
    ];
    check(["3.0.3", "3.0.3"], &cases);
}
