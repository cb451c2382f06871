//! The comparison of two documents, from outside.

mod cases;
mod random;
mod reach;
mod reports;
mod spelling;

mod document;

mod sample;
