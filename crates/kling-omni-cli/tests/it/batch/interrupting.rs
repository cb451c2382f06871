//! Ctrl-C during a run.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{about, counts, one_second, program, videos, write_many};
use crate::support::{Program, Service};

/// Returns the command after `run ` in backticks.
fn suggested(stderr: &str) -> &str {
    let help = stderr
        .lines()
        .find_map(|line| line.strip_prefix("help: run `"))
        .expect("a help");
    help.split_once('`').expect("a closing backtick").0
}

#[test]
fn first_interrupt_stops_creating_and_the_suggested_command_continues() {
    let service = one_second();
    write_many(&service, 6);
    let url = service.base_url().to_owned();
    let mut running = program(&service, "--in-flight 2 --base-url")
        .arg(&url)
        .start();
    running.until("row-2: task ");
    running.interrupt();
    running.until("nothing more is created");
    let ended = running.end().expect(130);
    assert!(ended.stderr.contains("charged: yes"), "{ended}");
    let charges = service.charges();
    assert!((2..6).contains(&charges), "{ended}");
    about(&service, "status --exit-status").expect(5);
    let command = format!("{} --yes", suggested(&ended.stderr));
    assert!(command.contains("--in-flight 2"), "{ended}");
    Program::shell(service.folder(), &command)
        .key()
        .run()
        .expect(0);
    assert_eq!(videos(&service).len(), 6);
    assert_eq!(service.charges(), 6);
}

#[test]
fn second_interrupt_ends_the_run_at_once() {
    let service = Service::quick();
    service.text_task("an older one");
    write_many(&service, 1);
    service.inject("create:hang@1".parse().unwrap());
    let mut running = program(&service, "").start();
    // The create is on its way when the service has charged it.
    while service.charges() < 2 {
        std::thread::sleep(Duration::from_millis(10));
    }
    running.interrupt();
    running.until("nothing more is created");
    running.interrupt();
    let ended = running.end().expect(130);
    assert!(ended.stderr.contains("charged: unknown"), "{ended}");
    service.clear_faults();
    program(&service, "").run().expect(0);
    assert_eq!(counts(&service)["saved"], 1);
    assert_eq!(service.charges(), 2);
}

#[test]
fn interrupted_sandbox_cannot_be_resumed() {
    let service = Service::quick();
    write_many(&service, 30);
    let start = || {
        Program::new(
            service.folder(),
            "batch run clips.jsonl --out clips --sandbox",
        )
    };
    let mut running = start().start();
    running.until("row-1: task ");
    running.interrupt();
    let ended = running.end().expect(130);
    assert!(ended.stderr.contains("charged: no"), "{ended}");
    assert!(!ended.stderr.contains("resume"), "{ended}");
    let again = start().run().expect(3);
    assert!(again.stderr.contains("use another --out"), "{again}");
    let real = program(&service, "").run().expect(3);
    assert!(
        real.stderr.contains("or another --out for a new batch"),
        "{real}"
    );
    assert_eq!(service.charges(), 0);
}

#[test]
fn watching_ends_and_the_run_goes_on() {
    use std::io::BufRead as _;
    let service = one_second();
    write_many(&service, 4);
    let mut running = program(&service, "--in-flight 1").start();
    running.until("row-1: task ");
    let line = "batch status --out clips --watch";
    let mut watching = service.program(line).start();
    let mut printed = std::io::BufReader::new(watching.child.stdout.take().unwrap());
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("clips: running, ") && line.contains(" of 4 saved"),
        "{line}"
    );
    watching.interrupt();
    watching.end().expect(130);
    running.end().expect(0);
    assert_eq!(videos(&service).len(), 4);
}

#[test]
fn watching_prints_a_status_only_when_it_changes() {
    // The status is read several times while the task runs.
    let service = Service::start(|builder| builder.task_time(Duration::from_secs(4)));
    write_many(&service, 1);
    let mut running = program(&service, "").start();
    running.until("row-1: task ");
    let watched = about(&service, "status --watch").expect(0);
    running.end().expect(0);
    let printed: Vec<_> = watched.stdout.lines().collect();
    let distinct: BTreeSet<_> = printed.iter().collect();
    assert_eq!(printed.len(), distinct.len(), "{watched}");
    assert!(printed.len() >= 2, "{watched}");
}
