//! Two judges for a request: the builder, which knows the generated limits, and a JSON Schema validator, which knows the
//! spec. On random requests they come to the same verdict.

mod request;
mod runner;

use std::sync::LazyLock;

use kling_omni::{FindingCode, Tier, VideoReference};
use kling_omni_api::{Field, limits};
use kling_omni_tests::spec::{SPEC, complaints, require_fresh_code};
use proptest::prelude::*;
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use request::Breach;
use runner::check;

/// A tier, and what the spec says of the requests of the route that its builder checks against.
struct Court {
    tier: Tier,
    schema: &'static str,
    fields: &'static [Field],
}

const COURTS: [Court; 2] = [
    Court {
        tier: Tier::Pro,
        schema: "VideoReferenceRequest",
        fields: limits::video_reference_request::FIELDS,
    },
    Court {
        tier: Tier::Standard,
        schema: "ReferenceToVideoRequest",
        fields: limits::reference_to_video_request::FIELDS,
    },
];

#[test]
fn a_valid_request_satisfies_the_spec() {
    require_fresh_code();
    let ours = jsonschema::validator_for(schema_for!(VideoReference).as_value()).unwrap();
    for court in &COURTS {
        let judge = SPEC.judge(court.schema);
        let requests = request::valid(court.tier, court.fields);
        check(court.schema, COURTS.len(), &requests, |request| {
            let built = request.builder().build();
            let built = built.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let body = body(&built);
            prop_assert_eq!(complaints(&judge, &body), [""; 0]);
            prop_assert_eq!(
                complaints(&ours, &serde_json::to_value(&built).unwrap()),
                [""; 0]
            );
            prop_assert_eq!(&request.builder().to_unchecked_body(), &body);
            prop_assert_eq!(again(&built)?, built);
            Ok(())
        });
    }
}

#[test]
fn a_request_that_breaks_one_rule_is_refused_by_both() {
    require_fresh_code();
    for court in &COURTS {
        let judge = SPEC.judge(court.schema);
        let breaches: Vec<_> = court
            .fields
            .iter()
            .filter(|field| can_be_said(field))
            .flat_map(Breach::of_field)
            .collect();
        for (field, breach) in &breaches {
            let name = format!("{}, {} {breach:?}", court.schema, field.name);
            let requests = request::broken(court.tier, court.fields, field, *breach);
            check(&name, breaches.len(), &requests, |request| {
                let error = request
                    .builder()
                    .build()
                    .expect_err("a broken rule goes unnoticed");
                let errors: Vec<_> = error
                    .findings()
                    .iter()
                    .filter(|finding| finding.is_error())
                    .map(|finding| (finding.field(), finding.code()))
                    .collect();
                prop_assert_eq!(errors, [(field.name, breach.code())]);

                let found = complaints(&judge, &request.builder().to_unchecked_body());
                let place = match breach {
                    Breach::Missing => String::new(),
                    _ => format!("/{}", field.name),
                };
                prop_assert_eq!(found.len(), 1, "{:?}", &found);
                prop_assert!(found[0].starts_with(&format!("{place}: ")), "{:?}", &found);
                Ok(())
            });
        }
    }
}

/// What the builder cannot even say, a request file can.
#[test]
fn a_request_file_with_a_wrong_value_is_refused_by_both() {
    let cases = [
        json!({"aspect_ratio": "0:0"}),
        json!({"aspect_ratio": ""}),
        json!({"duration": "five"}),
        json!({"duration": "-5"}),
        json!({"duration": 5.5}),
        json!({"cfg_scale": "0.5"}),
        json!({"prompt": 7}),
        json!({"video_url": ["https://example.com/dance.mp4"]}),
        json!("A slow river"),
    ];
    let judge = SPEC.judge("VideoReferenceRequest");
    for case in cases {
        assert!(
            !complaints(&judge, &case).is_empty(),
            "the spec takes {case}"
        );
        assert!(
            serde_json::from_value::<VideoReference>(case.clone()).is_err(),
            "we take {case}"
        );
    }
}

/// The builder sends a URL as it was given, so it has to be as picky as the spec is.
#[test]
fn a_url_that_the_builder_takes_is_one_for_the_spec() {
    let judge = SPEC.judge("VideoReferenceRequest");
    check("careless URLs", 1, &request::careless_url(), |url| {
        if VideoReference::builder().webhook_url(&url).build().is_ok() {
            prop_assert_eq!(complaints(&judge, &json!({ "webhook_url": url })), [""; 0]);
        }
        Ok(())
    });
}

/// Where the builder is stricter than the spec on purpose: the service fetches the files itself, over HTTP.
#[test]
fn urls_of_other_schemes_are_refused_by_the_builder_alone() {
    let judge = SPEC.judge("VideoReferenceRequest");
    for url in [
        "ftp://example.com/dance.mp4",
        "file:///dance.mp4",
        "data:video/mp4;base64,AAAA",
        "mailto:someone@example.com",
    ] {
        assert_eq!(complaints(&judge, &json!({ "video_url": url })), [""; 0]);
        let error = VideoReference::builder()
            .reference_video(url)
            .build()
            .unwrap_err();
        assert_eq!(
            error.findings()[0].code(),
            FindingCode::NotAbsoluteUrl,
            "{url}"
        );
    }
}

/// Whether the request has the field. What it lacks is listed where the types are held against the spec.
fn can_be_said(field: &Field) -> bool {
    static OURS: LazyLock<Schema> = LazyLock::new(|| schema_for!(VideoReference));
    OURS.as_value()["properties"].get(field.name).is_some()
}

/// The body of a request. The tier chooses the path, and is no part of it.
fn body(request: &VideoReference) -> Value {
    let mut body = serde_json::to_value(request).expect("a request is JSON");
    if let Some(members) = body.as_object_mut() {
        members.remove("tier");
    }
    body
}

fn again(request: &VideoReference) -> Result<VideoReference, TestCaseError> {
    let text = serde_json::to_string(request).expect("a request is JSON");
    serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))
}
