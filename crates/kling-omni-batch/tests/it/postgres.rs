//! The ledger in Postgres.

mod ledger;
mod server;
