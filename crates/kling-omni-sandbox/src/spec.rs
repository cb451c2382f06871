//! The OpenAPI document, read at run time: the routes, and the schemas of their bodies and queries.

mod schema;
mod violation;

use std::sync::{Arc, LazyLock};

use http::{HeaderName, Method};
use kling_omni_api::tasks::TaskCreate;
use kling_omni_api::{Role, service};
use serde_json::{Map, Value};

pub(crate) use schema::Schema;
pub(crate) use violation::InvalidParam;

/// The document, parsed once per process.
static SPEC: LazyLock<Result<Arc<Spec>, SpecError>> =
    LazyLock::new(|| Spec::parse(kling_omni_api::SPEC_YAML).map(Arc::new));

/// The sandbox cannot serve the document.
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
    pub(crate) kind: Kind,
    pub(crate) query: Schema,
}

/// The kind of an operation, by the generated table.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Creates a task of one of the families.
    Create {
        task: TaskCreate,
        families: &'static [&'static str],
        body: Schema,
    },
    /// Reads all tasks of a family.
    List { family: &'static str },
    /// Reads one task of a family.
    Status { family: &'static str },
    /// Creates an upload slot for each file in the body.
    Slots { body: Schema },
    /// Lists the uploaded files.
    Files,
}

impl Spec {
    pub(crate) fn load() -> Result<Arc<Self>, SpecError> {
        SPEC.clone()
    }

    pub(crate) fn parse(yaml: &str) -> Result<Self, SpecError> {
        let document: Value =
            serde_saphyr::from_str(yaml).map_err(|error| SpecError::new("", error.to_string()))?;
        let mut operations = Vec::new();
        for (path, item) in object(&document, "/paths")? {
            let methods = item.as_object().into_iter().flatten();
            for (method, operation) in methods.filter(|(key, _)| is_method(key)) {
                let operation = Operation::parse(&document, path, method, operation)?;
                operations.extend(operation.map(Arc::new));
            }
        }
        let key_headers = object(&document, "/components/securitySchemes")?
            .values()
            .filter(|scheme| scheme["type"] == "apiKey" && scheme["in"] == "header")
            .filter_map(|scheme| scheme["name"].as_str()?.parse().ok())
            .collect();
        Ok(Self {
            operations,
            key_headers,
        })
    }
}

impl Operation {
    /// Parses an operation. Returns `None` if the sandbox does not serve it.
    fn parse(
        document: &Value,
        path: &str,
        method: &str,
        operation: &Value,
    ) -> Result<Option<Self>, SpecError> {
        let at = format!("{method} {path}");
        let id = operation["operationId"]
            .as_str()
            .ok_or_else(|| SpecError::new(&at, "the operation has no operationId"))?;
        let method: Method = method
            .to_ascii_uppercase()
            .parse()
            .map_err(|_| SpecError::new(&at, "invalid method"))?;
        let compile = |schema: &Value| {
            Schema::compile(document, schema).map_err(|problem| SpecError::new(&at, problem))
        };
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let known = kling_omni_api::Operation::by_id(id)
            .ok_or_else(|| SpecError::new(&at, "the generated table has no such operation"))?;
        let kind = match known.role {
            Role::Create(task) => Kind::Create {
                task,
                families: task.spec().families,
                body: compile(body)?,
            },
            Role::List(list) => Kind::List {
                family: list.spec().family,
            },
            Role::Read(read) => Kind::Status {
                family: read.spec().family,
            },
            Role::Other { .. } if *known == service::REQUEST_UPLOADS => Kind::Slots {
                body: compile(body)?,
            },
            Role::Other { .. } if *known == service::LIST_UPLOADS => Kind::Files,
            Role::Other { .. } => return Ok(None),
        };
        let query = compile(&query_schema(document, operation, &at)?)?;
        Ok(Some(Self {
            id: id.to_owned(),
            method,
            path: path.to_owned(),
            kind,
            query,
        }))
    }
}

fn is_method(key: &str) -> bool {
    ["get", "put", "post", "delete", "patch"].contains(&key)
}

fn object<'a>(document: &'a Value, pointer: &str) -> Result<&'a Map<String, Value>, SpecError> {
    document
        .pointer(pointer)
        .and_then(Value::as_object)
        .ok_or_else(|| SpecError::new(pointer, "object not found"))
}

/// Returns the query parameters of an operation as an object schema.
fn query_schema(document: &Value, operation: &Value, at: &str) -> Result<Value, SpecError> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = match parameter["$ref"].as_str() {
            Some(reference) => document
                .pointer(reference.trim_start_matches('#'))
                .ok_or_else(|| SpecError::new(at, format!("{reference} not found")))?,
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
    fn operations_must_be_in_the_generated_table() {
        let spec = r#"{"paths":{"/v1/ai/x/m":{"delete":{"operationId":"d"}}},"components":{"securitySchemes":{}}}"#;
        let error = Spec::parse(spec).unwrap_err().to_string();
        assert_eq!(
            error,
            "delete /v1/ai/x/m: the generated table has no such operation"
        );
    }
}
