//! Tests of the sandbox: over HTTP with a plain client and through its accessors, with a manual clock.

mod harness;
mod raw;

#[cfg(feature = "console")]
mod console;
mod create;
mod fault_responses;
mod fault_tasks;
mod faults;
mod keys;
mod life_cycle;
mod listing;
mod rates;
mod records;
mod results;
mod routes;
mod spec;
mod start;
mod text_routes;
mod upload_faults;
mod uploads;
mod webhook_faults;
mod webhooks;
