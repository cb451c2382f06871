//! The document of this workspace, edits of it, and what is generated from it.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use openapi_codegen::spec::Spec;
use openapi_codegen::{Files, Origin};
use openapi_diff::tree::Node;

/// What the headers of generated files name.
pub const ORIGIN: Origin<'_> = Origin {
    document: "spec.yaml",
    command: "make code",
};

/// The text of the document.
pub fn source() -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = package.join("../../openapi/kling-v3-omni.yaml");
    fs::read_to_string(path).expect("the document can be read")
}

/// The document.
pub fn spec() -> Spec {
    static SPEC: OnceLock<Spec> = OnceLock::new();
    SPEC.get_or_init(|| Spec::parse(source()).expect("the document is YAML"))
        .clone()
}

/// The files that are generated from a document.
pub fn generate(spec: &Spec) -> Files {
    openapi_codegen::generate(spec, ORIGIN).expect("the generator copes")
}

/// Edits with their values written as YAML.
pub fn yaml(edits: &[(&str, &str)]) -> Vec<(String, Node)> {
    let edits = edits.iter();
    edits
        .map(|(pointer, value)| {
            let value = serde_saphyr::from_str(value).expect("the edit is YAML");
            ((*pointer).to_owned(), value)
        })
        .collect()
}

/// The real spec after edits: what to put at each JSON pointer. Null takes it out, a last step `-` appends to a list.
pub fn edited(edits: impl IntoIterator<Item = (String, Node)>) -> Spec {
    let mut spec = spec();
    for (pointer, value) in edits {
        edit(&mut spec.tree, &pointer, value);
    }
    spec
}

/// Puts a value at a JSON pointer. Null takes out what is there, a last step `-` appends to a list.
pub fn edit(tree: &mut Node, pointer: &str, value: Node) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a step");
    let parent = tree
        .at_mut(parent)
        .unwrap_or_else(|| panic!("the spec has no {parent}"));
    let key = key.replace("~1", "/").replace("~0", "~");
    match (parent, value) {
        (parent, Node::Null) => {
            let gone = parent.remove(&key);
            assert!(gone.is_some(), "the spec has no {pointer}");
        }
        (Node::List(items), value) if key == "-" => items.push(value),
        (Node::List(items), value) => items[key.parse::<usize>().expect("an index")] = value,
        (parent, value) => parent.set(&key, value),
    }
}
