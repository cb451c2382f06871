//! Compares OpenAPI documents by meaning.

pub mod document;

pub mod finding;
pub mod rule;
