//! What differs from the vendor's document.

use openapi_diff::accepted::{Accepted, Classified};
use openapi_diff::document::Document;
use openapi_diff::finding::Finding;
use openapi_diff::tree::Node;
use xtask::spec::upstream::{ACCEPTED, accepted_syntax, compare};

use crate::workspace::root;

const OURS: &str = include_str!("ours.yaml");
const VENDOR: &str = include_str!("vendor.yaml");
const VENDOR_3_1: &str = include_str!("vendor-3.1.json");

fn document(text: &str) -> Document {
    Document::parse("doc", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn judge(vendor: &str, accepted: &str) -> Classified {
    let accepted =
        Accepted::parse(accepted, accepted_syntax()).unwrap_or_else(|faults| panic!("{faults:?}"));
    compare(&document(OURS), &document(vendor), &accepted)
}

fn findings(vendor: &str) -> Vec<Finding> {
    judge(vendor, "").open
}

fn told(findings: &[Finding]) -> Vec<String> {
    let told = findings.iter().map(|one| {
        let id = one.rule.id;
        format!("{id} | {} | {}", one.subject, one.message)
    });
    told.collect()
}

#[test]
fn what_concerns_us_is_found_and_nothing_else() {
    let findings = findings(VENDOR);
    let ids: Vec<_> = findings
        .iter()
        .map(|one| (one.rule.id, one.subject.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            (
                "upstream-operation-missing",
                "POST /v1/clips/reel-pro/remix"
            ),
            (
                "request-property-max-length-decreased",
                "remix-request.words"
            ),
            (
                "response-property-enum-value-added",
                "response reel application/json.state"
            ),
            (
                "upstream-empty-schema-named-like-response",
                "components/schemas/reel"
            ),
            ("path-parameter-renamed", "/v1/clips/reel/{clip-id}"),
            (
                "upstream-sibling-operation",
                "DELETE /v1/clips/reel/{clip-id}"
            ),
            ("upstream-sibling-operation", "GET /v1/clips/reel"),
            ("upstream-sibling-operation", "POST /v1/clips/reel-pro"),
        ],
        "{:#?}",
        told(&findings)
    );
}

#[test]
fn the_edition_and_the_spelling_do_not_matter() {
    assert_eq!(told(&findings(VENDOR)), told(&findings(VENDOR_3_1)));
}

#[test]
fn findings_lead_to_the_places_in_both_documents() {
    let (ours, vendor) = (document(OURS), document(VENDOR));
    for finding in findings(VENDOR) {
        assert!(
            finding.base.is_some() || finding.head.is_some(),
            "{finding:?}"
        );
        for (pointer, document) in [(&finding.base, &ours), (&finding.head, &vendor)] {
            if let Some(pointer) = pointer {
                assert!(document.tree.at(pointer).is_some(), "{finding:?}");
            }
        }
    }
}

#[test]
fn the_slip_is_named_with_the_operations_that_it_reaches() {
    let findings = findings(VENDOR);
    let quirks = findings
        .iter()
        .filter(|one| one.rule.id.contains("empty-schema"));
    let quirks: Vec<_> = quirks.collect();
    let [quirk] = &quirks[..] else {
        panic!("{quirks:?}");
    };
    assert_eq!(quirk.head.as_deref(), Some("/components/schemas/reel"));
    assert_eq!(
        quirk.used_by,
        ["GET /v1/clips/reel/{clip-id}", "POST /v1/remix/reel-pro"]
    );
    // With the schema filled in, or the response of that name gone, there is no quirk.
    for (from, to) in [
        ("reel: {description: The reel.}", "reel: {type: object}"),
        ("  responses:\n    reel:", "  responses:\n    other:"),
    ] {
        let edited = VENDOR.replacen(from, to, 1);
        assert_ne!(edited, VENDOR);
        let ids: Vec<_> = judge(&edited, "")
            .open
            .iter()
            .map(|one| one.rule.id)
            .collect();
        assert!(
            !ids.contains(&"upstream-empty-schema-named-like-response"),
            "{ids:?}"
        );
        assert!(
            ids.contains(&"response-required-property-removed"),
            "{ids:?}"
        );
    }
}

#[test]
fn an_object_in_parts_is_one_object() {
    let whole = "remix-request:\n      type: object\n      required: [clip]\n      properties:\n";
    let parts = "remix-request:\n      allOf:\n      - $ref: '#/components/schemas/clip'\n      - {$ref: '#/components/schemas/rest'}\n    clip:\n      required: [clip]\n      properties: {clip: {type: string, format: uri}}\n    rest:\n      type: object\n      properties:\n";
    let edited = VENDOR.replacen(whole, parts, 1).replacen(
        "        clip: {type: string, format: uri}\n",
        "",
        1,
    );
    assert_ne!(edited, VENDOR);
    assert_eq!(told(&findings(&edited)), told(&findings(VENDOR)));
    let bound = findings(&edited);
    let bound = bound.iter().find(|one| one.rule.id.contains("max-length"));
    let head = bound.and_then(|bound| bound.head.as_deref());
    assert_eq!(
        head,
        Some("/components/schemas/rest/properties/words/maxLength")
    );
    // What is more than an object is compared as it stands.
    let bounded = edited.replacen("    clip:\n", "    clip:\n      minProperties: 1\n", 1);
    let ids: Vec<_> = findings(&bounded).iter().map(|one| one.rule.id).collect();
    assert!(ids.iter().any(|id| id.ends_with("all-of-added")), "{ids:?}");
}

#[test]
fn references_in_a_circle_end() {
    let edited = VENDOR.replacen(
        "    # Says nothing",
        "    a: {allOf: [{$ref: '#/components/schemas/b'}]}\n    b: {allOf: [{$ref: '#/components/schemas/a'}]}\n    # Says nothing",
        1,
    );
    let edited = edited
        .replacen(
            "clip: {type: string, format: uri}",
            "clip: {$ref: '#/components/schemas/a'}",
            1,
        )
        .replacen(
            "words: {",
            "again: {$ref: '#/components/schemas/remix-request'}\n        words: {",
            1,
        )
        .replacen(
            "reel: {description: The reel.}",
            "reel: {$ref: '#/components/schemas/reel'}",
            1,
        );
    assert!(!findings(&edited).is_empty());
}

#[test]
fn what_is_accepted_is_told_apart() {
    let accepted = "accepted:\n\
        - {id: upstream-operation-missing, ours: /paths/~1v1~1clips~1reel-pro~1remix/post, reason: known, date: 2026-01-02}\n\
        - {id: upstream-sibling-operation, vendor: /paths/**, reason: not ours, date: 2026-01-02}\n\
        - {id: api-operation-id-changed, ours: /paths/**, reason: our names, date: 2026-01-02}\n";
    let judged = judge(VENDOR, accepted);
    assert_eq!(judged.accepted.len(), 4);
    let open: Vec<_> = judged.open.iter().map(|one| one.rule.id).collect();
    assert_eq!(
        open,
        [
            "request-property-max-length-decreased",
            "response-property-enum-value-added",
            "acceptance-unused",
            "upstream-empty-schema-named-like-response",
            "path-parameter-renamed",
        ]
    );
}

#[test]
fn a_document_agrees_with_itself() {
    let ours = document(OURS);
    let accepted = Accepted::default();
    let judged = compare(&ours, &document(OURS), &accepted);
    assert_eq!(judged.open, []);
    let mut nothing = ours.clone();
    nothing.tree.set("paths", Node::map());
    let judged = compare(&ours, &nothing, &accepted);
    let ids: Vec<_> = judged.open.iter().map(|one| one.rule.id).collect();
    assert_eq!(ids, ["upstream-operation-missing"; 3]);
}

#[test]
fn the_accepted_file_of_the_workspace_is_well_formed() {
    Accepted::read(&root().join(ACCEPTED), accepted_syntax()).expect("it is well-formed");
    let nothing = root().join("openapi/nothing.yaml");
    let nothing = Accepted::read(&nothing, accepted_syntax()).expect("no file is fine");
    assert!(nothing.classify(Vec::new()).open.is_empty());
}

/// A document with one operation that takes a clip, whose schema is given.
fn clip(schema: &str) -> Document {
    document(&format!(
        "openapi: 3.0.3\n\
         paths:\n\
         \x20 /v1/clips:\n\
         \x20   post:\n\
         \x20     requestBody: {{content: {{application/json: {{schema: {{type: object, properties: {{clip: {schema}}}}}}}}}}}\n\
         \x20     responses: {{}}\n"
    ))
}

#[test]
fn numbers_in_prose_are_compared_with_those_of_x_media() {
    let ours = clip(
        "{type: string, x-media: {kind: video, formats: [mp4], seconds: {minimum: 3, maximum: 10}, megabytes: {maximum: 200}, pixels: {minimum: 720, maximum: 2160}}}",
    );
    let cases = [
        ("Between 3-10 seconds, at most 200MB, 720px to 2160px.", ""),
        ("3\u{2013}10 s", ""),
        ("from 3s to 10s, 4 of 5 people like 5 s", ""),
        ("A clip. Up to 4 of them.", ""),
        ("", ""),
        (
            "3-20 seconds",
            "seconds is 3, 10 in x-media, and the vendor's description says 3, 20",
        ),
        (
            "5 to 10 sec, 200 MB",
            "seconds is 3, 10 in x-media, and the vendor's description says 5, 10",
        ),
        (
            "3-10s, max. 100 megabytes",
            "megabytes is 200 in x-media, and the vendor's description says 100",
        ),
        (
            "between 300 and 2160 pixels",
            "pixels is 720, 2160 in x-media, and the vendor's description says 300, 2160",
        ),
    ];
    for (text, message) in cases {
        let vendor = clip(&format!("{{type: string, description: '{text}'}}"));
        let all = compare(&ours, &vendor, &Accepted::default()).open;
        let found = all
            .iter()
            .filter(|one| one.rule.id == "upstream-media-prose-differs");
        let found: Vec<_> = found.map(|one| one.message.as_str()).collect();
        assert_eq!(found.join("; "), message, "{text}");
    }
}

#[test]
fn siblings_of_the_product_family_are_reported() {
    let paths = |paths: &[&str]| {
        let mut text = "openapi: 3.0.3\npaths:\n".to_owned();
        for path in paths {
            text += &format!("  {path}: {{post: {{responses: {{}}}}}}\n");
        }
        document(&text)
    };
    let ours = [
        "/v1/ai/video/kling-v3-omni-pro",
        "/v1/ai/video/kling-v3-omni-std",
        "/v1/ai/reference-to-video/kling-v3-omni-pro",
    ];
    let cases = [
        ("/v1/ai/video/kling-v3-motion-control-pro", true),
        ("/v1/ai/image-to-video/kling-v3", true),
        ("/v1/ai/video/kling-v3-omni-max", true),
        ("/v1/ai/video/kling-v30-pro", false),
        ("/v1/ai/video/kling-v2-pro", false),
        ("/v1/ai/reference-to-video/other-pro", false),
        ("/v1/ai/video-upscale", false),
    ];
    for (path, is_sibling) in cases {
        let vendor = paths(&[&ours[..], &[path]].concat());
        let found = compare(&paths(&ours), &vendor, &Accepted::default()).open;
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.rule.id, one.subject.as_str()))
            .collect();
        let subject = format!("POST {path}");
        let wanted = ("upstream-sibling-operation", subject.as_str());
        assert_eq!(found.contains(&wanted), is_sibling, "{path}: {found:?}");
    }
}
