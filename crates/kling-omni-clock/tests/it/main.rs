//! Tests of both clocks.

mod manual;
mod system;
