//! The spec document, read at run time: which routes there are, and what each takes.

mod schema;
mod violation;

use std::sync::{Arc, LazyLock};

use http::{HeaderName, Method};
use kling_omni_api::service;
use serde_json::{Map, Value};

pub(crate) use schema::Schema;
pub(crate) use violation::InvalidParam;

/// The spec, read once in the life of a process.
static SPEC: LazyLock<Result<Arc<Spec>, SpecError>> =
    LazyLock::new(|| Spec::parse(kling_omni_api::SPEC_JSON).map(Arc::new));

/// The `operationId` of the older creating route, whose state is configurable.
pub(crate) const VIDEO_REFERENCE: &str = service::CREATE_VIDEO_REFERENCE.id;
/// The `operationId` of the status route where the tasks of that route are read, unless configured otherwise.
const DEFAULT_STATUS: &str = service::GET_REFERENCE_TO_VIDEO_TASK.id;

/// The spec has something that the sandbox cannot serve.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{at}: {problem}")]
pub(crate) struct SpecError {
    at: String,
    problem: String,
}

impl SpecError {
    fn new(at: &str, problem: impl Into<String>) -> Self {
        Self {
            at: at.to_owned(),
            problem: problem.into(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) operations: Vec<Arc<Operation>>,
    /// The family of routes that a task of the older creating route belongs to, unless configured otherwise.
    pub(crate) default_family: String,
    /// The headers that carry a key.
    pub(crate) key_headers: Vec<HeaderName>,
}

/// One method of one path.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    /// The path, with parameters as `{name}`.
    pub(crate) path: String,
    /// The routes that share tasks: the part of the path before the model's name.
    pub(crate) family: String,
    pub(crate) kind: Kind,
    pub(crate) query: Schema,
}

/// What an operation does, told by its shape and by whether it is about uploads.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Takes a body and creates a task.
    Create { body: Schema },
    /// Reads all tasks.
    List,
    /// Reads the task that its path names.
    Status,
    /// Takes a body that lists files, and hands out an upload slot for each.
    Slots { body: Schema },
    /// Reads all files that were uploaded.
    Files,
}

impl Spec {
    pub(crate) fn load() -> Result<Arc<Self>, SpecError> {
        SPEC.clone()
    }

    fn parse(json: &str) -> Result<Self, SpecError> {
        let document: Value =
            serde_json::from_str(json).map_err(|error| SpecError::new("", error.to_string()))?;
        let mut operations = Vec::new();
        for (path, item) in object(&document, "/paths")? {
            let methods = item.as_object().into_iter().flatten();
            for (method, operation) in methods.filter(|(key, _)| is_method(key)) {
                let operation = Operation::parse(&document, path, method, operation)?;
                operations.push(Arc::new(operation));
            }
        }
        let key_headers = object(&document, "/components/securitySchemes")?
            .values()
            .filter(|scheme| scheme["type"] == "apiKey" && scheme["in"] == "header")
            .filter_map(|scheme| scheme["name"].as_str()?.parse().ok())
            .collect();
        let default_family = operations
            .iter()
            .find(|operation| operation.id == DEFAULT_STATUS)
            .map(|operation| operation.family.clone())
            .ok_or_else(|| SpecError::new("/paths", format!("{DEFAULT_STATUS} is missing")))?;
        Ok(Self {
            operations,
            default_family,
            key_headers,
        })
    }
}

impl Operation {
    fn parse(
        document: &Value,
        path: &str,
        method: &str,
        operation: &Value,
    ) -> Result<Self, SpecError> {
        let at = format!("{method} {path}");
        let id = operation["operationId"]
            .as_str()
            .ok_or_else(|| SpecError::new(&at, "the operation has no operationId"))?;
        let method: Method = method
            .to_ascii_uppercase()
            .parse()
            .map_err(|_| SpecError::new(&at, "the method is not one"))?;
        let family = path
            .split('/')
            .nth(FAMILY_SEGMENT)
            .ok_or_else(|| SpecError::new(&at, "the path is too short to tell its family"))?;

        let compile = |schema: &Value| {
            Schema::compile(document, schema).map_err(|problem| SpecError::new(&at, problem))
        };
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut tags = operation["tags"].as_array().into_iter().flatten();
        let is_upload = tags.any(|tag| tag == UPLOAD);
        let shape = (method == Method::GET, body.is_null(), path.contains('{'));
        let kind = match (shape, is_upload) {
            ((false, false, false), false) => Kind::Create {
                body: compile(body)?,
            },
            ((true, true, false), false) => Kind::List,
            ((true, true, true), false) => Kind::Status,
            ((false, false, false), true) => Kind::Slots {
                body: compile(body)?,
            },
            ((true, true, false), true) => Kind::Files,
            _ => {
                return Err(SpecError::new(
                    &at,
                    "the sandbox serves creating, listing, reading and uploading only",
                ));
            }
        };
        let query = compile(&query_schema(document, operation, &at)?)?;
        Ok(Self {
            id: id.to_owned(),
            method,
            path: path.to_owned(),
            family: family.to_owned(),
            kind,
            query,
        })
    }
}

/// The tag of the operations that are about files in place of tasks.
const UPLOAD: &str = "upload";

/// `/v1/ai/FAMILY/…`
const FAMILY_SEGMENT: usize = 3;

fn is_method(key: &str) -> bool {
    ["get", "put", "post", "delete", "patch"].contains(&key)
}

fn object<'a>(document: &'a Value, pointer: &str) -> Result<&'a Map<String, Value>, SpecError> {
    document
        .pointer(pointer)
        .and_then(Value::as_object)
        .ok_or_else(|| SpecError::new(pointer, "there is no such object"))
}

/// The query parameters of an operation as one object schema.
fn query_schema(document: &Value, operation: &Value, at: &str) -> Result<Value, SpecError> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = match parameter["$ref"].as_str() {
            Some(reference) => document
                .pointer(reference.trim_start_matches('#'))
                .ok_or_else(|| SpecError::new(at, format!("{reference} leads nowhere")))?,
            None => parameter,
        };
        let (Some("query"), Some(name)) = (parameter["in"].as_str(), parameter["name"].as_str())
        else {
            continue;
        };
        properties.insert(name.to_owned(), parameter["schema"].clone());
        if parameter["required"] == true {
            required.push(name);
        }
    }
    Ok(serde_json::json!({ "type": "object", "properties": properties, "required": required }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configurable_routes_are_in_the_spec() {
        let spec = Spec::load().unwrap();
        let mut ids = spec.operations.iter().map(|operation| &operation.id);
        assert!(ids.any(|id| id == VIDEO_REFERENCE));
        let readable = |family: &str| {
            spec.operations.iter().any(|operation| {
                operation.family == family && matches!(operation.kind, Kind::Status)
            })
        };
        let is_about_tasks = |kind: &Kind| !matches!(kind, Kind::Slots { .. } | Kind::Files);
        for operation in spec
            .operations
            .iter()
            .filter(|one| is_about_tasks(&one.kind))
        {
            assert!(readable(&operation.family), "{}", operation.path);
        }
        assert!(readable(&spec.default_family));
        assert!(!spec.key_headers.is_empty());
    }

    #[test]
    fn an_operation_of_another_shape_is_refused() {
        let spec = r#"{"paths":{"/v1/ai/x/m":{"delete":{"operationId":"d"}}},"components":{"securitySchemes":{}}}"#;
        let error = Spec::parse(spec).unwrap_err().to_string();
        assert_eq!(
            error,
            "delete /v1/ai/x/m: the sandbox serves creating, listing, reading and uploading only"
        );
    }
}
