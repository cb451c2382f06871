//! What a person needs to judge the health of a ledger.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a person needs to judge the health of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerFacts {
    /// The database and its version.
    pub database: String,
    /// The schema of the ledger.
    pub schema: u32,
    /// The version of this crate that wrote the schema.
    pub written_by: String,
    /// The settings of the database that decide whether a commit is durable: of this handle and its last commit.
    pub settings: BTreeMap<String, String>,
    /// The size in bytes, without the write-ahead log.
    pub bytes: u64,
    /// The oldest schema whose programs can use the ledger.
    pub oldest_program: u32,
    /// The server of the database, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerFacts>,
    /// What is wrong, if something is.
    pub problem: Option<String>,
}

/// The server of the database of a ledger, and the connection to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerFacts {
    /// How many milliseconds its clock is ahead of this machine's. Negative if it is behind.
    pub clock_ahead_ms: i64,
    /// Whether it is on this machine, or a program here forwards the connection.
    pub is_local: bool,
    /// The version of TLS and the cipher of this connection, such as `TLSv1.3, TLS_AES_256_GCM_SHA384`; `None` without TLS.
    pub tls: Option<String>,
    /// How many connections the server permits to roles that are no superusers.
    pub max_connections: u64,
    /// How many connections are open.
    pub connections: u64,
    /// Whether workers can use a queue in the database.
    pub queue: QueueFacts,
}

/// Whether workers can use a queue in the database of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueFacts {
    /// The schema `apalis` and the extension `hstore` exist.
    Exists,
    /// The first worker can create what is missing.
    CanBeCreated,
    /// This role can neither use nor create it.
    Unusable {
        /// Why.
        reason: String,
    },
}
