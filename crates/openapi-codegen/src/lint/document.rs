//! Lint of the document as a whole: its version and parts, extensions, references, servers and key schemes.

use crate::finding::Findings;
use crate::rules;
use crate::spec::Spec;
use crate::task::KEY;
use openapi_diff::tree::{Node, join};

/// Every extension that something reads.
const EXTENSIONS: [&str; 6] = [
    "x-enum-varnames",
    "x-media",
    "x-open-enum",
    "x-output-seconds",
    "x-provenance",
    KEY,
];

/// Keys whose values map names of the spec's own choice.
const NAME_MAPS: [&str; 15] = [
    "callbacks",
    "content",
    "encoding",
    "examples",
    "headers",
    "links",
    "mapping",
    "parameters",
    "properties",
    "requestBodies",
    "responses",
    "schemas",
    "scopes",
    "securitySchemes",
    "variables",
];

/// Keys whose values are data rather than OpenAPI.
const DATA: [&str; 4] = ["default", "enum", "example", "value"];

pub fn check(spec: &Spec, findings: &mut Findings) {
    let tree = &spec.tree;
    let edition = tree.text("openapi");
    if !edition.is_some_and(|edition| edition.starts_with("3.0.")) {
        let edition = edition.unwrap_or("nothing");
        let message = format!("`openapi` is {edition}; the generator reads 3.0.x only");
        findings.add(&rules::OPENAPI_VERSION, "/openapi", message);
    }
    for part in ["info", "servers", "paths", "components"] {
        let given = tree.get(part);
        let empty = given.is_none_or(|part| part.items().is_empty() && part.entries().count() == 0);
        if empty {
            findings.add_missing_part("", part);
        }
    }
    objects(tree, "", &mut |pointer, node| {
        extensions(spec, pointer, node, findings);
        reference(spec, pointer, node, findings);
    });
    servers(tree, findings);
    key_schemes(tree, findings);
}

/// Calls `visit` with each OpenAPI object, and neither with data nor with maps of names.
fn objects<'a>(node: &'a Node, pointer: &str, visit: &mut impl FnMut(&str, &'a Node)) {
    for (index, item) in node.items().iter().enumerate() {
        objects(item, &format!("{pointer}/{index}"), visit);
    }
    if node.as_map().is_none() {
        return;
    }
    visit(pointer, node);
    for (key, value) in node.entries() {
        let here = join(pointer, key);
        if key.starts_with("x-") || DATA.contains(&key) {
            continue;
        }
        if NAME_MAPS.contains(&key) && value.as_map().is_some() {
            for (name, named) in value.entries() {
                objects(named, &join(&here, name), visit);
            }
        } else {
            objects(value, &here, visit);
        }
    }
}

fn extensions(spec: &Spec, pointer: &str, node: &Node, findings: &mut Findings) {
    for (key, value) in node.entries().filter(|(key, _)| key.starts_with("x-")) {
        let here = join(pointer, key);
        match key {
            "x-provenance" if pointer != "/info" => {
                findings.add_misplaced_extension(&here, "`info`");
            }
            "x-provenance" if value.as_text().is_none() => {
                findings.add(
                    &rules::MALFORMED_EXTENSION,
                    &here,
                    "it is the path of a file",
                );
            }
            "x-enum-varnames" | "x-open-enum" | "x-output-seconds"
                if node.get("enum").is_none() =>
            {
                findings.add_misplaced_extension(&here, "a schema with `enum`");
            }
            "x-open-enum" if !matches!(value, Node::Flag(_)) => {
                findings.add(&rules::MALFORMED_EXTENSION, &here, "it is true or false");
            }
            "x-media" if node.text("format") != Some("uri") => {
                findings.add_misplaced_extension(&here, "a string with `format: uri`");
            }
            KEY if !spec.operations().iter().any(|one| one.pointer() == pointer) => {
                findings.add_misplaced_extension(&here, "an operation below `paths`");
            }
            "x-media" => super::media::check(&here, value, findings),
            "x-output-seconds" => super::media::check_output(&here, value, node, findings),
            key if EXTENSIONS.contains(&key) => {}
            _ => {
                let known = EXTENSIONS.join(", ");
                let message = format!("nothing reads this extension; known ones are {known}");
                findings.add(&rules::UNKNOWN_EXTENSION, &here, message);
            }
        }
    }
}

fn reference(spec: &Spec, pointer: &str, node: &Node, findings: &mut Findings) {
    let Some(reference) = node.get("$ref") else {
        return;
    };
    let here = join(pointer, "$ref");
    match reference.as_text() {
        None => findings.add(&rules::BROKEN_REFERENCE, &here, "a `$ref` is a text"),
        Some(target) if !target.starts_with("#/components/") => {
            let message = format!("`{target}` does not lead to this document's components");
            findings.add(&rules::BROKEN_REFERENCE, &here, message);
        }
        Some(_) => {
            if let Err(error) = spec.resolve(node) {
                findings.add(&rules::BROKEN_REFERENCE, &here, error.to_string());
            }
        }
    }
    let siblings = node.entries().map(|(key, _)| key);
    let siblings: Vec<_> = siblings.filter(|key| *key != "$ref").collect();
    if !siblings.is_empty() {
        let keys = siblings.join("`, `");
        let message = format!("OpenAPI 3.0 ignores `{keys}` beside a `$ref`");
        findings.add(&rules::REFERENCE_SIBLINGS, pointer, message);
    }
}

fn servers(tree: &Node, findings: &mut Findings) {
    let servers = tree.get("servers").map_or(&[][..], Node::items);
    for (index, server) in servers.iter().enumerate() {
        let pointer = format!("/servers/{index}");
        match server.text("url") {
            Some(url) if url.starts_with("https://") && !url.ends_with('/') => {}
            Some(url) => {
                findings.add_unfit_name(
                    &join(&pointer, "url"),
                    url,
                    "an absolute https URL without a slash at its end",
                );
            }
            None => findings.add_missing_part(&pointer, "url"),
        }
        if server.get("variables").is_some() {
            let why = "variables of a server reach no generated constant";
            findings.add_ignored(&join(&pointer, "variables"), why);
        }
    }
}

fn key_schemes(tree: &Node, findings: &mut Findings) {
    let schemes = tree.at("/components/securitySchemes");
    for (name, scheme) in schemes.into_iter().flat_map(Node::entries) {
        let header = scheme.text("type") == Some("apiKey") && scheme.text("in") == Some("header");
        if !header || scheme.text("name").is_none() {
            let pointer = join("/components/securitySchemes", name);
            findings.add(
                &rules::TYPE,
                &pointer,
                "only a named `apiKey` in a header is generated",
            );
        }
    }
}
