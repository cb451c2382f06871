//! The client generator's one file, cut so that a change of the spec changes few files.

use anyhow::{Context as _, Result, bail};
use heck::ToSnakeCase as _;
use indexmap::IndexMap;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use syn::{GenericArgument, Item, ItemImpl, ItemMod, PathArguments, Type};

/// The Rust files of the generated crate by their path below `generated/`, as token streams.
pub type Sources = IndexMap<String, TokenStream>;

/// Cuts the generator's one file into the client, one file for each type and one for each operation.
pub fn split(file: syn::File) -> Result<Sources> {
    let mut sources = Sources::new();
    let mut client = Vec::new();
    for item in file.items {
        match item {
            Item::Mod(module) if module.ident == "types" => types(module, &mut sources)?,
            Item::Mod(module) if module.ident == "builder" => operations(module, &mut sources)?,
            Item::Mod(module) if module.ident == "prelude" => {}
            Item::Use(_) => {}
            item => client.push(item),
        }
    }
    sources.insert(
        "client.rs".to_owned(),
        quote! {
            use progenitor_client::{ClientHooks, ClientInfo};
            use super::operations as builder;
            #(#client)*
        },
    );
    Ok(sources)
}

fn types(module: ItemMod, sources: &mut Sources) -> Result<()> {
    let mut groups: IndexMap<String, Vec<Item>> = IndexMap::new();
    let mut builders: IndexMap<String, Vec<Item>> = IndexMap::new();
    let mut rest = Vec::new();
    for item in content(module) {
        match item {
            Item::Mod(module) if module.ident == "builder" => {
                for item in content(module) {
                    builders.entry(owner(&item)?).or_default().push(item);
                }
            }
            Item::Mod(module) => rest.push(Item::Mod(module)),
            item => groups.entry(owner(&item)?).or_default().push(item),
        }
    }
    let names: Vec<_> = groups.keys().map(|name| format_ident!("{name}")).collect();
    let files: Vec<_> = groups
        .keys()
        .map(|name| format_ident!("{}", name.to_snake_case()))
        .collect();
    let built: Vec<_> = builders
        .keys()
        .map(|name| format_ident!("{name}"))
        .collect();
    let built_in: Vec<_> = builders
        .keys()
        .map(|name| format_ident!("{}", name.to_snake_case()))
        .collect();
    sources.insert(
        "types/mod.rs".to_owned(),
        quote! {
            //! The request and response bodies.
            #(mod #files;)*
            #(pub use #files::#names;)*
            /// Builders of the types.
            pub mod builder {
                #(pub use super::#built_in::builder::#built;)*
            }
            #(#rest)*
        },
    );
    for (name, items) in groups {
        let builder = builders.shift_remove(&name).map(|items| {
            quote! {
                pub mod builder {
                    #(#items)*
                }
            }
        });
        sources.insert(
            format!("types/{}.rs", name.to_snake_case()),
            quote! {
                use super::*;
                #(#items)*
                #builder
            },
        );
    }
    Ok(())
}

fn operations(module: ItemMod, sources: &mut Sources) -> Result<()> {
    let mut groups: IndexMap<String, Vec<Item>> = IndexMap::new();
    for item in content(module) {
        if !matches!(item, Item::Use(_)) {
            groups.entry(owner(&item)?).or_default().push(item);
        }
    }
    let names: Vec<_> = groups.keys().map(|name| format_ident!("{name}")).collect();
    let files: Vec<_> = groups
        .keys()
        .map(|name| format_ident!("{}", name.to_snake_case()))
        .collect();
    sources.insert(
        "operations/mod.rs".to_owned(),
        quote! {
            //! One builder for each operation; [`Client`] starts them.
            use progenitor_client::{
                ByteStream, ClientHooks, ClientInfo, Error, OperationInfo, RequestBuilderExt,
                ResponseValue, encode_path,
            };
            use super::client::Client;
            use super::types;
            #(mod #files;)*
            #(pub use #files::#names;)*
        },
    );
    for (name, items) in groups {
        sources.insert(
            format!("operations/{}.rs", name.to_snake_case()),
            quote! {
                use super::*;
                #(#items)*
            },
        );
    }
    Ok(())
}

fn content(module: ItemMod) -> Vec<Item> {
    module.content.map(|(_, items)| items).unwrap_or_default()
}

/// The type that an item declares or belongs to.
fn owner(item: &Item) -> Result<String> {
    match item {
        Item::Struct(item) => Ok(item.ident.to_string()),
        Item::Enum(item) => Ok(item.ident.to_string()),
        Item::Impl(item) => match last_name(&item.self_ty) {
            // `impl From<super::X> for X` and `impl TryFrom<X> for super::X` both belong to X.
            Some(name) if !is_of_std(&item.self_ty) => Ok(name),
            // `impl From<X> for ::std::collections::HashMap<…>` belongs to X.
            _ => converted(item).with_context(|| {
                format!(
                    "an impl of an unexpected type: {}",
                    item.self_ty.to_token_stream()
                )
            }),
        },
        other => bail!("an unexpected item: {}", other.to_token_stream()),
    }
}

fn last_name(of: &Type) -> Option<String> {
    let Type::Path(path) = of else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

fn is_of_std(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.segments.first().is_some_and(|first| first.ident == "std"))
}

/// X of `impl From<X> for …`.
fn converted(item: &ItemImpl) -> Option<String> {
    let (conversion, _) = item.trait_.as_ref()?;
    let PathArguments::AngleBracketed(arguments) = &conversion.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(from) => last_name(from),
        _ => None,
    }
}
