//! What the crates of this workspace promise each other, and the people who use them.

mod behaviour;
mod conformance;
mod errors;
mod preflight;
mod webhook;
mod wire;

mod agreement;
mod constraints;
mod examples;
mod fixtures;
mod fuzz;
mod hygiene;
mod judges;
mod limits;
mod outline;
mod schema;
mod spec;
