//! The ledger in Postgres.

mod commit_proxy;
mod lease;
mod ledger;
mod locks;
mod outage;
mod server;
