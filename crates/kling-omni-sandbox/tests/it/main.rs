//! The sandbox from outside: over HTTP with a plain client, by the accessors of its handle, on a clock that stands still.

mod harness;
mod raw;

mod creating;
mod fault_answers;
mod fault_tasks;
mod faults;
mod keys;
mod life;
mod listing;
mod rates;
mod records;
mod results;
mod routes;
mod spec;
mod starting;
mod text;
mod upload_faults;
mod uploads;
mod webhook_faults;
mod webhooks;
