//! The steps of an item that cost nothing and may run several times: prepare and fetch.

mod context;
pub(crate) mod fetch;
pub(crate) mod prepare;

pub(crate) use crate::step::context::StepContext;
