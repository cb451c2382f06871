//! The comparison with the vendor's document.

mod accepted;
mod compare;
mod program;
mod source;

mod server;
