//! Rust as text.

use std::mem;

use anyhow::{Context as _, Result};
use proc_macro2::TokenStream;
use syn::{File, Item};

/// Formats Rust, with an empty line between the items of a file.
pub fn render(path: &str, tokens: TokenStream) -> Result<String> {
    let mut file: File =
        syn::parse2(tokens).with_context(|| format!("the output for {path} is not valid Rust"))?;
    let items = mem::take(&mut file.items);
    let mut text = prettyplease::unparse(&file);
    let mut previous: Option<Kind> = None;
    for item in items {
        let kind = Kind::of(&item);
        let together = kind != Kind::Other && previous == Some(kind);
        if !text.is_empty() && !together {
            text.push('\n');
        }
        previous = Some(kind);
        text += &prettyplease::unparse(&File {
            shebang: None,
            frontmatter: None,
            attrs: Vec::new(),
            items: vec![item],
        });
    }
    Ok(text)
}

/// What decides whether two neighbours stand close together.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Declaration,
    Import,
    Export,
    Other,
}

impl Kind {
    fn of(item: &Item) -> Self {
        match item {
            Item::Mod(module) if module.content.is_none() => Self::Declaration,
            Item::Use(import) if matches!(import.vis, syn::Visibility::Inherited) => Self::Import,
            Item::Use(_) => Self::Export,
            _ => Self::Other,
        }
    }
}
