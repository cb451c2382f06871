//! The generated crate: each way around a fault of the generator, and that the constants say what the spec says.

mod enums;
mod limits;
mod types;

mod exchange;
mod service;

mod fake;
