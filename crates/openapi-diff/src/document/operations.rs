//! The operations of a document.

use super::METHODS;
use crate::tree::{Node, join};

/// One operation of a document.
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

/// Every operation below `paths`, in the order of the document.
pub fn operations(tree: &Node) -> Vec<Operation<'_>> {
    let paths = tree.get("paths").into_iter().flat_map(Node::entries);
    paths
        .flat_map(|(path, item)| {
            let methods = item.entries().filter(|(key, _)| METHODS.contains(key));
            methods.map(move |(method, node)| Operation {
                path,
                method,
                node,
                item,
            })
        })
        .collect()
}

impl<'a> Operation<'a> {
    /// The `operationId`.
    pub fn id(&self) -> Option<&'a str> {
        self.node.text("operationId")
    }

    /// `METHOD /path`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }

    /// The JSON pointer to it.
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
