#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod field;
mod operation;
mod request_body;
mod tolerant;
mod transport;
mod unknown_value;

#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    missing_docs,
    rustdoc::all,
    clippy::all
)]
#[rustfmt::skip]
mod generated;

pub use generated::{Client, enums, limits, operations as builder, service, tasks, types};

pub use field::{Field, Media, MediaKind, Scalar, Span};
pub use operation::{CreateSpec, ListSpec, Operation, ReadSpec, Role};
pub use request_body::RequestBody;
pub use transport::{Admission, Exchange, Inner, Transport};
pub use unknown_value::UnknownValue;

pub use progenitor_client::{Error, ResponseValue};

/// The version of the document from which this crate is generated, such as `1.0.0`.
pub fn document_version() -> &'static str {
    <Client as progenitor_client::ClientInfo<Inner>>::api_version()
}

/// The document from which this crate is generated, as YAML.
#[cfg(feature = "spec")]
// A symbolic link; a package contains the file.
/// The document from which this crate is generated, as YAML.
pub const SPEC_YAML: &str = include_str!("../openapi.yaml");
