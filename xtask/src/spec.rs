//! Compares OpenAPI documents by meaning.

pub mod finding;
pub mod rule;
