//! The servers, the key headers and the table of operations.

use anyhow::{Context as _, Result};
use heck::{ToShoutySnakeCase as _, ToSnakeCase as _};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::spec::Spec;
use super::tasks;
use openapi_diff::tree::Node;

/// Emits the servers, the names of the key headers and the table of operations.
pub fn emit(spec: &Spec) -> Result<TokenStream> {
    let mut constants = Vec::new();
    let mut servers = Vec::new();
    for server in spec.tree.get("servers").map_or(&[][..], Node::items) {
        let url = server.text("url").context("a server has no `url`")?;
        let name = format_ident!("{}", host(url).to_shouty_snake_case());
        let doc = format!(" {}.", server.text("description").unwrap_or(url));
        constants.push(quote! {
            #[doc = #doc]
            pub const #name: &str = #url;
        });
        servers.push(name);
    }
    let schemes = spec.tree.at("/components/securitySchemes");
    for (name, scheme) in schemes.into_iter().flat_map(Node::entries) {
        let header = scheme.text("name").context("a key scheme has no `name`")?;
        let doc = format!(" {}", scheme.text("description").unwrap_or(name));
        let name = format_ident!("{}_HEADER", name.to_shouty_snake_case());
        constants.push(quote! {
            #[doc = #doc]
            pub const #name: &str = #header;
        });
    }
    let mut operations = Vec::new();
    for operation in spec.operations() {
        let id = operation.id().context("an operation has no operationId")?;
        let doc = format!(" {}.", operation.node.text("summary").unwrap_or(id));
        let constant = format_ident!("{}", id.to_shouty_snake_case());
        let (name, path) = (id.to_snake_case(), operation.path);
        let method = operation.method.to_uppercase();
        let role = tasks::role(&operation)?;
        constants.push(quote! {
            #[doc = #doc]
            pub const #constant: Operation = Operation {
                id: #id,
                name: #name,
                method: #method,
                path: #path,
                role: #role,
            };
        });
        operations.push(constant);
    }
    Ok(quote! {
        //! Where the service is, how it takes keys, and what it can do.
        use super::tasks::{TaskCreate, TaskList, TaskRead};
        use crate::{Operation, Role};
        #(#constants)*
        /// All base URLs, in the order of the spec.
        pub const SERVERS: &[&str] = &[#(#servers),*];
        /// All operations, in the order of the spec.
        pub const OPERATIONS: &[Operation] = &[#(#operations),*];
    })
}

/// The host of an absolute URL.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or(rest)
}
