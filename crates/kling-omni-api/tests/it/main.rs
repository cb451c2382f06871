//! Tests of the generated crate: the workarounds for the generator, and the constants compared with the document.

mod enums;
mod limits;
mod types;

mod exchange;
mod service;

mod fake;
