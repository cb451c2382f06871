//! Each example body of the document is deserialised and serialised again without a change.
//!
//! The bytes are those of a request file or of a report: JSON without whitespace, with the keys in the order of the
//! document. The body that is sent has sorted keys, as the wire snapshots show.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use kling_omni::polling::{TaskState, TaskSummary};
use kling_omni_api::{Operation, SPEC_YAML};
use kling_omni_test_support::fail_on;
use kling_omni_test_support::spec::{SPEC, entries, is_called, items, request_bodies, schema_name};
use serde::de::{DeserializeOwned, DeserializeSeed as _, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

type RoundTrip = Box<dyn Fn(&str) -> serde_json::Result<String>>;

/// The body schemas with our type for each.
fn round_trips() -> Vec<(&'static str, RoundTrip)> {
    let requests = request_bodies().into_iter().map(|body| {
        let trip = move |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            let request = body.request.deserialize(&mut json)?.build();
            serde_json::to_string(&request.map_err(serde_json::Error::custom)?)
        };
        (body.schema, Box::new(trip) as RoundTrip)
    });
    let others: [(_, RoundTrip); 3] = [
        ("TaskDetail", Box::new(round_trip::<TaskState>)),
        ("TaskResponse", Box::new(round_trip::<Wrapped<TaskState>>)),
        (
            "TaskListResponse",
            Box::new(round_trip::<Wrapped<Vec<TaskSummary>>>),
        ),
    ];
    requests.chain(others).collect()
}

/// The body schemas without a type of ours, and the reason.
const ONE_WAY: &[(&str, &str)] = &[
    ("ErrorMessage", ERROR),
    ("ValidationProblem", ERROR),
    ("NestedValidationProblem", ERROR),
    ("UploadRequest", UPLOAD),
    ("UploadPlacesResponse", UPLOAD),
    (
        "UploadedFilesResponse",
        "is read to find out whether uploads are allowed",
    ),
];
const ERROR: &str = "becomes an error, whose texts have snapshots, and is never sent";

const UPLOAD: &str = "is an internal step of an upload";

/// The envelope of a response.
#[derive(Deserialize, Serialize)]
struct Wrapped<T> {
    data: T,
}

fn round_trip<T: DeserializeOwned + Serialize>(body: &str) -> serde_json::Result<String> {
    serde_json::to_string(&serde_json::from_str::<T>(body)?)
}

#[test]
fn examples_round_trip_byte_for_byte() {
    let named_examples = named_examples();
    let round_trips = round_trips();
    let mut problems = Vec::new();
    let mut tried = BTreeSet::new();
    for (schema, content) in bodies() {
        let Some((_, trip)) = round_trips.iter().find(|(name, _)| *name == schema) else {
            if !ONE_WAY.iter().any(|(name, _)| *name == schema) {
                problems.push(format!("{schema} is new: add it to a table of this test"));
            }
            continue;
        };
        if content.get("example").is_some() {
            problems.push(format!(
                "an example of {schema} has no name, and its keys no order: move it to components/examples"
            ));
        }
        for (_, example) in entries(&content["examples"]) {
            let reference = example["$ref"].as_str().unwrap_or_default();
            let name = reference.trim_start_matches("#/components/examples/");
            let Some(body) = named_examples.get(name) else {
                problems.push(format!("{schema}: {reference} is not an example"));
                continue;
            };
            tried.insert((schema, name));
            match trip(body) {
                Err(error) => problems.push(format!("{schema}, {name}: {error}\n  {body}")),
                Ok(again) if again != *body => {
                    problems.push(format!("{schema}, {name}\n  was {body}\n  is  {again}"));
                }
                Ok(_) => {}
            }
        }
    }
    fail_on(problems);
    for (schema, _) in &round_trips {
        assert!(
            tried.iter().any(|(tried, _)| tried == schema),
            "the document has no example of {schema}"
        );
    }
    for (schema, reason) in ONE_WAY {
        assert!(
            bodies().iter().any(|(name, _)| name == schema),
            "the document has no {schema}, which {reason}"
        );
    }
}

/// Every body of the operations that the SDK calls and of deliveries: the name of its schema, and the media type object.
fn bodies() -> Vec<(&'static str, &'static Value)> {
    let operations = SPEC.operations();
    let ours = operations.iter().filter(|operation| {
        operation.is_callback || Operation::by_id(operation.id).is_some_and(is_called)
    });
    let places = ours.flat_map(|operation| {
        let request = operation.node.get("requestBody").into_iter();
        request.chain(entries(&operation.node["responses"]).map(|(_, response)| response))
    });
    let contents = places.flat_map(|place| entries(&SPEC.resolve(place)["content"]));
    let mut bodies = Vec::new();
    for (_, content) in contents {
        let schema = &content["schema"];
        let choices = items(&schema["oneOf"]).chain([schema]);
        bodies.extend(choices.filter_map(|choice| Some((schema_name(choice)?, content))));
    }
    bodies
}

/// The named examples of the document as compact JSON, in their order.
fn named_examples() -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Document {
        components: Components,
    }
    #[derive(Deserialize)]
    struct Components {
        examples: BTreeMap<String, Example>,
    }
    #[derive(Deserialize)]
    struct Example {
        value: Ordered,
    }
    let document: Document = serde_saphyr::from_str(SPEC_YAML).expect("the spec is YAML");
    let examples = document.components.examples.into_iter();
    examples
        .map(|(name, example)| (name, serde_json::to_string(&example.value).expect("JSON")))
        .collect()
}

/// JSON with objects in key order.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Ordered {
    Object(IndexMap<String, Ordered>),
    List(Vec<Ordered>),
    Value(Value),
}
