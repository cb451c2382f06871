//! Versions of the spec and the vendor's document, compared.

pub mod command;
pub mod source;

pub mod upstream;

pub mod extensions;

pub mod rules;
