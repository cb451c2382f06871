//! Batches that are left to workers.

use kling_omni_test_support::postgres::{PostgresDatabase, PostgresServer};
use serde_json::Value;

use super::{about, videos, write_many};
use crate::support::{Program, Service};

fn submit(service: &Service, database: &PostgresDatabase) -> Program {
    let line = "batch run clips.jsonl --out clips --yes --detach --db";
    service.program(line).arg(&database.url)
}

fn worker(service: &Service, database: &PostgresDatabase) -> Program {
    let line = "batch worker --poll-interval 0.1 --spool spool --json --db";
    service.program(line).arg(&database.url)
}

/// The events of a worker about an item.
fn states(stdout: &str, key: &str) -> Vec<String> {
    let events = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_item = events.filter(|event| event["key"] == key);
    let states = of_item.map(|event| event["state"].as_str().unwrap().to_owned());
    states.collect()
}

#[test]
fn batch_is_left_to_a_worker() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let service = Service::quick();
    write_many(&service, 3);
    let submitted = submit(&service, &database).run().expect(0);
    assert!(submitted.stderr.contains("left to workers"), "{submitted}");
    assert_eq!(service.charges(), 0);
    let about = |verb: &str| about(&service, &format!("{verb} --db {}", database.url));
    about("pause").expect(0);
    let mut running = worker(&service, &database).start();
    running.until("started");
    let resumed = about("resume").expect(0);
    assert!(resumed.stderr.contains("workers continue"), "{resumed}");
    running.until("clips: creating tasks");
    running.until("clips: left");
    running.interrupt();
    let ended = running.end().expect(0);
    assert!(ended.stderr.ends_with("worker stopped\n"), "{ended}");
    assert_eq!(videos(&service).len(), 3);
    assert_eq!(service.charges(), 3);
    let found = states(&ended.stdout, "row-1");
    assert_eq!(found, ["prepared", "created", "saved"], "{ended}");
    about("status --exit-status").expect(0);
}

/// The second worker takes over what the first one was killed with.
#[cfg(unix)]
#[test]
fn killed_worker_is_replaced() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let database = server.new_database();
    let service = super::one_second();
    write_many(&service, 3);
    submit(&service, &database).run().expect(0);
    let mut first = worker(&service, &database).start();
    first.until("row-1: task ");
    first.signal("-KILL");
    first.end();
    server.query(&database.name, "update account set lease_until = 0");
    let mut second = worker(&service, &database).start();
    second.until("clips: left");
    second.interrupt();
    let ended = second.end().expect(0);
    assert_eq!(videos(&service).len(), 3, "{ended}");
    assert_eq!(service.charges(), 3, "{ended}");
}

#[test]
fn what_workers_cannot_run_is_refused() {
    let service = Service::quick();
    write_many(&service, 1);
    let url = "--db postgres://kling@127.0.0.1:1/none";
    for (options, problem) in [
        ("--detach", "--detach needs a ledger in Postgres"),
        (
            "--detach --sandbox --db postgres://127.0.0.1:1/none",
            "--sandbox",
        ),
    ] {
        let mut line = format!("batch run clips.jsonl --out clips {options}");
        if !options.contains("--sandbox") {
            line.push_str(" --yes");
        }
        let ended = match options.contains("--sandbox") {
            true => Program::new(service.folder(), &line).run().expect(2),
            false => service.program(&line).run().expect(2),
        };
        assert!(ended.stderr.contains(problem), "{ended}");
        assert!(ended.stderr.contains("charged: no"), "{ended}");
    }
    let ended = service
        .program("batch worker --db batch.db")
        .run()
        .expect(2);
    assert!(ended.stderr.contains("delivers no jobs"), "{ended}");
    let ended = service
        .program(&format!("batch worker {url}"))
        .run()
        .expect(7);
    assert!(ended.stderr.contains("not available"), "{ended}");
    assert!(!service.files().contains(&"batch.db".to_owned()));
}
