//! The spec as it is written, read without any generated code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use kling_omni::request::{RequestBuilder, RequestType};
use kling_omni::{Mode, Tier};
use kling_omni_api::enums::OutputDuration;
use kling_omni_api::tasks::TaskCreate;
use kling_omni_api::{Field, Role};
use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// The spec, from `openapi/kling-v3-omni.yaml`.
pub static SPEC: LazyLock<Spec> = LazyLock::new(|| {
    let source = crate::sources::read("openapi/kling-v3-omni.yaml");
    Spec {
        document: serde_saphyr::from_str(&source).expect("the spec is YAML"),
    }
});

/// A parsed OpenAPI document.
pub struct Spec {
    /// All of it.
    pub document: Value,
}

/// One operation, a webhook delivery among them.
pub struct Operation<'a> {
    /// Its `operationId`.
    pub id: &'a str,
    /// The HTTP method in capitals.
    pub method: String,
    /// The path template, or the expression that a callback's URL comes from.
    pub path: &'a str,
    /// The operation object.
    pub node: &'a Value,
    /// Whether the service is the one that calls.
    pub is_callback: bool,
}

impl Spec {
    /// Follows `$ref`s to what they stand for.
    pub fn resolve<'a>(&'a self, node: &'a Value) -> &'a Value {
        match node.get("$ref").and_then(Value::as_str) {
            None => node,
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                let target = self.document.pointer(pointer);
                self.resolve(target.unwrap_or_else(|| panic!("{reference} leads nowhere")))
            }
        }
    }

    /// The component schemas by name.
    pub fn schemas(&self) -> BTreeMap<&str, &Value> {
        entries(&self.document["components"]["schemas"]).collect()
    }

    /// A component schema.
    pub fn schema(&self, name: &str) -> &Value {
        let schema = self.document["components"]["schemas"].get(name);
        schema.unwrap_or_else(|| panic!("the spec has no schema {name}"))
    }

    /// All operations, those of callbacks last.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations: Vec<_> = entries(&self.document["paths"])
            .flat_map(|(path, item)| of_item(path, item, false))
            .collect();
        let callbacks = operations
            .iter()
            .flat_map(|operation| entries(&operation.node["callbacks"]))
            .flat_map(|(_, callback)| entries(self.resolve(callback)))
            .flat_map(|(path, item)| of_item(path, item, true))
            .map(|operation| (operation.id, operation))
            .collect::<BTreeMap<_, _>>();
        operations.extend(callbacks.into_values());
        operations
    }

    /// The parameters of an operation, `$ref`s followed.
    pub fn parameters<'a>(&'a self, operation: &Operation<'a>) -> Vec<&'a Value> {
        let parameters = items(&operation.node["parameters"]);
        parameters
            .map(|parameter| self.resolve(parameter))
            .collect()
    }

    /// The name of the schema of the JSON body that an operation takes.
    pub fn body_schema<'a>(&self, operation: &Operation<'a>) -> Option<&'a str> {
        schema_name(&operation.node["requestBody"]["content"]["application/json"]["schema"])
    }

    /// A validator of values of a component schema.
    pub fn validator(&self, name: &str) -> Validator {
        self.validator_for(&json!({ "$ref": format!("#/components/schemas/{name}") }))
    }

    /// A validator of values of any schema of this document.
    pub fn validator_for(&self, schema: &Value) -> Validator {
        let components = entries(&self.document["components"]["schemas"])
            .map(|(name, schema)| (name.to_owned(), upgraded(schema)))
            .collect::<Map<_, _>>();
        let root = json!({ "components": { "schemas": components }, "allOf": [upgraded(schema)] });
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&root)
            .expect("the spec's schemas can be compiled")
    }
}

/// The body of a creating route, and the type of ours that is sent there.
pub struct RequestBody {
    /// The component schema of the body.
    pub schema: &'static str,
    /// Our type.
    pub request: &'static RequestType,
    /// The tier of the route.
    pub tier: Tier,
    /// The generated limits.
    pub fields: &'static [Field],
}

/// Whether `kling-omni` calls an operation: those on tasks where it has the mode and the tier of a create, and any other by
/// its name.
pub fn is_called(operation: &kling_omni_api::Operation) -> bool {
    static SOURCES: LazyLock<String> = LazyLock::new(|| {
        let paths = crate::sources::files_below("crates/kling-omni/src");
        paths
            .iter()
            .map(|path| crate::sources::read(path))
            .collect()
    });
    match operation.role {
        Role::Create(create) => is_offered(&create),
        Role::Read(read) => offered_creates().any(|create| create.spec().reads.contains(&read)),
        Role::List(list) => offered_creates().any(|create| create.spec().lists.contains(&list)),
        Role::Other { .. } => SOURCES.contains(&format!(".{}()", operation.name)),
    }
}

/// The longest video that can be requested by its length, in seconds.
pub fn longest_video() -> u32 {
    let lengths = OutputDuration::ALL.iter().map(|length| length.as_str());
    let seconds = lengths.map(|length| length.parse().expect("a number of seconds"));
    seconds.max().expect("a length")
}

/// The creating routes that `kling-omni` offers: it has their mode and their tier.
pub fn offered_creates() -> impl Iterator<Item = TaskCreate> + Clone {
    TaskCreate::ALL.iter().copied().filter(is_offered)
}

fn is_offered(create: &TaskCreate) -> bool {
    let spec = create.spec();
    spec.mode.parse::<Mode>().is_ok() && spec.tier.parse::<Tier>().is_ok()
}

/// The bodies of all creating routes that are offered, each once, with the first route that takes it.
pub fn request_bodies() -> Vec<RequestBody> {
    let operations = SPEC.operations();
    let mut bodies: Vec<RequestBody> = Vec::new();
    for spec in TaskCreate::ALL.iter().map(|create| create.spec()) {
        let (Ok(mode), Ok(tier)) = (spec.mode.parse(), spec.tier.parse()) else {
            continue;
        };
        let mut operations = operations.iter();
        let operation = operations.find(|operation| operation.id == spec.operation.id);
        let schema = operation.and_then(|operation| SPEC.body_schema(operation));
        let schema = schema.expect("a create has a body");
        if bodies.iter().all(|body| body.schema != schema) {
            bodies.push(RequestBody {
                schema,
                request: RequestType::for_mode(mode),
                tier,
                fields: spec.fields,
            });
        }
    }
    bodies
}

/// The first example that the spec has of the body of a creating route, with its tier; `None` if the route is not offered.
pub fn example(create: TaskCreate) -> Option<RequestBuilder> {
    let spec = create.spec();
    let request = RequestType::for_mode(spec.mode.parse().ok()?);
    let tier: Tier = spec.tier.parse().ok()?;
    let operations = SPEC.operations();
    let mut operations = operations.iter();
    let operation = operations.find(|operation| operation.id == spec.operation.id)?;
    let content = &operation.node["requestBody"]["content"]["application/json"];
    let (_, example) = entries(&content["examples"]).next()?;
    let mut body = SPEC.resolve(example)["value"].clone();
    body["tier"] = tier.as_str().into();
    Some(request.deserialize(body).expect("an example is valid"))
}

/// Fails a test that would only tell at length that the generated code is older than the spec.
pub fn require_fresh_code() {
    let source = crate::sources::read("openapi/kling-v3-omni.yaml");
    let source = source.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let digest = Sha256::digest(source);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let generated = crate::sources::read("crates/kling-omni-api/src/generated/mod.rs");
    if !generated.contains(&digest) {
        crate::fail(
            "the generated code is not that of openapi/kling-v3-omni.yaml; take the change in: `cargo xtask accept`",
        );
    }
}

/// Everything that is wrong with `value`, as JSON pointer and message. The message does not quote the value.
pub fn complaints(validator: &Validator, value: &Value) -> Vec<String> {
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {}", error.instance_path(), error.masked()))
        .collect()
}

/// The component that a `$ref` to a schema names.
pub fn schema_name(node: &Value) -> Option<&str> {
    node.get("$ref")?
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

/// The members of an object; none of anything else.
pub fn entries(node: &Value) -> impl Iterator<Item = (&str, &Value)> {
    node.as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

/// The items of an array; none of anything else.
pub fn items(node: &Value) -> impl Iterator<Item = &Value> {
    node.as_array().into_iter().flatten()
}

fn of_item<'a>(path: &'a str, item: &'a Value, is_callback: bool) -> Vec<Operation<'a>> {
    entries(item)
        .filter(|(method, _)| METHODS.contains(method))
        .map(|(method, node)| Operation {
            id: node["operationId"]
                .as_str()
                .unwrap_or_else(|| panic!("{method} {path} has no operationId")),
            method: method.to_ascii_uppercase(),
            path,
            node,
            is_callback,
        })
        .collect()
}

/// A schema of OpenAPI 3.0 in the terms of JSON Schema 2020-12.
fn upgraded(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(upgraded).collect(),
        Value::Object(members) => {
            let mut upgraded: Map<_, _> = members
                .iter()
                .map(|(key, value)| (key.clone(), self::upgraded(value)))
                .collect();
            for (exclusive, bound) in [
                ("exclusiveMinimum", "minimum"),
                ("exclusiveMaximum", "maximum"),
            ] {
                if let Some(Value::Bool(is_exclusive)) = upgraded.get(exclusive) {
                    let is_exclusive = *is_exclusive;
                    upgraded.remove(exclusive);
                    if is_exclusive && let Some(limit) = upgraded.remove(bound) {
                        upgraded.insert(exclusive.to_owned(), limit);
                    }
                }
            }
            if upgraded.remove("nullable") == Some(Value::Bool(true)) {
                let kind = upgraded.remove("type");
                upgraded.insert("type".to_owned(), json!([kind, "null"]));
            }
            Value::Object(upgraded)
        }
        other => other.clone(),
    }
}
