//! The comparison of two documents, from outside.

mod accepted;
mod cases;
mod oasdiff;
mod random;
mod reach;
mod reports;
mod spelling;

mod document;

#[cfg(feature = "cli")]
mod program;

mod sample;
