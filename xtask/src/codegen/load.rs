//! The spec as it was read, and the ways about in it.

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use super::SPEC;
use openapi_diff::document::{self, Document, Lines, METHODS, Unreadable};
use openapi_diff::tree::{Node, join};

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

/// One operation of the spec.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The path template.
    pub path: &'a str,
    /// The method in lower case.
    pub method: &'a str,
    /// The operation object.
    pub node: &'a Node,
    /// The path item around it.
    pub item: &'a Node,
}

impl Spec {
    /// Reads the text of a spec.
    pub fn parse(source: impl AsRef<[u8]>) -> Result<Self, Unreadable> {
        let Document { tree, lines, .. } = Document::parse(SPEC, source.as_ref())?;
        Ok(Self {
            tree,
            lines,
            sha256: hash(&String::from_utf8_lossy(source.as_ref())),
        })
    }

    /// Every operation in the order of the document; callbacks are none.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.tree.get("paths").into_iter().flat_map(Node::entries);
        paths
            .flat_map(|(path, item)| {
                let methods = item
                    .entries()
                    .filter(|(method, _)| METHODS.contains(method));
                methods.map(move |(method, node)| Operation {
                    path,
                    method,
                    node,
                    item,
                })
            })
            .collect()
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

impl<'a> Operation<'a> {
    /// The operation's name in the spec.
    pub fn id(&self) -> Option<&'a str> {
        self.node.text("operationId")
    }

    /// Where the operation stands in the document.
    pub fn pointer(&self) -> String {
        join(&join("/paths", self.path), self.method)
    }

    /// The parameters of the path item and then those of the operation, each with its JSON pointer.
    pub fn parameters(&self) -> Vec<(String, &'a Node)> {
        let item = join("/paths", self.path);
        [(item, self.item), (self.pointer(), self.node)]
            .into_iter()
            .flat_map(|(pointer, owner)| {
                let list = owner.get("parameters").map_or(&[][..], Node::items);
                list.iter()
                    .enumerate()
                    .map(move |(index, node)| (format!("{pointer}/parameters/{index}"), node))
            })
            .collect()
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
