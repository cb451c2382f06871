//! Ctrl-C and SIGTERM. The signal is sent after the program printed its progress.
#![cfg(unix)]

use kling_omni_test_support::clip::mp4;

use crate::support::{Fake, Running, Service, Snapshots, response};

const TASK: &str = "046b6c7f-0b8a-43b9-b35d-6489e6daee91";

#[test]
fn wait_leaves_the_task_running() {
    let mut snapshots = Snapshots::default();
    let signals: [(_, fn(&Running)); 2] = [
        ("interrupt", Running::interrupt),
        ("terminate", Running::terminate),
    ];
    for (name, signal) in signals {
        let service = Service::slow();
        let mut running = service
            .program("generate -p puppet --json -o clip.mp4")
            .start();
        running.until("CREATED after");
        signal(&running);
        let ended = running.end().expect(130);
        assert_eq!(ended.json()["error"]["task_id"], service.tasks()[0].id());
        snapshots.check(format!("{name}-wait"), &ended);
        assert_eq!(service.files(), [""; 0]);
    }
}

#[test]
fn second_interrupt_gives_up_the_create() {
    let mut snapshots = Snapshots::default();
    let fake = Fake::new(|_, _| Vec::new());
    let mut running = fake.program("generate -p puppet").start();
    assert!(fake.arrival().starts_with("POST "));
    running.interrupt();
    running.until("waiting for the response");
    running.interrupt();
    let ended = running.end().expect(130);
    snapshots.check("interrupt-create-twice", &ended);
}

#[test]
fn first_interrupt_waits_for_the_create() {
    let mut snapshots = Snapshots::default();
    let (respond, requested) = std::sync::mpsc::channel::<()>();
    let fake = Fake::new(move |_, _| {
        requested.recv().unwrap();
        let task =
            format!(r#"{{"data":{{"task_id":"{TASK}","status":"CREATED","generated":[]}}}}"#);
        response(
            "200 OK",
            &["content-type: application/json"],
            task.as_bytes(),
        )
    });
    let mut running = fake.program("generate -p puppet").start();
    fake.arrival();
    running.interrupt();
    running.until("waiting for the response");
    respond.send(()).unwrap();
    let ended = running.end().expect(130);
    assert!(ended.stderr.contains(TASK));
    snapshots.check("interrupt-create", &ended);
}

#[test]
fn download_leaves_no_file() {
    let mut snapshots = Snapshots::default();
    let fake = Fake::new(|base_url, path| {
        if path.ends_with(".mp4") {
            let mut response = response("200 OK", &[], &[mp4(0), vec![0; 1000]].concat());
            response.truncate(response.len() - 500);
            return response;
        }
        let task = format!(
            r#"{{"data":{{"task_id":"{TASK}","status":"COMPLETED","generated":["{base_url}/7.mp4"]}}}}"#
        );
        response(
            "200 OK",
            &["content-type: application/json"],
            task.as_bytes(),
        )
    });
    let running = fake.program(&format!("download {TASK}")).start();
    while !fake.arrival().ends_with(".mp4") {}
    running.interrupt();
    let ended = running.end().expect(130);
    snapshots.check("interrupt-download", &ended);
    assert_eq!(fake.folder().read_dir().unwrap().count(), 0);
}

/// A shell starts a background job with SIGINT ignored. A Ctrl-C for the foreground job must not stop it.
#[cfg(target_os = "linux")]
#[test]
fn background_job_ignores_interrupts() {
    type Send = fn(&Running);
    for (ignored, signal, code) in [
        ("INT", Running::interrupt as Send, 0),
        ("TERM", Running::terminate, 0),
        ("INT TERM", Running::interrupt, 0),
        ("INT", Running::terminate, 130),
        ("TERM", Running::interrupt, 130),
        ("HUP", Running::interrupt, 130),
    ] {
        let (respond, requested) = std::sync::mpsc::channel::<()>();
        let fake = Fake::new(move |_, _| {
            requested.recv().unwrap();
            let task =
                format!(r#"{{"data":{{"task_id":"{TASK}","status":"CREATED","generated":[]}}}}"#);
            response(
                "200 OK",
                &["content-type: application/json"],
                task.as_bytes(),
            )
        });
        let program = fake.program("generate -p puppet --no-wait");
        let mut running = program.ignoring(ignored).start();
        fake.arrival();
        signal(&running);
        if code != 0 {
            running.until("waiting for the response");
        }
        respond.send(()).unwrap();
        running.end().expect(code);
    }
}
