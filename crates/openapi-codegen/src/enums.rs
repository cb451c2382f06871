//! The Rust enums.

use anyhow::{Context as _, Result};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Ident};

use super::client::doc_attributes;
use super::spec::Spec;
use openapi_diff::tree::Node;

/// The names of all component schemas that are enums.
pub fn names(spec: &Spec) -> Vec<String> {
    spec.schemas()
        .filter(|(_, schema)| schema.get("enum").is_some())
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The Rust variant of each value: from `x-enum-varnames`, or the value itself.
pub fn variants(schema: &Node) -> Vec<(&str, &str)> {
    let values = schema.get("enum").map_or(&[][..], Node::items);
    let names = schema.get("x-enum-varnames").map_or(values, Node::items);
    let pairs = names.iter().zip(values);
    pairs
        .filter_map(|(name, value)| Some((name.as_text()?, value.as_text()?)))
        .collect()
}

/// Emits the Rust enums of the spec.
pub fn emit(spec: &Spec) -> Result<TokenStream> {
    let mut all = Vec::new();
    for (name, schema) in spec.schemas() {
        if schema.get("enum").is_some() {
            all.push(emit_one(name, schema).with_context(|| format!("enum `{name}`"))?);
        }
    }
    Ok(quote! {
        //! The enums of the spec.
        use std::convert::Infallible;
        use std::fmt;
        use std::str::FromStr;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};
        use crate::UnknownValue;
        #(#all)*
    })
}

struct Parts {
    name: Ident,
    docs: Vec<Attribute>,
    variants: Vec<Ident>,
    variant_docs: Vec<String>,
    values: Vec<String>,
}

fn emit_one(name: &str, schema: &Node) -> Result<TokenStream> {
    let mut description = schema.text("description").unwrap_or(name).trim().to_owned();
    let pairs = variants(schema);
    if let Some(default) = schema.text("default") {
        let variant = pairs.iter().find(|(_, value)| *value == default);
        let (variant, _) = variant.context("the default is not one of the values")?;
        description +=
            &format!("\n\nLeft out, the service takes [`{name}::{variant}`] (`{default}`).");
    }
    let parts = Parts {
        name: format_ident!("{name}"),
        docs: doc_attributes(&description),
        variants: pairs
            .iter()
            .map(|(name, _)| format_ident!("{name}"))
            .collect(),
        variant_docs: pairs
            .iter()
            .map(|(_, value)| format!(" `{value}`"))
            .collect(),
        values: pairs.iter().map(|(_, value)| (*value).to_owned()).collect(),
    };
    Ok(if schema.is_set("x-open-enum") {
        open(&parts)
    } else {
        closed(&parts)
    })
}

fn closed(parts: &Parts) -> TokenStream {
    let Parts {
        name,
        docs,
        variants,
        variant_docs,
        values,
    } = parts;
    quote! {
        #(#docs)*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#[doc = #variant_docs] #variants,)*
        }

        impl #name {
            /// Every variant, in the order of the spec.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];
            /// Every value as it is written on the wire, in the order of [`Self::ALL`].
            pub const VALUES: &'static [&'static str] = &[#(#values),*];

            /// The value as it is written on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    #(Self::#variants => #values,)*
                }
            }
        }

        impl fmt::Display for #name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for #name {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    #(#values => Ok(Self::#variants),)*
                    _ => Err(UnknownValue::new(text, Self::VALUES)),
                }
            }
        }

        impl TryFrom<&str> for #name {
            type Error = UnknownValue;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<String> for #name {
            type Error = UnknownValue;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl Serialize for #name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for #name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    }
}

fn open(parts: &Parts) -> TokenStream {
    let Parts {
        name,
        docs,
        variants,
        variant_docs,
        values,
    } = parts;
    quote! {
        #(#docs)*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum #name {
            #(#[doc = #variant_docs] #variants,)*
            /// A value that the spec does not know, as it came.
            Unknown(String),
        }

        impl #name {
            /// Every value that the spec knows, in its order.
            pub const VALUES: &'static [&'static str] = &[#(#values),*];

            /// The value as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    #(Self::#variants => #values,)*
                    Self::Unknown(value) => value,
                }
            }

            fn known(text: &str) -> Option<Self> {
                match text {
                    #(#values => Some(Self::#variants),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for #name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<&str> for #name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Unknown(text.to_owned()))
            }
        }

        impl From<String> for #name {
            fn from(text: String) -> Self {
                Self::known(&text).unwrap_or_else(|| Self::Unknown(text))
            }
        }

        impl FromStr for #name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl Serialize for #name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for #name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::from(String::deserialize(deserializer)?))
            }
        }
    }
}
