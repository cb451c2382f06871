//! Compares two OpenAPI documents by meaning.
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[macro_use]
pub mod rules;

pub mod accepted;
pub mod compare;
pub mod document;
pub mod extension;
pub mod finding;
pub mod place;
pub mod render;
pub mod rule;
pub mod tree;

/// The public checks of oasdiff, beside the rules of this crate.
#[doc = include_str!("../docs/oasdiff.md")]
pub mod oasdiff {}
