//! A differential test of validation: the builder, which knows the generated limits, and a JSON Schema validator, which
//! knows the spec, accept and refuse the same random requests.

mod request;
mod runner;

use kling_omni::request::{RequestBuilder, TextToVideoBuilder};
use kling_omni::validation::FindingCode;
use kling_omni::{Mode, TextToVideo, VideoReference};
use kling_omni_test_support::spec::{
    RequestBody, SPEC, complaints, request_bodies, require_fresh_code,
};
use proptest::prelude::*;
use serde::de::{DeserializeOwned, DeserializeSeed as _};
use serde_json::{Map, Value, json};

use request::{Broken, Ours};
use runner::check;

/// Makes the fields of a request fit each other, and leaves the named one alone.
fn repair(case: &RequestBody, body: &mut Map<String, Value>, kept: &str) {
    if case.request.mode == Mode::Text {
        request::repair(body, kept);
    }
}

#[test]
fn a_valid_request_satisfies_the_spec() {
    require_fresh_code();
    let cases = request_bodies();
    for case in &cases {
        valid_requests(case, cases.len());
    }
}

fn valid_requests(case: &RequestBody, count: usize) {
    let ours = (case.request.schema)();
    let our_validator = jsonschema::validator_for(ours.as_value()).unwrap();
    let validator = SPEC.validator(case.schema);
    let bodies = bodies(case, Ours::new(ours.as_value()));
    check(case.schema, count, &bodies, |mut body| {
        repair(case, &mut body, "");
        let builder = read(case, &body)?;
        let unchecked = builder.to_unchecked_body();
        prop_assert_eq!(&unchecked, &Value::Object(body.clone()));
        prop_assert_eq!(complaints(&validator, &unchecked), [""; 0]);
        let built = builder.build();
        let built = built.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let written = serde_json::to_value(&built).unwrap();
        prop_assert_eq!(&written, &Value::Object(with_tier(case, &body)));
        prop_assert_eq!(complaints(&our_validator, &written), [""; 0]);
        let again = case.request.deserialize(written).unwrap();
        prop_assert_eq!(again.build().unwrap(), built);
        Ok(())
    });
}

#[test]
fn a_request_that_breaks_one_rule_is_refused_by_both() {
    require_fresh_code();
    request_bodies().iter().for_each(broken_requests);
}

fn broken_requests(case: &RequestBody) {
    let ours = (case.request.schema)();
    let ours = Ours::new(ours.as_value());
    let validator = SPEC.validator(case.schema);
    let rules: Vec<_> = case
        .request
        .table
        .iter()
        .filter_map(|row| {
            Some((
                case.fields.iter().find(|field| field.name == row.name)?,
                row,
            ))
        })
        .flat_map(|(field, row)| {
            request::broken(field, row.kind)
                .into_iter()
                .map(|rule| (field.name, rule))
        })
        .collect();
    for (name, rule) in &rules {
        let Broken {
            at,
            pointer,
            breach,
            values,
        } = rule;
        let broken_rule = format!("{}, {name}{at} {breach:?}", case.schema);
        let requests = (bodies(case, ours), values);
        check(&broken_rule, rules.len(), &requests, |(mut body, value)| {
            match value {
                Some(value) => body.insert((*name).to_owned(), value),
                None => body.remove(*name),
            };
            repair(case, &mut body, name);
            let builder = read(case, &body)?;
            let found = complaints(&validator, &builder.to_unchecked_body());
            let error = builder.build().expect_err("a broken rule goes unnoticed");
            let errors = error.findings().iter().filter(|finding| finding.is_error());
            let errors: Vec<_> = errors
                .map(|finding| (finding.field(), finding.code()))
                .collect();
            let field = format!("{name}{at}");
            prop_assert_eq!(errors, [(field.as_str(), breach.code())]);

            let place = match breach {
                request::Breach::Missing => String::new(),
                _ => format!("/{name}{pointer}"),
            };
            prop_assert_eq!(found.len(), 1, "{:?}", &found);
            prop_assert!(found[0].starts_with(&format!("{place}: ")), "{:?}", &found);
            Ok(())
        });
    }
}

fn bodies(case: &RequestBody, ours: Ours<'_>) -> BoxedStrategy<Map<String, Value>> {
    let bodies = request::valid(SPEC.schema(case.schema), ours);
    bodies
        .prop_map(|body| body.as_object().cloned().expect("a request is an object"))
        .boxed()
}

fn read(case: &RequestBody, body: &Map<String, Value>) -> Result<RequestBuilder, TestCaseError> {
    let body = Value::Object(with_tier(case, body));
    let builder = case.request.deserialize(body);
    builder.map_err(|error| TestCaseError::fail(error.to_string()))
}

fn with_tier(case: &RequestBody, body: &Map<String, Value>) -> Map<String, Value> {
    let mut body = body.clone();
    body.insert("tier".to_owned(), case.tier.as_str().into());
    body
}

/// What the documentation has in prose only: the spec's schema takes it, and the builder does not.
#[test]
fn rules_on_several_fields_are_the_builders_alone() {
    let url = "https://example.com/one.png";
    let cases = [
        (json!({}), "prompt", FindingCode::MissingField),
        (
            json!({ "image_url": url }),
            "prompt",
            FindingCode::MissingField,
        ),
        (
            json!({"prompt": "A river", "multi_prompt": ["A lake"], "image_url": url}),
            "multi_prompt",
            FindingCode::PromptConflictsWithShots,
        ),
        (
            json!({"prompt": "A river", "multi_prompt": ["A lake"], "start_image_url": url}),
            "multi_prompt",
            FindingCode::PromptConflictsWithShots,
        ),
        (
            json!({"prompt": "A river", "image_urls": [url, url], "elements": [{}, {}, {}]}),
            "elements",
            FindingCode::TooManyItems,
        ),
    ];
    let validator = SPEC.validator("VideoRequest");
    for (body, field, code) in cases {
        assert_eq!(complaints(&validator, &body), [""; 0], "{body}");
        let builder: TextToVideoBuilder = serde_json::from_value(body.clone()).unwrap();
        let error = builder.build().expect_err("a broken rule goes unnoticed");
        let finding = &error.findings()[0];
        assert_eq!((finding.field(), finding.code()), (field, code), "{body}");
    }
    for body in [
        json!({"prompt": "A river", "image_urls": [url, url], "elements": [{}, {}]}),
        json!({"multi_prompt": ["A lake"], "image_url": url, "end_image_url": url}),
        json!({"prompt": "A river", "multi_prompt": ["A lake"]}),
    ] {
        let built = serde_json::from_value::<TextToVideo>(body.clone());
        assert!(built.is_ok(), "{body}: {built:?}");
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
    for case in cases {
        let validator = SPEC.validator("VideoReferenceRequest");
        refused::<VideoReference>(&validator, &case);
    }
    let cases = [
        json!({"prompt": "A river", "shot_type": "automatic"}),
        json!({"multi_prompt": "A river"}),
        json!({"multi_prompt": [7]}),
        json!({"prompt": "A river", "generate_audio": "yes"}),
        json!({"prompt": "A river", "elements": [["https://example.com/one.png"]]}),
        json!({"prompt": "A river", "elements": {"frontal_image_url": "https://example.com/one.png"}}),
    ];
    for case in cases {
        let validator = SPEC.validator("VideoRequest");
        refused::<TextToVideo>(&validator, &case);
    }
}

fn refused<T: DeserializeOwned>(validator: &jsonschema::Validator, case: &Value) {
    assert!(
        !complaints(validator, case).is_empty(),
        "the spec takes {case}"
    );
    let ours = serde_json::from_value::<T>(case.clone());
    assert!(ours.is_err(), "we take {case}");
}

/// The builder sends a URL as it was given, so it has to be as picky as the spec is.
#[test]
fn a_url_that_the_builder_takes_is_one_for_the_spec() {
    let validator = SPEC.validator("VideoReferenceRequest");
    check("careless URLs", 1, &request::careless_url(), |url| {
        if VideoReference::builder().webhook_url(&url).build().is_ok() {
            prop_assert_eq!(
                complaints(&validator, &json!({ "webhook_url": url })),
                [""; 0]
            );
        }
        Ok(())
    });
}

/// Where the builder is stricter than the spec on purpose: the service fetches the files itself, over HTTP.
#[test]
fn urls_of_other_schemes_are_refused_by_the_builder_alone() {
    let validator = SPEC.validator("VideoReferenceRequest");
    for url in [
        "ftp://example.com/dance.mp4",
        "file:///dance.mp4",
        "data:video/mp4;base64,AAAA",
        "mailto:someone@example.com",
    ] {
        assert_eq!(
            complaints(&validator, &json!({ "video_url": url })),
            [""; 0]
        );
        let error = VideoReference::builder()
            .reference_video(url)
            .build()
            .unwrap_err();
        assert_eq!(error.findings()[0].code(), FindingCode::InvalidUrl, "{url}");
    }
}
