//! Generates a Rust client from an OpenAPI 3.0 document: a document in, a map of files or a list of findings out.
//!
//! [progenitor](https://docs.rs/progenitor) makes the types and the operations. It accepts documents that it then gets
//! wrong without an error, and it knows nothing of limits. This crate adds:
//!
//! * **A lint** ([`accept`]). It refuses what progenitor would drop, rename or misread: inline enums and bodies, several
//!   2xx responses, ranges of statuses, media types other than JSON, keywords without a Rust type, names that collide in
//!   Rust, and extensions that nothing reads. [`rules`] lists them all.
//! * **Preparation** ([`prepare`]). progenitor does not see error responses, so that such a response arrives whole; it does
//!   not see bounds and defaults, so that a caller can send what the document forbids; any 2xx status is success; a list
//!   of a response may be absent or null.
//! * **Emitters** for enums (open ones keep unknown values), for every limit, default and media rule as a constant, for
//!   the servers, the key headers, the table of operations, and for the operations that create, read and list tasks.
//! * **A check of the output**. progenitor ignores a setting whose name it does not find, so only the output shows
//!   whether the setting worked.
//! * **One file for each type and operation.** A change of the document changes few files.
//!
//! The document says with extensions what OpenAPI cannot say: `x-enum-varnames`, `x-open-enum`, `x-media` and `x-task`.
//! The generated code is the module `generated` of a crate that declares the few types it names: `Field`, `Media`,
//! `Operation`, `CreateSpec`, `RequestBody` and their like.
//!
//! Nothing here reads or writes a file.

#![warn(missing_docs)]

pub mod finding;
pub mod prepare;
pub mod rules;
pub mod spec;

mod lint;
mod task;

mod bodies;
mod client;
mod construct;
mod enums;
mod limits;
mod service;
mod tasks;

mod render;
mod split;
mod verify;

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use proc_macro2::TokenStream;
use quote::quote;

use finding::{Finding, Findings};
use spec::Spec;

pub use client::GENERATOR;
pub use limits::SPANS;
pub use lint::lint;
pub use task::KEY as TASK;

/// The generated files by their path, with `/`.
pub type Files = BTreeMap<String, String>;

/// What the header of each file says of its origin.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The name of the document.
    pub document: &'a str,
    /// The command that generates the files.
    pub command: &'a str,
}

/// Reads a document and refuses one that breaks a rule.
///
/// # Errors
///
/// Every finding, sorted by place.
pub fn accept(source: impl AsRef<[u8]>) -> Result<Spec, Vec<Finding>> {
    let spec = Spec::parse(source).map_err(|error| {
        let mut findings = Findings::default();
        findings.add_unreadable(error);
        findings.into_sorted()
    })?;
    match lint(&spec) {
        findings if findings.is_empty() => Ok(spec),
        findings => Err(findings),
    }
}

/// Makes every file in memory, twice, and checks them.
///
/// # Errors
///
/// When progenitor refuses a document that passed every rule, or when the output is not what it has to be.
pub fn generate(spec: &Spec, origin: Origin<'_>) -> Result<Files> {
    let files = emit(spec, origin)?;
    ensure!(
        files == emit(spec, origin)?,
        "two runs over one document differ"
    );
    Ok(files)
}

fn emit(spec: &Spec, origin: Origin<'_>) -> Result<Files> {
    let prepared = prepare::prepare(spec)?;
    let components = prepared.tree.at("/components/schemas");
    let mut replacements = enums::names(spec);
    replacements.retain(|name| components.is_some_and(|all| all.get(name).is_some()));

    let mut client = client::generate(&prepared, &replacements)?;
    let requests = limits::request_schemas(spec)?;
    let requests = requests.into_iter().map(|(name, _)| name).collect();
    construct::add_constructors(&mut client, &requests);
    let mut sources = split::split(client)?;
    sources.insert("bodies.rs".to_owned(), bodies::emit(spec));
    sources.insert("enums.rs".to_owned(), enums::emit(spec)?);
    sources.extend(limits::emit(spec)?);
    sources.insert("service.rs".to_owned(), service::emit(spec)?);
    sources.insert("tasks.rs".to_owned(), tasks::emit(spec)?);
    sources.insert("mod.rs".to_owned(), root());

    let mut files = Files::new();
    for (path, tokens) in sources {
        let header = header(&path, spec, origin);
        let text = format!("{header}\n{}", render::render(&path, tokens)?);
        files.insert(path, text);
    }
    verify::verify(spec, &prepared, &replacements, &files)?;
    Ok(files)
}

/// The header of a file. Only one file has the hash: in each, every edit of the document would change them all.
fn header(path: &str, spec: &Spec, origin: Origin<'_>) -> String {
    let Origin { document, command } = origin;
    let mut header =
        format!("// @generated by `{command}` from {document}; edit the spec, not this file.\n");
    if path == "mod.rs" {
        header += &hash_line(&spec.sha256);
        header += &format!("// Generator: {GENERATOR}\n");
    }
    header
}

/// The line of the header of `mod.rs` that has the hash of the document.
pub fn hash_line(sha256: &str) -> String {
    format!("// Spec: sha256 {sha256}\n")
}

fn root() -> TokenStream {
    quote! {
        mod bodies;
        mod client;
        pub mod enums;
        pub mod limits;
        pub mod operations;
        pub mod service;
        pub mod tasks;
        pub mod types;

        pub use client::Client;
    }
}
