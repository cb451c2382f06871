//! The constants for every bound, default and media rule.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use heck::{ToShoutySnakeCase as _, ToSnakeCase as _};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::prepare::reach;
use super::spec::{Spec, schema_name};
use super::split::Sources;
use openapi_diff::tree::Node;

/// The spans of `x-media`: the key in the spec and the field of `Media`.
pub const SPANS: [(&str, &str); 4] = [
    ("seconds", "seconds"),
    ("pixels", "pixels"),
    ("framesPerSecond", "frames_per_second"),
    ("megabytes", "megabytes"),
];

/// The bounds of lengths and counts: the key in the spec and the field of `Field`.
const SIZES: [(&str, &str); 4] = [
    ("minLength", "min_length"),
    ("maxLength", "max_length"),
    ("minItems", "min_items"),
    ("maxItems", "max_items"),
];

/// Emits a file of constants for each request schema and each operation with parameters.
pub fn emit(spec: &Spec) -> Result<Sources> {
    let mut modules: Vec<Module<'_>> = Vec::new();
    for (name, schema) in request_schemas(spec)? {
        let required = schema.get("required").map_or(&[][..], Node::items);
        let mut fields = Vec::new();
        for (key, property) in schema.get("properties").into_iter().flat_map(Node::entries) {
            let required = required.iter().any(|one| one.as_text() == Some(key));
            fields.push(
                Rules::new(spec, key, required, property, None)
                    .with_context(|| format!("`{name}.{key}`"))?,
            );
        }
        modules.push(module(name, &format!("Fields of `{name}`."), &fields)?);
    }
    for operation in spec.operations() {
        let id = operation.id().context("an operation has no operationId")?;
        let mut fields = Vec::new();
        for (_, parameter) in operation.parameters() {
            let parameter = spec.resolve(parameter)?;
            let name = parameter.text("name").context("a parameter has no name")?;
            let schema = parameter
                .get("schema")
                .context("a parameter has no schema")?;
            let text = parameter.text("description");
            fields.push(
                Rules::new(spec, name, parameter.is_set("required"), schema, text)
                    .with_context(|| format!("parameter `{name}` of `{id}`"))?,
            );
        }
        if !fields.is_empty() {
            modules.push(module(id, &format!("Parameters of `{id}`."), &fields)?);
        }
    }
    let names: Vec<_> = modules.iter().map(Module::ident).collect();
    let subjects = modules.iter().map(|module| module.subject);
    let root = quote! {
        //! Every bound, default and media rule of the spec, by request schema and by operation.
        use crate::Field;
        #(pub mod #names;)*
        /// The request schemas and the operations with parameters, by their names in the spec.
        pub const ALL: &[(&str, &[Field])] = &[#((#subjects, #names::FIELDS)),*];
    };
    let mut sources = Sources::from([("limits/mod.rs".to_owned(), root)]);
    let files = modules.into_iter();
    sources.extend(files.map(|module| (format!("limits/{}.rs", module.ident()), module.tokens)));
    Ok(sources)
}

/// The constants about one schema or one operation.
struct Module<'a> {
    subject: &'a str,
    tokens: TokenStream,
}

impl Module<'_> {
    fn ident(&self) -> Ident {
        module_ident(self.subject)
    }
}

fn module_ident(subject: &str) -> Ident {
    format_ident!("{}", subject.to_snake_case())
}

/// The object schemas that request bodies lead to, in the order of the document.
pub fn request_schemas(spec: &Spec) -> Result<Vec<(&str, &Node)>> {
    let names = asked(spec)?;
    let schemas = spec
        .schemas()
        .filter(|(name, schema)| names.contains(*name) && schema.text("type") == Some("object"));
    Ok(schemas.collect())
}

/// The names of all component schemas that request bodies lead to.
pub fn asked(spec: &Spec) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for operation in spec.operations() {
        if let Some(body) = operation.node.get("requestBody") {
            let body = spec.resolve(body)?;
            reach(spec, body, &mut names);
        }
    }
    Ok(names)
}

/// The rules of one field: what the spec says of it, ready to be written.
struct Rules<'a> {
    spec: &'a Spec,
    name: &'a str,
    required: bool,
    schema: &'a Node,
    schema_name: Option<&'a str>,
    description: &'a str,
}

impl<'a> Rules<'a> {
    fn new(
        spec: &'a Spec,
        name: &'a str,
        required: bool,
        node: &'a Node,
        description: Option<&'a str>,
    ) -> Result<Self> {
        let schema = spec.resolve(node)?;
        Ok(Self {
            spec,
            name,
            required,
            schema,
            schema_name: node.text("$ref").and_then(schema_name),
            description: description
                .or_else(|| schema.text("description"))
                .unwrap_or_default(),
        })
    }

    fn emit(&self) -> Result<TokenStream> {
        let (constant, value) = (self.constant(), self.value()?);
        let doc = format!(" {}", first_sentence(self.description, self.name));
        Ok(quote! {
            #[doc = #doc]
            pub const #constant: Field = #value;
        })
    }

    /// The field as an expression.
    fn value(&self) -> Result<TokenStream> {
        let schema = self.schema;
        let mut rules = Vec::new();
        if self.required {
            rules.push(quote!(required: true));
        }
        if let Some(format) = schema.text("format") {
            rules.push(quote!(format: Some(#format)));
        }
        for (key, field) in SIZES {
            if let Some(bound) = schema.get(key) {
                let bound = bound
                    .as_u64()
                    .with_context(|| format!("`{key}` is not a count"))?;
                let (field, bound) = (format_ident!("{field}"), Literal::u64_unsuffixed(bound));
                rules.push(quote!(#field: Some(#bound)));
            }
        }
        rules.extend(ends(schema)?);
        if schema.get("enum").is_some() && !schema.is_set("x-open-enum") {
            let name = self
                .schema_name
                .context("an enum must be a named component")?;
            let name = format_ident!("{name}");
            rules.push(quote!(values: enums::#name::VALUES));
        }
        if let Some(default) = schema.get("default") {
            let default = match default {
                Node::Text(text) => quote!(Scalar::Text(#text)),
                Node::Flag(flag) => quote!(Scalar::Flag(#flag)),
                other => {
                    let number = other.as_f64().context("`default` is not a scalar")?;
                    let number = Literal::f64_unsuffixed(number);
                    quote!(Scalar::Number(#number))
                }
            };
            rules.push(quote!(default: Some(#default)));
        }
        if let Some(media) = schema.get("x-media") {
            let media = emit_media(media)?;
            rules.push(quote!(media: Some(#media)));
        }
        if let Some(values) = schema.get("x-output-seconds") {
            let values = values.entries().map(|(value, seconds)| {
                let seconds = emit_span(seconds)?;
                Ok(quote!((#value, #seconds)))
            });
            let values = values.collect::<Result<Vec<_>>>()?;
            rules.push(quote!(output_seconds: &[#(#values),*]));
        }
        if let Some(items) = schema.get("items") {
            let items = Self::new(self.spec, self.name, false, items, None)?.value()?;
            rules.push(quote!(items: Some(&#items)));
        }
        if schema.text("type") == Some("object") {
            let name = self
                .schema_name
                .context("an object must be a named component")?;
            let module = module_ident(name);
            rules.push(quote!(fields: super::#module::FIELDS));
        }
        let name = self.name;
        Ok(if rules.is_empty() {
            quote!(Field::named(#name))
        } else {
            quote!(Field { #(#rules,)* ..Field::named(#name) })
        })
    }

    fn constant(&self) -> Ident {
        format_ident!("{}", self.name.to_shouty_snake_case())
    }
}

fn module<'a>(subject: &'a str, doc: &str, fields: &[Rules<'_>]) -> Result<Module<'a>> {
    let constants = fields.iter().map(Rules::constant);
    let emitted = fields.iter().map(Rules::emit).collect::<Result<Vec<_>>>()?;
    let doc = format!(" {doc}");
    let tokens = quote! {
        #![doc = #doc]
        use crate::{Field, Media, MediaKind, Scalar, Span, enums};
        #(#emitted)*
        /// All of them, in the order of the spec.
        pub const FIELDS: &[Field] = &[#(#constants),*];
    };
    Ok(Module { subject, tokens })
}

fn emit_media(media: &Node) -> Result<TokenStream> {
    let kind = match media.text("kind") {
        Some("video") => quote!(MediaKind::Video),
        Some("image") => quote!(MediaKind::Image),
        other => anyhow::bail!("no kind of media: {other:?}"),
    };
    let formats = media.get("formats").map_or(&[][..], Node::items);
    let formats = formats.iter().filter_map(Node::as_text);
    let mut rules = vec![quote!(formats: &[#(#formats),*])];
    for (key, field) in SPANS {
        if let Some(span) = media.get(key) {
            let (field, span) = (format_ident!("{field}"), emit_span(span)?);
            rules.push(quote!(#field: #span));
        }
    }
    Ok(quote!(Media { #(#rules,)* ..Media::of(#kind) }))
}

fn emit_span(span: &Node) -> Result<TokenStream> {
    let ends = ends(span)?;
    Ok(match ends.len() {
        2 => quote!(Span { #(#ends),* }),
        _ => quote!(Span { #(#ends,)* ..Span::ANY }),
    })
}

fn ends(node: &Node) -> Result<Vec<TokenStream>> {
    let mut ends = Vec::new();
    for key in ["minimum", "maximum"] {
        if let Some(bound) = node.get(key) {
            let bound = bound
                .as_f64()
                .with_context(|| format!("`{key}` is not a number"))?;
            let (field, bound) = (format_ident!("{key}"), Literal::f64_unsuffixed(bound));
            ends.push(quote!(#field: Some(#bound)));
        }
    }
    Ok(ends)
}

/// The description up to its first full stop, on one line.
fn first_sentence(description: &str, name: &str) -> String {
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(". ").map_or(line.len(), |at| at + 1);
    match &line[..end] {
        "" => format!("`{name}`."),
        sentence => sentence.to_owned(),
    }
}
