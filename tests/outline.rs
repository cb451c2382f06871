//! The generated crate in short: what a person can name and call, and a fingerprint of all the rest.
//!
//! Everything in `src/generated` but the limits, which have tables of their own, belongs to one outline: a type with its
//! builder, an enum, an operation with its builder, or the crate for what is nobody else's.

mod owners;
mod shorten;

use std::fmt::Write as _;
use std::mem;

use prettyplease::unparse;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use sha2::{Digest, Sha256};
use syn::{
    Attribute, Fields, File, ImplItem, Item, ItemFn, ItemImpl, Type, Visibility, parse_quote,
};

pub use owners::owned;
use shorten::shorten;

/// The outline of the items that belong together.
pub fn outline(items: &[Item]) -> String {
    let mut text = String::new();
    let mut traits = Vec::new();
    for item in items {
        show(item, "", &mut text, &mut traits);
    }
    if !traits.is_empty() {
        traits.sort();
        traits.dedup();
        let _ = writeln!(text, "traits: {}", traits.join(", "));
    }
    let _ = writeln!(text, "fingerprint: {}", fingerprint(items));
    text
}

fn show(item: &Item, module: &str, text: &mut String, traits: &mut Vec<String>) {
    match item {
        // The fields of a builder mirror those of its type, and its methods are shown.
        Item::Struct(_) if !module.is_empty() => {}
        Item::Struct(definition) if is_public(&definition.vis) => {
            text.push_str(&definition_of(item));
        }
        Item::Enum(definition) if is_public(&definition.vis) => text.push_str(&definition_of(item)),
        Item::Const(constant) if is_public(&constant.vis) => text.push_str(&definition_of(item)),
        Item::Impl(block) => match &block.trait_ {
            Some((path, _)) if module.is_empty() => {
                traits.push(one_line(&path.segments.last().to_token_stream()));
            }
            Some(_) => {}
            None => text.push_str(&methods(block, module)),
        },
        Item::Mod(inner) if is_public(&inner.vis) => {
            let module = format!("{module}{}::", inner.ident);
            for item in inner.content.iter().flat_map(|(_, items)| items) {
                show(item, &module, text, traits);
            }
        }
        _ => {}
    }
}

fn definition_of(item: &Item) -> String {
    let mut item: Item =
        syn::parse2(shorten(item.to_token_stream())).expect("a shorter item is one still");
    match &mut item {
        Item::Struct(definition) => {
            first_line_of_docs(&mut definition.attrs);
            if let Fields::Named(fields) = &mut definition.fields {
                let public = mem::take(&mut fields.named);
                fields.named = public
                    .into_iter()
                    .filter(|field| is_public(&field.vis))
                    .collect();
            }
            for field in &mut definition.fields {
                first_line_of_docs(&mut field.attrs);
            }
        }
        Item::Enum(definition) => {
            first_line_of_docs(&mut definition.attrs);
            for variant in &mut definition.variants {
                first_line_of_docs(&mut variant.attrs);
            }
        }
        Item::Const(constant) => first_line_of_docs(&mut constant.attrs),
        _ => {}
    }
    unparse(&file(item)).replace("\"::std::option::", "\"")
}

fn methods(block: &ItemImpl, module: &str) -> String {
    let lines: String = block
        .items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Fn(method) if is_public(&method.vis) => {
                let signature = ItemFn {
                    attrs: Vec::new(),
                    vis: method.vis.clone(),
                    sig: method.sig.clone(),
                    block: parse_quote!({}),
                    ..parse_quote!(
                        fn f() {}
                    )
                };
                let line = one_line(&signature.to_token_stream());
                let line = line.trim_end_matches("{}").trim_end().trim_end_matches(',');
                Some(format!("    {line};\n"))
            }
            ImplItem::Const(constant) if is_public(&constant.vis) => {
                let kind = one_line(&constant.ty.to_token_stream());
                Some(format!("    pub const {}: {kind};\n", constant.ident))
            }
            _ => None,
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let of = one_line(&block.self_ty.to_token_stream());
    format!("impl {module}{of} {{\n{lines}}}\n")
}

/// Code on one line, in the spacing of people.
fn one_line(tokens: &TokenStream) -> String {
    let tokens = shorten(tokens.clone());
    let text = if let Ok(item) = syn::parse2::<Item>(tokens.clone()) {
        unparse(&file(item))
    } else {
        let of: Type = syn::parse2(tokens).expect("a type or an item");
        let text = unparse(&file(parse_quote!(type T = #of;)));
        let text = text.trim().trim_end_matches(';');
        text.trim_start_matches("type T = ").to_owned()
    };
    let words: Vec<_> = text.split_whitespace().collect();
    words
        .join(" ")
        .replace("( ", "(")
        .replace(", )", ")")
        .replace("< ", "<")
        .replace(", >", ">")
}

fn file(item: Item) -> File {
    parse_quote!(#item)
}

/// Eight hex digits of a hash over every token, with docs and bodies, and without comments and layout.
fn fingerprint(items: &[Item]) -> String {
    let mut hash = Sha256::new();
    for item in items {
        feed(item.to_token_stream(), &mut hash);
    }
    hash.finalize()[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn feed(tokens: TokenStream, hash: &mut Sha256) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                hash.update(format!("{:?}\n", group.delimiter()));
                feed(group.stream(), hash);
                hash.update("end\n");
            }
            token => hash.update(format!("{token}\n")),
        }
    }
}

fn first_line_of_docs(attributes: &mut Vec<Attribute>) {
    let mut docs = 0;
    attributes.retain(|attribute| {
        docs += usize::from(attribute.path().is_ident("doc"));
        !attribute.path().is_ident("doc") || docs == 1
    });
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
