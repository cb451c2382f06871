//! Recorded responses, and whether spec and generated types understand them.

use kling_omni_api::enums::TaskStatus;
use kling_omni_api::types::TaskResponse;
use kling_omni_test_support::spec::{SPEC, complaints, schema_name};
use kling_omni_tests::fixture::Fixture;

#[test]
fn every_fixture_is_what_the_spec_promises() {
    let operations = SPEC.operations();
    for fixture in Fixture::all() {
        let name = &fixture.name;
        let operation = operations
            .iter()
            .find(|operation| operation.id == fixture.operation)
            .unwrap_or_else(|| panic!("{name}: the spec has no operation {}", fixture.operation));
        let response = SPEC.resolve(&operation.node["responses"][fixture.status.to_string()]);
        let media_type = fixture
            .headers
            .get("content-type")
            .map_or("application/json", String::as_str);
        let schema = &response["content"][media_type]["schema"];
        assert!(
            schema_name(schema).is_some(),
            "{name}: the spec has no {media_type} for {}",
            fixture.status
        );
        assert_eq!(
            complaints(&SPEC.validator_for(schema), &fixture.json()),
            [""; 0],
            "{name}"
        );
    }
}

#[test]
fn every_answer_parses_into_the_generated_types() {
    let expected = [
        ("kling-completed", TaskStatus::Completed, 1),
        ("kling-created", TaskStatus::Created, 0),
        ("mystic-completed-body", TaskStatus::Completed, 1),
        ("mystic-completed", TaskStatus::Completed, 1),
        ("mystic-created-body", TaskStatus::Created, 0),
        ("mystic-created", TaskStatus::Created, 0),
    ];
    let answers: Vec<_> = Fixture::all()
        .into_iter()
        .filter(|fixture| fixture.status == 200)
        .map(|fixture| {
            let answer: TaskResponse = serde_json::from_str(&fixture.body)
                .unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
            (
                fixture.name,
                answer.data.status,
                answer.data.generated.len(),
            )
        })
        .collect();
    let answers: Vec<_> = answers
        .iter()
        .map(|(name, status, urls)| (name.as_str(), status.clone(), *urls))
        .collect();
    assert_eq!(answers, expected);
}

/// A body that was recorded whole has the length that its header announced. The texts of the 401 come one byte short.
#[test]
fn bodies_are_whole() {
    for fixture in Fixture::all() {
        if let Some(length) = fixture.headers.get("content-length") {
            let length: usize = length.parse().expect("a length is a number");
            let lost = length - fixture.body.len();
            assert_eq!(lost, usize::from(fixture.status == 401), "{}", fixture.name);
        }
    }
}
