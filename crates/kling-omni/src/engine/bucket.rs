//! Object stores of the user: settings, HTTP, signatures, multipart uploads and errors.

#[cfg(feature = "object-store")]
pub(crate) mod errors;
#[cfg(feature = "object-store")]
mod http;
#[cfg(feature = "object-store")]
pub(crate) mod multipart;
#[cfg(feature = "object-store")]
pub(crate) mod settings;
#[cfg(feature = "object-store")]
mod signing;
pub(crate) mod xml;
