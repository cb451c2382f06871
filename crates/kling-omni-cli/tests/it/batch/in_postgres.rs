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
