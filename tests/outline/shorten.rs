//! Shortens paths in generated code.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};

/// Paths into these are written with their last segment alone.
const WELL_KNOWN: [&str; 4] = ["alloc", "core", "serde", "std"];

/// Writes `::std::option::Option` as `Option`, and `crate::enums::X` as `enums::X`.
pub(super) fn shorten(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut short = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_absolute = is_path_separator(&tokens[at..]);
        let start = if is_absolute { at + 2 } else { at };
        let is_well_known =
            ident(&tokens, start).is_some_and(|name| WELL_KNOWN.iter().any(|known| name == known));
        if is_well_known && is_path_separator(&tokens[start + 1..]) {
            at = start;
            while ident(&tokens, at).is_some()
                && is_path_separator(&tokens[at + 1..])
                && ident(&tokens, at + 3).is_some()
            {
                at += 3;
            }
        } else if ident(&tokens, at).is_some_and(|name| name == "crate")
            && is_path_separator(&tokens[at + 1..])
        {
            at += 3;
        }
        short.push(match &tokens[at] {
            TokenTree::Group(group) => {
                Group::new(group.delimiter(), shorten(group.stream())).into()
            }
            token => token.clone(),
        });
        at += 1;
    }
    short.into_iter().collect()
}

fn is_path_separator(tokens: &[TokenTree]) -> bool {
    let is_colon =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    matches!(tokens, [first, second, ..] if is_colon(first) && is_colon(second))
}

fn ident(tokens: &[TokenTree], at: usize) -> Option<&Ident> {
    match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident),
        _ => None,
    }
}
