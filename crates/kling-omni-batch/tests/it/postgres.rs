//! The ledger in Postgres.

mod server;
