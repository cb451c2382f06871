//! Lint of names: each becomes a Rust identifier, and no two the same.

use std::collections::BTreeMap;

use heck::{ToPascalCase as _, ToShoutySnakeCase as _, ToSnakeCase as _};

use crate::finding::Findings;
use crate::limits::request_schemas;
use crate::prepare::generated_schemas;
use crate::rules;
use crate::service::host;
use crate::spec::Spec;
use openapi_diff::tree::{Node, join};

/// Names of the generated client's own functions, which no operation may take.
const CLIENT: [&str; 9] = [
    "api_version",
    "baseurl",
    "client",
    "exec",
    "inner",
    "new",
    "new_with_client",
    "post",
    "pre",
];

/// Modules that stand beside those of the schemas, and the schema that preparation adds.
const TYPE_MODULES: [&str; 3] = ["builder", "error", "request_body"];

/// Checks that every Rust name is one, and that no two things share it.
pub fn check(spec: &Spec, findings: &mut Findings) {
    let mut operations = Taken::with("the client's own function", &CLIENT);
    let mut constants = Taken::with("the generated table", &["SERVERS", "OPERATIONS"]);
    let mut types = Taken::with("a module of the generated types", &TYPE_MODULES);
    let mut limits = Taken::default();

    for operation in spec.operations() {
        let Some(id) = operation.id() else { continue };
        let pointer = join(&operation.pointer(), "operationId");
        let name = id.to_snake_case();
        if identifier(findings, &pointer, id, &name) && operations.take(findings, &pointer, &name) {
            constants.take(findings, &pointer, &id.to_shouty_snake_case());
            if !operation.parameters().is_empty() {
                limits.take(findings, &pointer, &name);
            }
        }
        let mut fields = Taken::with("the list of all fields", &["FIELDS"]);
        for (pointer, parameter) in operation.parameters() {
            if let Ok((pointer, parameter)) = spec.locate(&pointer, parameter)
                && let Some(name) = parameter.text("name")
            {
                field(findings, &pointer, name, &mut fields);
            }
        }
    }
    let generated = generated_schemas(spec);
    for (name, schema) in spec.schemas() {
        if !generated.contains(name) && schema.get("enum").is_none() {
            continue;
        }
        let pointer = join("/components/schemas", name);
        if !is_pascal_case(name) {
            findings.add_unfit_name(
                &pointer,
                name,
                "a type's name in PascalCase, such as `HttpError`",
            );
            continue;
        }
        let file = name.to_snake_case();
        if identifier(findings, &pointer, name, &file) {
            types.take(findings, &pointer, &file);
        }
        let mut fields = Taken::with("the list of all fields", &["FIELDS"]);
        for (property, _) in schema.get("properties").into_iter().flat_map(Node::entries) {
            let pointer = join(&join(&pointer, "properties"), property);
            field(findings, &pointer, property, &mut fields);
        }
    }
    for (name, _) in request_schemas(spec).unwrap_or_default() {
        let pointer = join("/components/schemas", name);
        limits.take(findings, &pointer, &name.to_snake_case());
    }
    service(spec, &mut constants, findings);
}

fn service(spec: &Spec, constants: &mut Taken, findings: &mut Findings) {
    let servers = spec.tree.get("servers").map_or(&[][..], Node::items);
    for (index, server) in servers.iter().enumerate() {
        if let Some(url) = server.text("url") {
            let pointer = format!("/servers/{index}");
            let constant = host(url).to_shouty_snake_case();
            if identifier(findings, &pointer, url, &constant) {
                constants.take(findings, &pointer, &constant);
            }
        }
    }
    let schemes = spec.tree.at("/components/securitySchemes");
    for (name, _) in schemes.into_iter().flat_map(Node::entries) {
        let pointer = join("/components/securitySchemes", name);
        let constant = format!("{}_HEADER", name.to_shouty_snake_case());
        if identifier(findings, &pointer, name, &constant) {
            constants.take(findings, &pointer, &constant);
        }
    }
}

/// A field's name becomes a struct field and a constant.
fn field(findings: &mut Findings, pointer: &str, name: &str, taken: &mut Taken) {
    if name.starts_with("x-") {
        findings.add_unfit_name(pointer, name, "told apart from an extension");
    } else if identifier(findings, pointer, name, &name.to_shouty_snake_case()) {
        taken.take(findings, pointer, &name.to_shouty_snake_case());
    }
}

/// Reports `name` if `rust`, derived from it, is not an identifier.
fn identifier(findings: &mut Findings, pointer: &str, name: &str, rust: &str) -> bool {
    let fit = syn::parse_str::<syn::Ident>(rust).is_ok();
    if !fit {
        findings.add_unfit_name(pointer, name, "a name that Rust can take");
    }
    fit
}

/// Whether a name is a Rust type or variant as it stands.
pub fn is_pascal_case(name: &str) -> bool {
    name == name.to_pascal_case() && syn::parse_str::<syn::Ident>(name).is_ok()
}

/// The Rust names of one scope and who has them.
#[derive(Default)]
struct Taken(BTreeMap<String, String>);

impl Taken {
    fn with(owner: &str, names: &[&str]) -> Self {
        let names = names.iter();
        Self(
            names
                .map(|name| ((*name).to_owned(), owner.to_owned()))
                .collect(),
        )
    }

    /// Takes a name and answers whether it was free.
    fn take(&mut self, findings: &mut Findings, pointer: &str, rust: &str) -> bool {
        if let Some(owner) = self.0.get(rust) {
            let message = format!("its Rust name `{rust}` is taken by {owner}");
            findings.add(&rules::COLLISION, pointer, message);
            return false;
        }
        self.0.insert(rust.to_owned(), pointer.to_owned());
        true
    }
}
