//! Compares OpenAPI documents by meaning.

pub mod command;
pub mod upstream;

pub mod document;
pub mod source;

pub mod compare;
pub mod render;

pub mod catalogue;
pub mod finding;
pub mod place;
pub mod rule;
