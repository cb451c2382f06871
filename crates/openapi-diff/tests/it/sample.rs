//! The document that tests edit, and snapshots.

use insta::Settings;
use openapi_diff::tree::Node;

/// The text of a document in which one schema stands in every place where a schema can stand.
pub const SOURCE: &str = include_str!("base.yaml");

/// That document.
pub fn base() -> Node {
    tree(SOURCE)
}

/// A value that is written as YAML.
pub fn tree(text: &str) -> Node {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The document after edits, whose values are written as YAML: what to put at each JSON pointer. Null takes it out, a
/// last step `-` appends to a list.
pub fn edited(edits: &[(&str, &str)]) -> Node {
    let mut edited = base();
    for (pointer, value) in edits {
        edit(&mut edited, pointer, tree(value));
    }
    edited
}

/// Puts a value at a JSON pointer. Null takes out what is there, a last step `-` appends to a list.
pub fn edit(tree: &mut Node, pointer: &str, value: Node) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a step");
    let parent = tree
        .at_mut(parent)
        .unwrap_or_else(|| panic!("the document has no {parent}"));
    let key = key.replace("~1", "/").replace("~0", "~");
    match (parent, value) {
        (parent, Node::Null) => {
            let gone = parent.remove(&key);
            assert!(gone.is_some(), "the document has no {pointer}");
        }
        (Node::List(items), value) if key == "-" => items.push(value),
        (Node::List(items), value) => items[key.parse::<usize>().expect("an index")] = value,
        (parent, value) => parent.set(&key, value),
    }
}

/// Compares a text with its snapshot file.
pub fn snapshot(name: &str, text: &str) {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
