//! Copies of the workspace, edits of the document, and snapshots.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use insta::Settings;
use openapi_codegen::spec::Spec;
use openapi_diff::tree::Node;
use tempfile::TempDir;
use xtask::codegen::{self, GENERATED, Mode, Outcome, SPEC};

/// Lines of a screen.
pub const SCREEN: usize = 50;

/// The root of the real workspace.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("the package is in a workspace")
        .to_owned()
}

/// The text of the real spec.
pub fn source() -> String {
    fs::read_to_string(root().join(SPEC)).expect("the spec can be read")
}

/// The real spec.
pub fn spec() -> Spec {
    static SPEC: OnceLock<Spec> = OnceLock::new();
    SPEC.get_or_init(|| Spec::parse(source()).expect("the spec is YAML"))
        .clone()
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

/// A throwaway copy of what code generation reads and writes.
pub struct Workspace(TempDir);

impl Workspace {
    /// A copy that is up to date.
    pub fn new() -> Self {
        let copy = Self(TempDir::new().expect("a temporary folder"));
        for part in [SPEC, GENERATED] {
            copy_all(&root().join(part), &copy.root().join(part));
        }
        copy
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn generated(&self) -> PathBuf {
        self.root().join(GENERATED)
    }

    /// Runs code generation here.
    pub fn run(&self, mode: Mode) -> Outcome {
        codegen::run(self.root(), mode).expect("code generation works")
    }

    /// Lowers the greatest length of the prompt by one, whatever it is.
    pub fn tighten(&self) {
        let spec = spec();
        let bound = spec.tree.at("/components/schemas/Prompt/maxLength");
        let bound = bound
            .and_then(Node::as_u64)
            .expect("the prompt has a bound");
        let prompt = |bound| format!("    Prompt:\n      type: string\n      maxLength: {bound}\n");
        self.edit(&prompt(bound), &prompt(bound - 1));
    }

    /// Misspells an extension.
    pub fn misspell(&self) {
        self.edit("x-open-enum:", "x-open-enums:");
    }

    /// Replaces a text in the spec.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.root().join(SPEC);
        let text = fs::read_to_string(&path).expect("the copy can be read");
        assert!(text.contains(from), "the spec has no `{from}`");
        fs::write(path, text.replacen(from, to, 1)).expect("written");
    }

    /// Every file below the generated folder with its content.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut ahead = vec![self.generated()];
        while let Some(folder) = ahead.pop() {
            for entry in fs::read_dir(folder).expect("listed") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    ahead.push(path);
                } else {
                    let content = fs::read(&path).expect("read");
                    files.insert(path, content);
                }
            }
        }
        files
    }
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).expect("listed") {
            let entry = entry.expect("an entry");
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().expect("a parent")).expect("made");
        fs::copy(from, to).expect("copied");
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
