//! The crate from outside: against the sandbox, and against a server that answers in every awkward way.

mod create;
mod create_outcome;
mod download;
mod errors;
mod examples;
mod http_client;
mod in_flight;
mod incomplete_lists;
mod journal;
mod list;
mod list_polling;
mod local_media;
mod manual_clock;
mod object_store;
mod poll_schedule;
mod polling;
mod preflight;
mod rate_limit;
mod reconcile;
mod retry_budget;
mod secrets;
mod stable_names;
