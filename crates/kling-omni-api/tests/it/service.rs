//! The generated tables of operations, servers and key headers, compared with the document.

use std::sync::OnceLock;

use kling_omni_api::service;
use serde_json::Value;

/// The spec as the crate carries it.
pub fn spec() -> &'static Value {
    static SPEC: OnceLock<Value> = OnceLock::new();
    SPEC.get_or_init(|| {
        serde_json::from_str(include_str!("../../src/generated/openapi.json")).expect("JSON")
    })
}

/// What a `$ref` leads to.
pub fn resolve(node: &'static Value) -> &'static Value {
    match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => spec().pointer(&reference[1..]).expect(reference),
        None => node,
    }
}

/// The operation with this id.
pub fn operation(id: &str) -> &'static Value {
    let paths = spec()["paths"].as_object().expect("paths");
    let mut operations = paths
        .values()
        .flat_map(|item| item.as_object().expect("a path").values());
    operations
        .find(|operation| operation["operationId"] == id)
        .expect(id)
}

#[test]
fn the_table_of_operations_is_that_of_the_spec() {
    let paths = spec()["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), service::OPERATIONS.len());
    for one in service::OPERATIONS {
        let item = &paths[one.path];
        let operation = &item[one.method.to_lowercase()];
        assert_eq!(operation["operationId"], one.id);
    }
}

#[test]
fn the_servers_and_key_headers_are_those_of_the_spec() {
    let servers = spec()["servers"].as_array().expect("servers");
    let urls: Vec<_> = servers.iter().map(|server| &server["url"]).collect();
    assert_eq!(urls, service::SERVERS);
    let schemes = &spec()["components"]["securitySchemes"];
    assert_eq!(
        schemes["freepikApiKey"]["name"],
        service::FREEPIK_API_KEY_HEADER
    );
    assert_eq!(
        schemes["magnificApiKey"]["name"],
        service::MAGNIFIC_API_KEY_HEADER
    );
}

#[cfg(feature = "spec")]
#[test]
fn the_spec_is_handed_out_whole() {
    let given: Value = serde_json::from_str(kling_omni_api::SPEC_JSON).expect("JSON");
    assert_eq!(&given, spec());
}
