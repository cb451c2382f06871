//! The generated tables of operations, servers and key headers, compared with the document.

use std::sync::OnceLock;

use kling_omni_api::tasks::{TaskCreate, TaskList, TaskRead};
use kling_omni_api::{Role, service};
use serde_json::Value;

/// The document in the crate.
pub fn spec() -> &'static Value {
    static SPEC: OnceLock<Value> = OnceLock::new();
    SPEC.get_or_init(|| serde_saphyr::from_str(include_str!("../../openapi.yaml")).expect("YAML"))
}

/// The target of a `$ref`.
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
fn operations_match_the_document() {
    let paths = spec()["paths"].as_object().expect("paths");
    let operations = paths
        .values()
        .flat_map(|item| item.as_object().expect("a path").values());
    let operations = operations.filter(|one| one.get("operationId").is_some());
    assert_eq!(operations.count(), service::OPERATIONS.len());
    for one in service::OPERATIONS {
        let item = &paths[one.path];
        let operation = &item[one.method.to_lowercase()];
        assert_eq!(operation["operationId"], one.id);
        let task = &operation["x-task"];
        assert_eq!(task.get("creates").is_some(), one.role.is_paid());
        let is_free = ["reads", "lists"].iter().any(|key| task.get(key).is_some());
        let is_repeatable = is_free || task["repeatable"] == true;
        assert_eq!(is_repeatable, one.role.is_repeatable(), "{}", one.id);
    }
}

/// The table has the reads and lists of each create, and an older operation precedes its successor.
#[test]
fn task_tables_are_consistent() {
    for create in TaskCreate::ALL {
        let spec = create.spec();
        assert_eq!(spec.operation.role, Role::Create(*create));
        let reads: Vec<_> = spec.reads.iter().map(|read| read.spec().family).collect();
        assert_eq!(reads, spec.families);
        for list in spec.lists {
            assert!(spec.families.contains(&list.spec().family));
        }
        assert!(spec.successor.is_none_or(|successor| *create < successor));
    }
    for read in TaskRead::ALL {
        let spec = read.spec();
        assert_eq!(spec.operation.role, Role::Read(*read));
        let family = spec.list.map(|list| list.spec().family);
        assert!(family.is_none_or(|family| family == spec.family));
    }
    for list in TaskList::ALL {
        assert_eq!(list.spec().operation.role, Role::List(*list));
    }
}

#[test]
fn servers_and_key_headers_match_the_document() {
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
