//! Compares the routes and their validation with the document, field by field.

use std::collections::BTreeSet;

use http::Method;
use kling_omni_api::tasks::TaskCreate;
use kling_omni_api::{Operation, Role, SPEC_YAML, service};
use kling_omni_sandbox::ProblemForm;
use serde_json::{Map, Value, json};

use crate::harness::{
    Bench, FILES, LIST, PRO, SLOTS, STATUS, TASK_TIME, TestResponse, path_of, request_body,
    request_body_with,
};

struct Spec(Value);

fn is_create(path: &str) -> bool {
    let mut creates = TaskCreate::ALL.iter().map(|create| create.spec().operation);
    creates.any(|operation| operation.path == path)
}

impl Spec {
    fn read() -> Self {
        Self(serde_saphyr::from_str(SPEC_YAML).unwrap())
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(&reference[1..]).unwrap(),
            None => value,
        }
    }

    /// Returns path, method and definition of every operation.
    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
    }

    /// Returns path and request schema of every operation with a body.
    fn taking(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.operations()
            .filter(|(_, method, _)| *method == "post")
            .map(|(path, _, operation)| {
                let content = &operation["requestBody"]["content"]["application/json"];
                (path, self.resolve(&content["schema"]))
            })
    }

    fn creating(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.taking().filter(|(path, _)| is_create(path))
    }

    /// Returns a value with all fields that have an example in the document.
    fn full_example(&self, schema: &Value) -> Value {
        self.example(schema).unwrap_or(Value::Null)
    }

    fn example(&self, schema: &Value) -> Option<Value> {
        let schema = self.resolve(schema);
        if let Some(example) = schema.get("example") {
            return Some(example.clone());
        }
        if let Some(items) = schema.get("items") {
            return Some(json!([self.example(items)?]));
        }
        let fields = schema["properties"].as_object()?.iter();
        let fields = fields.filter_map(|(name, field)| Some((name.clone(), self.example(field)?)));
        Some(Value::Object(fields.collect()))
    }

    /// Returns valid and invalid values of a schema.
    fn values(&self, schema: &Value) -> (Vec<Value>, Vec<Invalid>) {
        let schema = self.resolve(schema);
        let (mut good, mut bad) = (vec![], vec![]);
        match schema["type"].as_str().unwrap() {
            "array" => self.lists(schema, &mut good, &mut bad),
            "object" => self.objects(schema, &mut good, &mut bad),
            _ => scalars(schema, &mut good, &mut bad),
        }
        (good, bad)
    }

    fn lists(&self, schema: &Value, good: &mut Vec<Value>, bad: &mut Vec<Invalid>) {
        bad.push(Invalid::new(json!({}), "must be an array"));
        let item = match schema["example"].get(0) {
            Some(item) => item.clone(),
            None => self.full_example(&schema["items"]),
        };
        good.extend([json!([]), json!([item])]);
        if let Some(limit) = schema["maxItems"].as_u64() {
            let limit = limit as usize;
            good.push(json!(vec![&item; limit]));
            let reason = format!("must have {limit} items or fewer");
            bad.push(Invalid::new(json!(vec![&item; limit + 1]), reason));
        }
        if let Some(limit) = schema["minItems"].as_u64() {
            good.retain(|list| list.as_array().map(Vec::len) >= Some(limit as usize));
            let reason = format!("must have {limit} items or more");
            bad.push(Invalid::new(json!(vec![&item; limit as usize - 1]), reason));
        }
        let (allowed, rejected) = self.values(&schema["items"]);
        good.extend(allowed.into_iter().map(|value| json!([value])));
        bad.extend(rejected.into_iter().map(|one| Invalid {
            value: json!([one.value]),
            ..one.below("0")
        }));
    }

    fn objects(&self, schema: &Value, good: &mut Vec<Value>, bad: &mut Vec<Invalid>) {
        bad.push(Invalid::new(json!([]), "must be an object"));
        let whole = self.full_example(schema);
        for (name, field) in schema["properties"].as_object().unwrap() {
            let with = |value: &Value| {
                let mut object = whole.clone();
                object[name] = value.clone();
                object
            };
            let (allowed, rejected) = self.values(field);
            good.extend(allowed.iter().map(with));
            bad.extend(rejected.into_iter().map(|one| Invalid {
                value: with(&one.value),
                ..one.below(name)
            }));
        }
    }
}

/// An invalid value.
struct Invalid {
    value: Value,
    /// The path of the violation in the value, such as `0.frontal_image_url`.
    path: String,
    /// A part of the reason.
    reason: String,
}

impl Invalid {
    fn new(value: Value, reason: impl Into<String>) -> Self {
        Self {
            value,
            path: String::new(),
            reason: reason.into(),
        }
    }

    fn below(&self, step: &str) -> Self {
        let path = match self.path.as_str() {
            "" => step.to_owned(),
            path => format!("{step}.{path}"),
        };
        Self {
            value: Value::Null,
            path,
            reason: self.reason.clone(),
        }
    }
}

fn scalars(field: &Value, good: &mut Vec<Value>, bad: &mut Vec<Invalid>) {
    if let Some(default) = field.get("default") {
        good.push(default.clone());
    }
    let mut add_invalid = |value: Value, reason: &str| bad.push(Invalid::new(value, reason));
    match field["type"].as_str().unwrap() {
        "string" => {
            add_invalid(json!(5), "must be a string");
            add_invalid(Value::Null, "must be a string");
        }
        "number" => {
            add_invalid(json!("0.5"), "must be a number");
            add_invalid(Value::Null, "must be a number");
        }
        "boolean" => {
            good.extend([json!(true), json!(false)]);
            add_invalid(json!("true"), "must be a boolean");
            add_invalid(json!(1), "must be a boolean");
        }
        "integer" => {
            add_invalid(json!("5"), "must be a whole number");
            add_invalid(json!(0.5), "must be a whole number");
        }
        other => panic!("no cases for the type {other}"),
    }
    let step = if field["type"] == "integer" {
        1.0
    } else {
        0.01
    };
    let number = |value: f64| match field["type"].as_str() {
        Some("integer") => json!(value as i64),
        _ => json!(value),
    };
    if let Some(limit) = field["maxLength"].as_u64() {
        let text = |length| json!("ä".repeat(length as usize));
        good.extend([text(0), text(limit - 1), text(limit)]);
        let reason = format!("{limit} characters or fewer, has {}", limit + 1);
        add_invalid(text(limit + 1), &reason);
    }
    if let Some(limit) = field["minimum"].as_f64() {
        good.extend([number(limit), number(limit + step)]);
        add_invalid(number(limit - step), &format!("{limit} or more"));
    }
    if let Some(limit) = field["maximum"].as_f64() {
        good.extend([number(limit), number(limit - step)]);
        add_invalid(number(limit + step), &format!("{limit} or less"));
    }
    if let Some(allowed) = field["enum"].as_array() {
        good.extend(allowed.iter().cloned());
        let first = allowed[0].as_str().unwrap();
        let reason = format!("one of {first}");
        add_invalid(json!(format!("{first}0")), &reason);
        add_invalid(json!(""), &reason);
    }
    if field["format"] == "uri" {
        good.extend([
            json!("http://127.0.0.1:9/v"),
            json!("https://e.org/v?a=b#c"),
        ]);
        for text in [
            "",
            "dance.mp4",
            "/dance.mp4",
            "//e.org/v",
            "https://e.org/a b",
        ] {
            add_invalid(json!(text), "must be an absolute URI");
        }
    }
}

#[tokio::test]
async fn fields_are_validated_at_their_bounds() {
    let spec = Spec::read();
    let bench = Bench::with(|builder| builder.rate_limit(u32::MAX)).await;
    let mut created = 0;
    for (path, schema) in spec.taking() {
        let whole = spec.full_example(schema);
        for (name, field) in schema["properties"].as_object().unwrap() {
            let (good, bad) = spec.values(field);
            for value in good {
                let mut body = whole.clone();
                body[name] = value;
                let response = bench.post(path, &body).await;
                assert_eq!(response.status, 200, "{path} {name} {}", response.text());
                created += usize::from(is_create(path));
            }
            for bad in bad {
                let Invalid { value, reason, .. } = &bad;
                let mut body = whole.clone();
                body[name] = value.clone();
                let response = bench.post(path, &body).await;
                assert_eq!(response.status, 400, "{path} {name} {value}");
                let problem = response.json();
                let params = problem["invalid_params"].as_array().unwrap();
                assert_eq!(params.len(), 1, "{path} {name} {problem}");
                assert_eq!(params[0]["name"], bad.below(name).path);
                let text = params[0]["reason"].as_str().unwrap();
                assert!(
                    text.contains(reason),
                    "{path} {name}: {text:?}, not {reason:?}"
                );
                assert!(response.body.len() < 500, "{path} {name} echoes its value");
            }
        }
    }
    assert_eq!(bench.sandbox.charges(), created);
}

#[tokio::test]
async fn required_fields_are_required() {
    let spec = Spec::read();
    let bench = Bench::start().await;
    for (path, schema) in spec.taking() {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let whole = spec.full_example(schema);
        for name in schema["properties"].as_object().unwrap().keys() {
            let mut body = whole.clone();
            body.as_object_mut().unwrap().remove(name);
            let response = bench.post(path, &body).await;
            if required.contains(&json!(name)) {
                assert_eq!(response.status, 400, "{path} without {name}");
                let expected = json!([{"name": name, "reason": "is required"}]);
                assert_eq!(response.json()["invalid_params"], expected);
            } else {
                assert_eq!(response.status, 200, "{path} without {name}");
            }
        }
    }
}

#[tokio::test]
async fn examples_are_accepted() {
    let spec = Spec::read();
    let bench = Bench::start().await;
    let mut taken = 0;
    for (path, method, operation) in spec.operations() {
        let content = &operation["requestBody"]["content"]["application/json"];
        for example in content["examples"]
            .as_object()
            .into_iter()
            .flat_map(Map::values)
        {
            assert_eq!(method, "post");
            let body = &spec.resolve(example)["value"];
            let response = bench.post(path, body).await;
            assert_eq!(response.status, 200, "{path} {}", response.text());
            taken += usize::from(path != SLOTS);
        }
    }
    assert_eq!(bench.sandbox.charges(), taken);
    assert!(taken >= 3);
}

#[tokio::test]
async fn query_parameters_are_validated() {
    let spec = Spec::read();
    let bench = Bench::with(|builder| builder.rate_limit(u32::MAX)).await;
    for (create, schema) in spec.creating() {
        bench.create(create, &spec.full_example(schema)).await;
    }
    let mut checked = 0;
    for (path, _, operation) in spec.operations() {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = spec.resolve(parameter);
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let rules = &parameter["schema"];
            let least = rules["minimum"].as_i64().unwrap();
            let greatest = rules["maximum"].as_i64().unwrap_or(i32::MAX.into());
            assert_eq!(rules["type"], "integer");
            let whole_number = "must be a whole number".to_owned();
            let cases = [
                (least.to_string(), None),
                ((least + 1).to_string(), None),
                (greatest.to_string(), None),
                (
                    (least - 1).to_string(),
                    Some(format!("must be {least} or more")),
                ),
                (
                    (greatest + 1).to_string(),
                    Some(format!("must be {greatest} or less")),
                ),
                ("-1".to_owned(), Some(format!("must be {least} or more"))),
                ("1.5".to_owned(), Some(whole_number.clone())),
                ("one".to_owned(), Some(whole_number.clone())),
                (String::new(), Some(whole_number.clone())),
                ("99999999999999999999".to_owned(), Some(whole_number)),
            ];
            for (value, reason) in cases {
                let response = bench.get(&format!("{path}?{name}={value}")).await;
                match reason {
                    None => assert_eq!(response.status, 200, "{name}={value}"),
                    Some(reason) => {
                        assert_eq!(response.status, 400, "{name}={value}");
                        let expected = json!([{"name": name, "reason": reason}]);
                        assert_eq!(
                            response.json()["invalid_params"],
                            expected,
                            "{name}={value}"
                        );
                    }
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
}

/// Returns whether the sandbox serves an operation: all on tasks, and those on uploads.
fn is_served(operation: &Value) -> bool {
    let id = operation["operationId"].as_str().unwrap_or_default();
    Operation::by_id(id).is_some_and(|one| {
        !matches!(one.role, Role::Other { .. })
            || [service::REQUEST_UPLOADS, service::LIST_UPLOADS].contains(one)
    })
}

#[tokio::test]
async fn every_operation_is_served_and_no_other() {
    let spec = Spec::read();
    let bench = Bench::start().await;
    for (path, item) in spec.0["paths"].as_object().unwrap() {
        let id = "046b6c7f-0b8a-43b9-b35d-6489e6daee91";
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ] {
            let known = item.get(method.as_str().to_ascii_lowercase());
            let request = bench.request(method.clone(), &path_of(path, id)).body("{}");
            let response = TestResponse::to(request).await;
            match known.filter(|operation| is_served(operation)) {
                Some(_) if path == FILES => assert_eq!(response.status, 200),
                // The route exists: the error is about the missing task or content type.
                Some(_) => assert!([400, 404].contains(&response.status), "{method} {path}"),
                None if !item.as_object().unwrap().values().any(is_served) => {
                    assert_eq!(response.status, 404, "{method} {path}");
                }
                None => {
                    assert_eq!(response.status, 405, "{method} {path}");
                    assert!(response.json()["message"].is_string());
                    assert!(response.header("allow").is_some(), "{method} {path}");
                }
            }
        }
        let operations: Vec<_> = bench
            .sandbox
            .requests()
            .iter()
            .rev()
            .take(5)
            .filter_map(|request| request.operation_id().map(str::to_owned))
            .collect();
        let operations = operations.into_iter().collect::<BTreeSet<_>>();
        let expected = item.as_object().unwrap().values();
        let expected = expected
            .filter(|one| is_served(one))
            .filter_map(|one| one["operationId"].as_str().map(str::to_owned));
        assert_eq!(operations, expected.collect());
    }
    for path in [
        "/",
        "/v1/ai/video",
        "/v1/ai/video/kling-v3-omni/a/b",
        "/v1/ai/video/kling-v3-omni/",
    ] {
        let response = bench.get(path).await;
        assert_eq!(response.status, 404, "{path}");
        assert!(response.json()["message"].is_string());
        assert_eq!(
            bench.sandbox.requests().last().unwrap().operation_id(),
            None
        );
    }
}

#[tokio::test]
async fn responses_match_the_document() {
    let spec = Spec::read();
    let tight = Bench::with(|builder| builder.rate_limit(0)).await;
    let nested = Bench::with(|builder| builder.problem_form(ProblemForm::Nested)).await;
    let bare = Bench::with(|builder| builder.problem_form(ProblemForm::Message)).await;
    let bench = Bench::start().await;
    let mut responses = vec![
        (PRO, tight.post(PRO, &request_body()).await),
        (LIST, nested.get(&format!("{LIST}?page=0")).await),
        (PRO, bare.post(PRO, &json!({})).await),
        (LIST, bench.get(LIST).await),
        (STATUS, bench.get(&path_of(STATUS, "x")).await),
        (PRO, bench.post(PRO, &json!({})).await),
        (SLOTS, bench.post(SLOTS, &json!({})).await),
        (SLOTS, bench.slot("video/mp4").await.response),
    ];
    let keyless = bench
        .http
        .post(format!("{}{PRO}", bench.sandbox.base_url()));
    responses.push((PRO, TestResponse::to(keyless).await));
    for prompt in [
        "a cat",
        "[sandbox:fail]",
        "[sandbox:empty]",
        "[sandbox:status=QUEUED]",
    ] {
        let response = bench.post(PRO, &request_body_with("prompt", prompt)).await;
        let id = response.data()["task_id"].as_str().unwrap().to_owned();
        responses.push((PRO, response));
        for part in [1, 3, 1] {
            bench.clock.advance(TASK_TIME * part / 5);
            responses.push((STATUS, bench.get(&path_of(STATUS, &id)).await));
        }
    }
    responses.push((LIST, bench.get(LIST).await));
    let slot = bench.slot("image/png").await;
    assert_eq!(
        TestResponse::to(slot.put(&bench, "picture")).await.status,
        200
    );
    responses.push((FILES, bench.get(FILES).await));

    for (path, response) in responses {
        let (_, _, operation) = spec
            .operations()
            .find(|(known, ..)| *known == path)
            .unwrap();
        let declared = spec.resolve(&operation["responses"][response.status.to_string()]);
        let content_type = response.header("content-type").unwrap();
        let content = &declared["content"][content_type];
        assert!(
            content.is_object(),
            "{path} {} {content_type}",
            response.status
        );
        let mut schema = content["schema"].clone();
        // The document allows values beyond its enums, which JSON Schema does not.
        schema["components"] = spec.0["components"].clone();
        let status = &mut schema["components"]["schemas"]["TaskStatus"];
        assert_eq!(status["x-open-enum"], true);
        status.as_object_mut().unwrap().remove("enum");
        let problems: Vec<_> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&response.json())
            .map(|error| error.to_string())
            .collect();
        assert!(
            problems.is_empty(),
            "{path} {}: {problems:?}",
            response.text()
        );
        // Retry-After is in the document, and off by default.
        let names = declared["headers"].as_object().unwrap().keys();
        for name in names.filter(|name| name.starts_with("x-")) {
            assert!(
                response.header(name).is_some(),
                "{path} {} {name}",
                response.status
            );
        }
    }
}
