//! Which schema or operation each generated item belongs to.

use std::collections::BTreeMap;

use kling_omni_api::service;
use quote::ToTokens;
use syn::{Expr, ImplItem, Item, ItemImpl, Lit};

use kling_omni_test_support::sources;

const GENERATED: &str = "crates/kling-omni-api/src/generated";
/// Owner of what belongs to no type and no operation.
const CRATE: &str = "crate";
/// The files with enums, and what the outlines of these are called.
const ENUMS: [&str; 2] = ["enums", "tasks"];

/// Every item of the generated code by the name of the outline that it belongs to.
pub fn owned() -> BTreeMap<String, Vec<Item>> {
    let mut owned = BTreeMap::<String, Vec<Item>>::new();
    let mut give = |owner: String, item: Item| owned.entry(owner).or_default().push(item);
    for path in sources::files_below(GENERATED) {
        let name = path.trim_start_matches(GENERATED).trim_start_matches('/');
        let Some(name) = name.strip_suffix(".rs") else {
            continue;
        };
        let file = syn::parse_file(&sources::read(&path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        match name.split_once('/') {
            Some(("limits", _)) => {}
            Some((_, "mod")) => file
                .items
                .into_iter()
                .for_each(|item| give(CRATE.to_owned(), item)),
            Some(("types", _)) => {
                let owner = format!("types.{}", main_type(&path, &file.items));
                file.items
                    .into_iter()
                    .for_each(|item| give(owner.clone(), item));
            }
            Some(("operations", method)) => {
                let owner = operation(method)
                    .unwrap_or_else(|| panic!("{path} belongs to no operation of the service"));
                file.items
                    .into_iter()
                    .for_each(|item| give(owner.clone(), item));
            }
            _ => file
                .items
                .into_iter()
                .flat_map(|item| split(name, item))
                .for_each(|(owner, item)| give(owner, item)),
        }
    }
    owned
}

/// The one public type of a file.
fn main_type(path: &str, items: &[Item]) -> String {
    let mut types = items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        _ => None,
    });
    match (types.next(), types.next()) {
        (Some(name), None) => name.to_string(),
        _ => panic!("{path} does not define exactly one type"),
    }
}

/// The outline of the operation behind a method of the client.
fn operation(method: &str) -> Option<String> {
    let mut operations = service::OPERATIONS.iter();
    let operation = operations.find(|operation| operation.name == method)?;
    Some(format!("op.{}", operation.id))
}

/// Gives the parts of a file that is about several things to their owners.
fn split(file: &str, item: Item) -> Vec<(String, Item)> {
    match item {
        Item::Enum(item) if ENUMS.contains(&file) => {
            vec![(format!("{file}.{}", item.ident), Item::Enum(item))]
        }
        Item::Impl(block) if ENUMS.contains(&file) => {
            let of = block.self_ty.to_token_stream();
            vec![(format!("{file}.{of}"), Item::Impl(block))]
        }
        Item::Impl(block) => split_impl(block),
        Item::Const(item) => {
            let owner = operation_of_constant(&item.expr).unwrap_or_else(|| CRATE.to_owned());
            vec![(owner, Item::Const(item))]
        }
        item => vec![(CRATE.to_owned(), item)],
    }
}

/// Gives the methods of the client to their operations.
fn split_impl(block: ItemImpl) -> Vec<(String, Item)> {
    let mut parts = BTreeMap::<String, ItemImpl>::new();
    for item in &block.items {
        let owner = match item {
            ImplItem::Fn(method) => operation(&method.sig.ident.to_string()),
            _ => None,
        };
        parts
            .entry(owner.unwrap_or_else(|| CRATE.to_owned()))
            .or_insert_with(|| ItemImpl {
                items: Vec::new(),
                ..block.clone()
            })
            .items
            .push(item.clone());
    }
    parts
        .into_iter()
        .map(|(owner, part)| (owner, Item::Impl(part)))
        .collect()
}

/// The owner of an `Operation { name: "…", .. }`.
fn operation_of_constant(value: &Expr) -> Option<String> {
    let Expr::Struct(value) = value else {
        return None;
    };
    let name = value.fields.iter().find_map(|field| match &field.expr {
        Expr::Lit(literal) if field.member.to_token_stream().to_string() == "name" => {
            Some(&literal.lit)
        }
        _ => None,
    })?;
    match name {
        Lit::Str(name) => operation(&name.value()),
        _ => None,
    }
}
