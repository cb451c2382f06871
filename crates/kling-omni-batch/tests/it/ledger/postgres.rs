//! The ledger in Postgres: conformance, and what is particular to it.

use std::sync::Arc;

use kling_omni_batch::ledger::{Ledger, PostgresLedger, conformance};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

/// The URL of a database for tests, of which each test uses schemas of its own.
fn url() -> Option<String> {
    std::env::var("KLING_OMNI_TEST_POSTGRES").ok()
}
