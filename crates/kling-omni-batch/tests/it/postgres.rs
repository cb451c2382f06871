//! The ledger in Postgres.

mod commit_proxy;
mod lease;
mod ledger;
mod outage;
mod server;
