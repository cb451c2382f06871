//! The comparison with the vendor's document.

mod compare;
mod program;
mod source;

mod server;
