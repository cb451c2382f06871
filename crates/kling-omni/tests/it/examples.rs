//! Every body that the spec gives as an example goes through the ergonomic type and comes back byte for byte.
//!
//! The bytes are those of a request file or of a report: JSON without blanks, its keys in the order of the spec. On the
//! wire the keys of a request are sorted, which the snapshots of the wire show.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use kling_omni::polling::{TaskState, TaskSummary};
use kling_omni_api::{Operation, SPEC_YAML};
use kling_omni_test_support::fail_on;
use kling_omni_test_support::spec::{SPEC, entries, is_called, items, request_bodies, schema_name};
use serde::de::{DeserializeOwned, DeserializeSeed as _, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

type Trip = Box<dyn Fn(&str) -> serde_json::Result<String>>;

/// The body schemas with the type of ours that stands for each.
fn trips() -> Vec<(&'static str, Trip)> {
    let requests = request_bodies().into_iter().map(|body| {
        let trip = move |text: &str| {
            let mut json = serde_json::Deserializer::from_str(text);
            let request = body.request.deserialize(&mut json)?.build();
            serde_json::to_string(&request.map_err(serde_json::Error::custom)?)
        };
        (body.schema, Box::new(trip) as Trip)
    });
    let others: [(_, Trip); 3] = [
        ("TaskDetail", Box::new(through::<TaskState>)),
        ("TaskResponse", Box::new(through::<Wrapped<TaskState>>)),
        (
            "TaskListResponse",
            Box::new(through::<Wrapped<Vec<TaskSummary>>>),
        ),
    ];
    requests.chain(others).collect()
}

/// The body schemas that no type of ours stands for, and why.
const ONE_WAY: &[(&str, &str)] = &[
    ("ErrorMessage", ERROR),
    ("ValidationProblem", ERROR),
    ("NestedValidationProblem", ERROR),
    ("UploadRequest", UPLOAD),
    ("UploadPlacesResponse", UPLOAD),
];
const ERROR: &str = "becomes an error, whose texts have snapshots; nobody sends it";

const UPLOAD: &str = "is a step on the way of a file, which no type of ours shows";

/// How the service wraps what our types stand for.
#[derive(Deserialize, Serialize)]
struct Wrapped<T> {
    data: T,
}

fn through<T: DeserializeOwned + Serialize>(body: &str) -> serde_json::Result<String> {
    serde_json::to_string(&serde_json::from_str::<T>(body)?)
}

#[test]
fn every_example_comes_back_byte_for_byte() {
    let named = named();
    let trips = trips();
    let mut problems = Vec::new();
    let mut tried = BTreeSet::new();
    for (schema, content) in bodies() {
        let Some((_, trip)) = trips.iter().find(|(name, _)| *name == schema) else {
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
            let Some(body) = named.get(name) else {
                problems.push(format!("{schema}: {reference} is no example"));
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
    for (schema, _) in &trips {
        assert!(
            tried.iter().any(|(tried, _)| tried == schema),
            "the spec has no example of {schema}"
        );
    }
    for (schema, reason) in ONE_WAY {
        assert!(
            bodies().iter().any(|(name, _)| name == schema),
            "no {schema}, which {reason}"
        );
    }
}

/// Every body of the operations that we call and of deliveries: the name of its schema and the media type object.
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

/// The named examples of the spec as JSON without blanks, in the order in which they are written.
fn named() -> BTreeMap<String, String> {
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

/// JSON whose objects keep the order of their keys.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Ordered {
    Object(IndexMap<String, Ordered>),
    List(Vec<Ordered>),
    Value(Value),
}
