//! The generated crate in short: what a person can name and call, and a fingerprint of all the rest.
//!
//! Everything in `src/generated` but the limits, which have tables of their own, belongs to one outline: a type with its
//! builder, an enum, an operation with its builder, or the crate for what is nobody else's.

mod owners;
mod shorten;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem;

use prettyplease::unparse;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use sha2::{Digest, Sha256};
use syn::{
    Attribute, Fields, File, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, Type, Visibility,
    parse_quote,
};

pub use owners::owned;
use shorten::shorten;

/// The outline of the items that belong together.
pub fn outline(items: &[Item]) -> String {
    let mut text = String::new();
    let mut traits = Vec::new();
    let fields = fields(items);
    for item in items {
        show(item, "", &fields, &mut text, &mut traits);
    }
    if !traits.is_empty() {
        traits.sort();
        traits.dedup();
        let _ = writeln!(text, "traits: {}", traits.join(", "));
    }
    let _ = writeln!(text, "fingerprint: {}", fingerprint(items));
    text
}

/// The public fields of the types among `items`, each with its type on one line.
fn fields(items: &[Item]) -> BTreeMap<String, String> {
    let structs = items.iter().filter_map(|item| match item {
        Item::Struct(item) => Some(&item.fields),
        _ => None,
    });
    let public = structs.flatten().filter(|field| is_public(&field.vis));
    public
        .filter_map(|field| {
            let name = field.ident.as_ref()?.to_string();
            Some((name, one_line(&field.ty.to_token_stream())))
        })
        .collect()
}

fn show(
    item: &Item,
    module: &str,
    fields: &BTreeMap<String, String>,
    text: &mut String,
    traits: &mut Vec<String>,
) {
    match item {
        // The fields of a builder mirror those of its type.
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
            None => text.push_str(&methods(block, module, fields)),
        },
        Item::Mod(inner) if is_public(&inner.vis) => {
            let module = format!("{module}{}::", inner.ident);
            for item in inner.content.iter().flat_map(|(_, items)| items) {
                show(item, &module, fields, text, traits);
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
                field.attrs.retain(|attribute| !is_usual(attribute));
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

/// The attribute that every optional field has.
fn is_usual(attribute: &Attribute) -> bool {
    let text = shorten(attribute.to_token_stream()).to_string();
    text.contains("serde (skip_serializing_if = \"::std::option::Option::is_none\")")
}

/// The signatures of a block. Of a builder, the setters that mirror a field are one line: the field is shown.
fn methods(block: &ItemImpl, module: &str, fields: &BTreeMap<String, String>) -> String {
    let mut lines = String::new();
    let mut mirrors = 0;
    for item in &block.items {
        match item {
            ImplItem::Fn(method) if is_public(&method.vis) => {
                let name = method.sig.ident.to_string();
                let line = signature(method);
                let is_mirror = !module.is_empty()
                    && fields
                        .get(&name)
                        .is_some_and(|kind| line == setter(&name, kind));
                if is_mirror {
                    mirrors += 1;
                } else {
                    let _ = writeln!(lines, "    {line};");
                }
            }
            ImplItem::Const(constant) if is_public(&constant.vis) => {
                let kind = one_line(&constant.ty.to_token_stream());
                let _ = writeln!(lines, "    pub const {}: {kind};", constant.ident);
            }
            _ => {}
        }
    }
    if mirrors > 0 && mirrors == fields.len() {
        lines.push_str("    // a setter for each field\n");
    } else if mirrors > 0 {
        let _ = writeln!(
            lines,
            "    // setters for {mirrors} of the {} fields",
            fields.len()
        );
    }
    if lines.is_empty() {
        return String::new();
    }
    let of = one_line(&block.self_ty.to_token_stream());
    format!("impl {module}{of} {{\n{lines}}}\n")
}

fn signature(method: &ImplItemFn) -> String {
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
    let line = line.trim_end_matches("{}").trim_end();
    line.trim_end_matches(',').to_owned()
}

fn setter(name: &str, kind: &str) -> String {
    format!(
        "pub fn {name}<T>(mut self, value: T) -> Self where T: TryInto<{kind}>, T::Error: Display"
    )
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
