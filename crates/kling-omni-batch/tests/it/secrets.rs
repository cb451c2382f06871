//! Keys and tokens are in none of the files of a batch, and in nothing that is logged.

use std::collections::BTreeSet;
use std::fs;

use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::setup::KEY;

use crate::process::{Database, Failpoint, LedgerKind, Service, Stop};

/// The key, and the tokens of the URLs that the sandbox received requests for.
fn canaries(sandbox: &Sandbox) -> BTreeSet<String> {
    let mut canaries = BTreeSet::from([KEY.to_owned()]);
    for request in sandbox.requests() {
        canaries.extend(tokens(request.query().unwrap_or_default()));
    }
    canaries
}

/// The tokens of the uploaded files that creates named. The ledger has them until the create.
fn tokens_of_files(sandbox: &Sandbox) -> BTreeSet<String> {
    let tasks = sandbox.tasks();
    let requests = tasks.iter().map(|task| task.request().to_string());
    requests.flat_map(|request| tokens(&request)).collect()
}

/// The signatures in URLs of the result host and of the storage host.
fn tokens(text: &str) -> Vec<String> {
    let after = ["hmac=", "Signature="].map(|mark| text.split(mark).skip(1));
    let hex = |text: &str| text.chars().take_while(char::is_ascii_hexdigit).collect();
    after.into_iter().flatten().map(hex).collect()
}

/// Writes the rows of a ledger in Postgres to a file that is named like those of a ledger in SQLite.
fn dump(service: &Service) {
    let Some(Database { server, database }) = &service.database else {
        return;
    };
    let tables = "select tablename from pg_tables where schemaname = 'public'";
    let tables = server.query(&database.name, tables);
    let rows = tables.lines().map(|table| {
        let rows = format!("select to_jsonb(t) from {table} t");
        server.query(&database.name, &rows)
    });
    let rows: String = rows.collect();
    assert!(rows.len() > 1_000, "{rows}");
    fs::write(service.path("batch.db-rows"), rows).unwrap();
}

/// Searches the files of a batch whose name is not excluded.
fn search(service: &Service, canaries: &BTreeSet<String>, excluded: &str, at: &str) {
    let mut findings = Vec::new();
    let mut searched = 0;
    for entry in fs::read_dir(service.folder.path()).unwrap().flatten() {
        if !excluded.is_empty() && entry.file_name().to_string_lossy().starts_with(excluded) {
            continue;
        }
        let Ok(bytes) = fs::read(entry.path()) else {
            continue;
        };
        searched += bytes.len();
        for canary in canaries {
            let found = bytes
                .windows(canary.len())
                .any(|bytes| bytes == canary.as_bytes());
            if found {
                findings.push(format!("{at}: {} has {canary}", entry.path().display()));
            }
        }
    }
    assert!(searched > 5_000, "{at}: {searched} bytes");
    kling_omni_test_support::fail_on(findings);
}

#[test]
fn files_and_logs_have_no_secrets() {
    for ledger in LedgerKind::all() {
        search_at_steps(ledger);
    }
}

fn search_at_steps(ledger: LedgerKind) {
    for fault in ["create:drop@2", "result:cut@1", "storage:cut@1"] {
        for name in [
            "after prepare",
            "after created",
            "before publishing",
            "after saved",
        ] {
            let mut service = Service::start(ledger, 2, |sandbox| sandbox);
            service.options.has_files = true;
            service.options.log = Some(service.path("log.txt"));
            service.sandbox.inject(fault.parse().unwrap());
            let place = Failpoint {
                name: name.to_owned(),
                count: 2,
            };
            let aborts = false;
            let mut running = service.run(Some(Stop { place, aborts }));
            assert!(running.until_stopped(), "{fault}, {name}");
            // The write-ahead log of the ledger is still there.
            running.kill();
            let at = format!("{ledger:?}, {fault}, {name}");
            dump(&service);
            search(&service, &canaries(&service.sandbox), "", &at);
            search(
                &service,
                &tokens_of_files(&service.sandbox),
                "batch.db",
                &at,
            );
            service.finish(&at);
            // The log of the ledger ends when nothing has it open.
            match ledger {
                LedgerKind::Postgres => dump(&service),
                LedgerKind::Sqlite => {
                    drop(rusqlite::Connection::open(service.path("batch.db")).unwrap());
                }
            }
            let mut canaries = canaries(&service.sandbox);
            assert!(canaries.len() >= 5, "{canaries:?}");
            let of_files = tokens_of_files(&service.sandbox);
            assert!(!of_files.is_empty());
            canaries.extend(of_files);
            search(&service, &canaries, "", &at);
            let log = fs::read_to_string(service.path("log.txt")).unwrap();
            assert!(log.contains("TRACE"), "{at}");
        }
    }
}
