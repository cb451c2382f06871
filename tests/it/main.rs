//! What the crates of this workspace promise each other, and the people who use them.

mod agreement;
mod conformance;
mod constraints;
mod differential;
mod fixtures;
mod fuzz;
mod hygiene;
mod language;
mod layers;
mod limits;
mod schema;
mod spec;
mod third_party_types;
