//! What both clocks promise.

mod manual;
mod system;
