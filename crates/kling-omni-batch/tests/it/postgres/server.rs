//! The server that the tests start.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use kling_omni_test_support::postgres::{Fsync, PostgresServer};

#[test]
fn databases_are_separate() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    let (first, second) = (server.new_database(), server.new_database());
    server.query(&first.name, "create table cat (name text)");
    let tables = "select count(*) from pg_tables where tablename = 'cat'";
    assert_eq!(server.query(&first.name, tables), "1");
    assert_eq!(server.query(&second.name, tables), "0");
}

#[test]
fn committed_rows_survive_an_immediate_stop() {
    let Some(server) = PostgresServer::create(Fsync::On) else {
        return;
    };
    let database = server.new_database();
    server.query(&database.name, "create table cat as select 'Tom' as name");
    server.immediate_stop();
    server.start();
    assert_eq!(server.query(&database.name, "table cat"), "Tom");
}

const CHILD: &str = "KLING_OMNI_POSTGRES_CHILD";

#[test]
#[ignore = "the process of another test"]
fn process_with_server() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let server = PostgresServer::shared().unwrap();
    println!("data {}", server.query("postgres", "show data_directory"));
    std::process::abort();
}

/// A process that aborts leaves neither the server nor its files.
#[test]
fn ends_with_its_process() {
    if PostgresServer::shared().is_none() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres::server::process_with_server"])
        .args(["--ignored", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut output).unwrap();
    assert!(!child.wait().unwrap().success(), "{output}");
    let (_, data) = output.split_once("data ").unwrap();
    let data = data.lines().next().unwrap();
    while fs::exists(data).unwrap() {
        std::thread::yield_now();
    }
}
