//! Several processes and one ledger.

use super::{about, counts, one_second, program, run, videos, write_many};

#[test]
fn second_run_is_refused() {
    let service = one_second();
    write_many(&service, 3);
    let mut running = program(&service, "--in-flight 1").start();
    running.until("row-1: task ");
    let ended = run(&service, "").expect(2);
    assert!(ended.stderr.contains("in use by another run"), "{ended}");
    running.end().expect(0);
    assert_eq!(service.charges(), 3);
}

/// A run of another process would create them at once.
#[test]
fn new_rows_are_not_imported_before_they_are_confirmed() {
    let service = one_second();
    write_many(&service, 2);
    let mut running = program(&service, "--in-flight 1").start();
    running.until("row-1: task ");
    write_many(&service, 4);
    let line = "batch run clips.jsonl --out clips";
    let ended = service.program(line).run().expect(2);
    assert!(ended.stderr.contains("not confirmed"), "{ended}");
    running.end().expect(0);
    assert_eq!(service.charges(), 2);
    assert_eq!(counts(&service)["saved"], 2);
    run(&service, "").expect(0);
    assert_eq!(service.charges(), 4);
}

#[test]
fn pause_and_resume_control_a_run_of_another_process() {
    let service = one_second();
    write_many(&service, 4);
    let mut running = program(&service, "--in-flight 1").start();
    running.until("row-1: task ");
    let ended = about(&service, "pause").expect(0);
    assert!(
        ended
            .stderr
            .contains("to continue: kling-omni batch resume clips"),
        "{ended}"
    );
    running.until("paused");
    let paused = service.charges();
    assert!(paused < 4);
    assert!(
        about(&service, "status")
            .expect(0)
            .stdout
            .contains("clips: paused")
    );
    let ended = about(&service, "resume clips --yes").expect(0);
    assert!(
        ended
            .stderr
            .contains("the run of another process continues"),
        "{ended}"
    );
    running.until("resumed");
    running.end().expect(0);
    assert_eq!(counts(&service)["saved"], 4);
    assert_eq!(service.charges(), 4);
}

#[test]
fn stop_ends_a_run_of_another_process() {
    let service = one_second();
    write_many(&service, 4);
    let mut running = program(&service, "--in-flight 1").start();
    running.until("row-1: task ");
    about(&service, "stop clips").expect(0);
    let ended = running.end().expect(5);
    assert!(ended.stderr.contains("stopped: "), "{ended}");
    assert!(ended.stderr.contains("charged: yes"), "{ended}");
    // What was paid for is saved.
    assert_eq!(videos(&service).len(), service.charges());
    assert!(service.charges() < 4);
    about(&service, "status --watch --exit-status").expect(5);
    about(&service, "resume --yes").expect(0);
    assert_eq!(service.charges(), 4);
    about(&service, "pause").expect(2);
}

#[test]
fn paused_batch_without_a_run_is_resumed() {
    let service = one_second();
    write_many(&service, 2);
    let ended = run(&service, "--max-tasks 1").expect(3);
    assert!(ended.stderr.contains("paused: "), "{ended}");
    about(&service, "pause").expect(0);
    let status = about(&service, "status").expect(0);
    assert!(status.stdout.starts_with("clips: paused"), "{status}");
    about(&service, "resume --yes --max-tasks 2").expect(0);
    assert_eq!(counts(&service)["saved"], 2);
    assert_eq!(service.charges(), 2);
}
