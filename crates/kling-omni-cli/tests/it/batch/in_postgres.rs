//! A ledger in Postgres, with `--db`.

use std::fs;

use kling_omni_test_support::postgres::PostgresServer;

use super::{about, run, videos, write_many};
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
