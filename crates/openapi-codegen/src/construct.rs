//! A constructor for each request type that cannot be empty.

use std::collections::BTreeSet;

use quote::ToTokens as _;
use syn::{Field, Ident, Item, ItemImpl, ItemStruct, Type, parse_quote};

/// Gives each of the types `names` that has required fields a `new` that takes those and leaves the others out.
///
/// With `..new(…)` a caller's literal compiles on when an optional field comes, and not when a required one does. Types
/// without required fields have `Default` for that.
pub fn add_constructors(file: &mut syn::File, names: &BTreeSet<&str>) {
    for item in &mut file.items {
        let Item::Mod(types) = item else { continue };
        let Some((_, items)) = types.content.as_mut().filter(|_| types.ident == "types") else {
            continue;
        };
        let added: Vec<_> = items
            .iter()
            .filter_map(|item| match item {
                Item::Struct(item) if names.contains(&*item.ident.to_string()) => constructor(item),
                _ => None,
            })
            .collect();
        items.extend(added.into_iter().map(Item::Impl));
    }
}

fn constructor(of: &ItemStruct) -> Option<ItemImpl> {
    let (optional, required): (Vec<_>, Vec<_>) =
        of.fields.iter().partition(|field| may_be_left_out(field));
    if required.is_empty() {
        return None;
    }
    let name = &of.ident;
    let names = |fields: &[&Field]| -> Vec<Ident> {
        fields
            .iter()
            .filter_map(|field| field.ident.clone())
            .collect()
    };
    let (given, left_out) = (names(&required), names(&optional));
    let kinds: Vec<&Type> = required.iter().map(|field| &field.ty).collect();
    let docs = format!(" A body with what [`{name}`] requires, and nothing else.");
    Some(parse_quote! {
        impl #name {
            #[doc = #docs]
            pub fn new(#(#given: #kinds),*) -> Self {
                Self {
                    #(#given,)*
                    #(#left_out: ::std::default::Default::default(),)*
                }
            }
        }
    })
}

/// The generator writes this attribute for every field that the spec does not require, and for no other.
fn may_be_left_out(field: &Field) -> bool {
    let mut attributes = field.attrs.iter();
    attributes.any(|attribute| {
        attribute.path().is_ident("serde")
            && attribute
                .to_token_stream()
                .to_string()
                .contains("skip_serializing_if")
    })
}
