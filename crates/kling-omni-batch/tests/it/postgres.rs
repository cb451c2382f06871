//! The ledger in Postgres: conformance, leases, lost connections, a database that stops, and clocks that differ.

mod clocks;
mod facts;
mod lease;
mod ledger;
mod locks;
mod methods;
mod outage;
mod runs;
mod server;
mod workers;
