//! A document as it was read: its operations and schemas, and what its references lead to.

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use openapi_diff::document::{self, Document, Lines, Unreadable, operations};
use openapi_diff::tree::Node;

pub use openapi_diff::document::Operation;

/// The spec as it was read.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The whole document.
    pub tree: Node,
    /// Where its parts stand in the file.
    pub lines: Lines,
    /// [`hash`] of the text.
    pub sha256: String,
}

impl Spec {
    /// Reads the text of a spec.
    pub fn parse(source: impl AsRef<[u8]>) -> Result<Self, Unreadable> {
        let Document { tree, lines, .. } = Document::parse("", source.as_ref())?;
        Ok(Self {
            tree,
            lines,
            sha256: hash(&String::from_utf8_lossy(source.as_ref())),
        })
    }

    /// Every operation in the order of the document, without callbacks.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        operations(&self.tree)
    }

    /// The named component schemas in the order of the document.
    pub fn schemas(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.tree
            .at("/components/schemas")
            .into_iter()
            .flat_map(Node::entries)
    }

    /// Follows `$ref` until something else comes.
    pub fn resolve<'a>(&'a self, node: &'a Node) -> Result<&'a Node> {
        Ok(self.locate("", node)?.1)
    }

    /// Follows `$ref` from `pointer` until something else comes, and answers with its JSON pointer.
    pub fn locate<'a>(&'a self, pointer: &str, node: &'a Node) -> Result<(String, &'a Node)> {
        Ok(document::locate(&self.tree, pointer, node)?)
    }
}

/// SHA-256 of a text in hexadecimal, the same whatever ends its lines and with a byte order mark or without.
pub fn hash(source: &str) -> String {
    let text = source.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The last step of a `$ref` to a component schema.
pub fn schema_name(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/components/schemas/")
}
