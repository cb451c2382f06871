//! A ledger in Postgres, with `--db`.

use std::fs;

use kling_omni_test_support::postgres::PostgresServer;

use super::{about, program, run, videos, write_many};
use crate::support::Service;

#[test]
fn ledger_can_be_in_postgres() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    // The server trusts its users, so any password is correct.
    let database = server.new_database();
    let url = database.url.replace('@', ":sesame@");
    let service = Service::quick();
    write_many(&service, 2);
    let mut shown = Vec::new();
    shown.push(run(&service, &format!("--json --db {url}")).expect(0));
    assert_eq!(videos(&service).len(), 2);
    assert_eq!(
        server.query(&database.name, "select count(*) from file"),
        "2"
    );
    assert!(!fs::exists(service.folder().join("clips/batch.db")).unwrap());
    // The same command again changes nothing.
    shown.push(run(&service, &format!("--db {url}")).expect(0));
    for command in [
        "status",
        "doctor --json",
        "report",
        "show row-1",
        "retry --failed --yes",
    ] {
        let ended = about(&service, &format!("{command} --db {url}"));
        if command.starts_with("doctor") {
            assert!(ended.stdout.contains("Postgres "), "{ended}");
        }
        shown.push(ended);
    }
    let ended = about(&service, &format!("report --format html --db {url}")).expect(0);
    assert_eq!(ended.stdout.trim(), "clips/report.html");
    let page = fs::read_to_string(service.folder().join("clips/report.html")).unwrap();
    assert!(page.contains(r#"src="row-2.mp4""#), "{page}");
    assert!(!page.contains("sesame"), "{page}");
    assert_eq!(service.charges(), 2);
    for ended in shown {
        let text = ended.to_string();
        assert!(!text.replace(&url, "").contains("sesame"), "{text}");
    }
}

#[test]
fn ledger_moves_to_postgres() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let url = database.url.replace('@', ":sesame@");
    let service = Service::quick();
    write_many(&service, 2);
    run(&service, "--sample 1").expect(0);
    let program = |line: &str| service.program(line).run();
    let moved = format!("batch move --from clips/batch.db --to {url}");
    let moved = program(&moved).expect(0);
    assert!(
        moved.stderr.contains("moved: 1 batch with 1 item"),
        "{moved}"
    );
    assert!(!moved.stderr.contains("sesame"), "{moved}");
    // The rows of a manifest that are new go to the moved ledger only.
    let refused = run(&service, "").expect(2);
    assert!(refused.stderr.contains("was moved to"), "{refused}");
    let refused = about(&service, "resume --yes").expect(2);
    assert!(refused.stderr.contains("was moved to"), "{refused}");
    run(&service, &format!("--db {url}")).expect(0);
    assert_eq!((service.charges(), videos(&service).len()), (2, 2));
    let missing = program("batch move --from none.db --to other.db").expect(2);
    assert!(missing.stderr.contains("does not exist"), "{missing}");
    let back = format!("batch move --json --from {url} --to back.db");
    let back = program(&back).expect(0);
    assert!(
        back.stdout.contains("{\"batches\":1,\"items\":2}"),
        "{back}"
    );
}

#[test]
fn run_after_a_crash_waits_for_the_lease() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let options = format!("--db {}", database.url);
    let service = Service::quick();
    write_many(&service, 2);
    let crash = program(&service, &options).env("KLING_OMNI_FAILPOINT", "after created");
    let mut crashed = crash.start();
    crashed.until("stopped at after created");
    drop(crashed);
    let set_lease = |end| {
        let set = format!("update account set lease_until = {end}");
        server.query(&database.name, &set);
    };
    // A busy machine may start a program in more time than a lease lasts.
    set_lease("lease_until + 3600000");
    let mut next = program(&service, &format!("{options} --json")).start();
    next.until("waiting for the lease of another run (process ");
    set_lease("0");
    let ended = next.end().expect(0);
    assert!(ended.stdout.contains("\"waiting_for_lease\""), "{ended}");
    assert_eq!(service.charges(), 2);
}

#[test]
fn doctor_checks_the_server() {
    let Some(server) = PostgresServer::with_tls() else {
        return;
    };
    let database = server.new_database();
    let (base, _) = database.url.split_once('?').unwrap();
    let root = server.root_certificate();
    let url = format!(
        "{base}?sslmode=verify-full&sslrootcert={}",
        root.to_str().unwrap()
    );
    let service = Service::quick();
    write_many(&service, 1);
    run(&service, &format!("--db {url}")).expect(0);
    // The server of the test does not wait for the disk.
    let found = about(&service, &format!("doctor --json --db {url}")).expect(7);
    let found = found.json();
    let state = |subject: &str| {
        let checks = found["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["subject"] == subject);
        check.unwrap_or_else(|| panic!("no {subject}: {found}"))["state"].clone()
    };
    assert_eq!(state("database"), "broken");
    for subject in [
        "ledger",
        "clock",
        "encryption",
        "connections",
        "queue",
        "account",
        "key",
        "service",
        "list",
    ] {
        assert_eq!(state(subject), "ok", "{subject}: {found}");
    }
    let text = about(&service, &format!("doctor --db {url}")).expect(7);
    for line in [
        "broken   database    Postgres ",
        "ok       encryption  TLSv1.",
        "ok       queue       is created by the first worker",
        "ok       account     1 at http://127.0.0.1:",
    ] {
        assert!(text.stdout.contains(line), "{line}: {text}");
    }

    // A role with a schema of its own, and a clock that is an hour behind.
    let clock =
        "create schema s; create function s.clock_timestamp() returns timestamptz language sql
        as 'select pg_catalog.clock_timestamp() - interval ''1 hour'''; create role tom login;
        grant usage, create on schema s to tom";
    server.query(&database.name, clock);
    let url = base.replace("postgres@", "tom@");
    let url = format!("{url}?sslmode=require&search_path=s,pg_catalog");
    let warned = about(&service, &format!("doctor --db {url}")).expect(7);
    for line in [
        "warning  clock       the clock of the database is 3600 s behind this machine's",
        "warning  queue       workers cannot use this database: the role may create neither",
    ] {
        assert!(warned.stdout.contains(line), "{line}: {warned}");
    }
}
