//! The comparison of two versions of a document.

mod cases;
mod command;
mod random;
mod reach;
mod reports;
