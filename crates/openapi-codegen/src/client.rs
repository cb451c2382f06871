//! The client and its types, by the client generator.

use anyhow::{Context as _, Result, ensure};
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle, TypeImpl};
use quote::quote;
use syn::visit_mut::VisitMut;
use syn::{Attribute, Expr, ExprLit, Field, Item, Lit, Meta, parse_quote};

use super::prepare::{Prepared, REQUEST_BODY};

/// The client generator and the version that the workspace pins.
pub const GENERATOR: &str = "progenitor 0.15.1";

/// Runs the client generator over the prepared document.
///
/// `replacements` names the component schemas whose types come from the enum emitter.
pub fn generate(prepared: &Prepared, replacements: &[String]) -> Result<syn::File> {
    let json = serde_json::to_string(&prepared.tree)?;
    let document: OpenAPI =
        serde_json::from_str(&json).context("the prepared document is not valid OpenAPI 3.0")?;
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_tag(TagStyle::Merged)
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote!(crate::Inner))
        .with_derive("PartialEq");
    for name in replacements {
        let impls = [TypeImpl::Display, TypeImpl::FromStr];
        settings.with_replacement(name, format!("crate::enums::{name}"), impls.into_iter());
    }
    let body = format!("crate::{REQUEST_BODY}");
    settings.with_replacement(REQUEST_BODY, body, std::iter::empty());
    let tokens = Generator::new(&settings)
        .generate_tokens(&document)
        .context("the client generator refuses the prepared spec")?;
    let mut file =
        syn::parse2(tokens).context("the output of the client generator is not valid Rust")?;
    let_null_through(&mut file, prepared)?;
    Docs.visit_file_mut(&mut file);
    Ok(file)
}

/// Makes the tolerant lists take null for the empty list.
fn let_null_through(file: &mut syn::File, prepared: &Prepared) -> Result<()> {
    for (schema, property) in &prepared.tolerant {
        let field = find_field(&mut file.items, schema, property)
            .with_context(|| format!("the generated types have no `{schema}.{property}`"))?;
        let serde = field
            .attrs
            .iter_mut()
            .find(|attribute| attribute.path().is_ident("serde"))
            .with_context(|| format!("`{schema}.{property}` has no serde attribute"))?;
        let Meta::List(options) = &mut serde.meta else {
            continue;
        };
        let given = options.tokens.clone();
        ensure!(
            given.to_string().contains("default"),
            "`{schema}.{property}` is still required"
        );
        options.tokens = quote!(#given, deserialize_with = "crate::tolerant::list");
    }
    Ok(())
}

fn find_field<'a>(items: &'a mut [Item], schema: &str, property: &str) -> Option<&'a mut Field> {
    let types = items.iter_mut().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => module.content.as_mut(),
        _ => None,
    })?;
    let wanted = types.1.iter_mut().find_map(|item| match item {
        Item::Struct(item) if item.ident == schema => Some(item),
        _ => None,
    })?;
    let mut fields = wanted.fields.iter_mut();
    fields.find(|field| field.ident.as_ref().is_some_and(|name| name == property))
}

/// Writes every doc comment as `///` lines.
struct Docs;

impl VisitMut for Docs {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        *attributes = attributes.drain(..).flat_map(doc_lines).collect();
    }
}

fn doc_lines(attribute: Attribute) -> Vec<Attribute> {
    let Meta::NameValue(meta) = &attribute.meta else {
        return vec![attribute];
    };
    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &meta.value
    else {
        return vec![attribute];
    };
    if !meta.path.is_ident("doc") {
        return vec![attribute];
    }
    let text = text.value();
    // An empty line of a comment that is written in lines already, or a line of it.
    if text.is_empty() || (text.starts_with(' ') && !text.contains('\n')) {
        return vec![attribute];
    }
    doc_attributes(&text)
}

/// A description as doc comment attributes, one a line.
pub fn doc_attributes(text: &str) -> Vec<Attribute> {
    let mut lines: Vec<String> = Vec::new();
    for line in without_doctests(text.trim()) {
        let repeated = line.is_empty() && lines.last().is_some_and(String::is_empty);
        if !repeated {
            lines.push(line);
        }
    }
    lines
        .into_iter()
        .map(|line| {
            let line = if line.is_empty() {
                line
            } else {
                format!(" {line}")
            };
            parse_quote!(#[doc = #line])
        })
        .collect()
}

/// The lines of a text in Markdown, with its code marked as text: rustdoc would compile a block without a language, fenced or
/// indented, as a doctest.
fn without_doctests(text: &str) -> Vec<String> {
    const FENCE: &str = "```";
    let mut lines: Vec<String> = Vec::new();
    let mut is_fenced = false;
    let mut is_indented = false;
    let mut code_indent = 4;
    for line in text.lines().map(str::trim_end) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if let Some(language) = content.strip_prefix(FENCE) {
            is_fenced = !is_fenced;
            let is_rust = matches!(language.trim(), "" | "ignore" | "rust");
            lines.push(match is_fenced && is_rust {
                true => format!("{}{FENCE}text", &line[..indent]),
                false => line.to_owned(),
            });
            continue;
        }
        let is_after_blank = lines.last().is_none_or(String::is_empty);
        let is_code = content.is_empty() || indent >= code_indent;
        if is_indented && !is_code {
            let end = lines.iter().rposition(|line| !line.is_empty());
            lines.insert(end.map_or(0, |end| end + 1), FENCE.to_owned());
            is_indented = false;
        } else if !is_fenced && !is_indented && is_after_blank && indent >= code_indent {
            lines.push(format!("{FENCE}text"));
            is_indented = true;
        }
        if !is_fenced && !is_code {
            // In an item of a list, a paragraph is indented as far as code is elsewhere.
            let is_item = content.starts_with(['*', '-', '+'])
                || content.starts_with(|c: char| c.is_ascii_digit());
            code_indent = if is_item || indent > 0 { 8 } else { 4 };
        }
        lines.push(match is_indented {
            true => line.get(code_indent..).unwrap_or_default().to_owned(),
            false => line.to_owned(),
        });
    }
    if is_indented {
        lines.push(FENCE.to_owned());
    }
    lines
}
