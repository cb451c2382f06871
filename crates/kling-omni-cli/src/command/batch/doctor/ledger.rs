//! Checks of a ledger, its database, and the server of it.

use indicatif::DecimalBytes;
use kling_omni_batch::ledger::{Account, LedgerFacts, QueueFacts, ServerFacts};

use crate::command::doctor::check::Check;
use crate::exit::Exit;
use crate::input;

/// A clock that differs more than this from the database's delays what is tried again.
const MAX_CLOCK_DIFFERENCE_MS: u64 = 5_000;
/// A process opens up to four connections for its ledger, and as many for a queue.
const MIN_FREE_CONNECTIONS: u64 = 10;

/// Checks what a ledger says about itself.
pub(super) fn check(
    facts: &LedgerFacts,
    accounts: &[Account],
    location: &std::path::Path,
) -> Vec<Check> {
    let mut checks = vec![
        Check::ok(
            "ledger",
            format!(
                "{}, {}, schema {}, written by {}, usable by programs of schema {} and later",
                input::name(location),
                DecimalBytes(facts.bytes),
                facts.schema,
                facts.written_by,
                facts.oldest_program
            ),
        ),
        check_settings(facts),
    ];
    if let Some(server) = &facts.server {
        checks.extend([
            check_clock(server),
            check_encryption(server),
            check_connections(server),
            check_queue(&server.queue),
        ]);
    }
    checks.extend(accounts.iter().map(describe_account));
    checks
}

fn check_settings(facts: &LedgerFacts) -> Check {
    let settings = facts.settings.iter();
    let settings: Vec<_> = settings
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let text = format!("{}, {}", facts.database, settings.join(", "));
    match &facts.problem {
        None => Check::ok("database", text),
        Some(problem) => {
            let is_off = facts.settings.values().any(|value| value == "off");
            let help = match is_off {
                true => "set it to on in postgresql.conf",
                false => {
                    "name the ledger that it was moved to, or a backup that is newer than the last create"
                }
            };
            Check::broken("database", Exit::File, format!("{text}: {problem}")).with_help(help)
        }
    }
}

fn check_clock(server: &ServerFacts) -> Check {
    let ahead = server.clock_ahead_ms;
    let seconds = (ahead.unsigned_abs() + 500) / 1_000;
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    if ahead.unsigned_abs() <= MAX_CLOCK_DIFFERENCE_MS {
        return Check::ok(
            "clock",
            "the clock of the database agrees with this machine's",
        );
    }
    Check::warning(
        "clock",
        format!(
            "the clock of the database is {seconds} s {direction} this machine's: what is tried again is delayed by as much"
        ),
        "synchronize both with NTP",
    )
}

fn check_encryption(server: &ServerFacts) -> Check {
    match &server.tls {
        Some(tls) => Check::ok("encryption", tls),
        None if server.is_local => Check::ok("encryption", "none, the database is on this machine"),
        None => Check::warning(
            "encryption",
            "none: requests, which may carry tokens, are readable on the network",
            "add sslmode=verify-full to the URL, and sslrootcert=FILE for a certificate authority of your own",
        ),
    }
}

fn check_connections(server: &ServerFacts) -> Check {
    let free = server.max_connections.saturating_sub(server.connections);
    let text = format!("{free} of {} are free", server.max_connections);
    match free < MIN_FREE_CONNECTIONS {
        false => Check::ok("connections", text),
        true => Check::warning(
            "connections",
            format!("{text}, and each process opens up to 8"),
            "end other clients, or raise max_connections in postgresql.conf",
        ),
    }
}

fn check_queue(queue: &QueueFacts) -> Check {
    match queue {
        QueueFacts::Exists => Check::ok("queue", "exists"),
        QueueFacts::CanBeCreated => Check::ok("queue", "is created by the first worker"),
        QueueFacts::Unusable { reason } => Check::warning(
            "queue",
            format!("workers cannot use this database: {reason}"),
            "let an administrator run `create schema apalis authorization ROLE; create extension hstore with schema apalis`",
        ),
        _ => Check::ok("queue", "is not known to this version"),
    }
}

fn describe_account(account: &Account) -> Check {
    let holder = account.holder.as_deref().unwrap_or("none");
    let lease = match account.is_held {
        Some(true) => format!("held by {holder}"),
        Some(false) => format!("not held, last by {holder}"),
        None => format!("last held by {holder}"),
    };
    Check::ok(
        "account",
        format!("{} at {}: {lease}", account.id.0, account.service),
    )
}
