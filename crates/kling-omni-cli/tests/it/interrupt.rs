//! What Ctrl-C does. The signal is sent once the program has said what it is doing.
#![cfg(unix)]

use kling_omni_test_support::clip::mp4;

use crate::support::{Fake, Running, Service, Snapshots, response};

const TASK: &str = "046b6c7f-0b8a-43b9-b35d-6489e6daee91";

#[test]
fn a_wait_leaves_the_task_alone() {
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
fn a_request_under_way_is_given_up_on_the_second_time() {
    let mut snapshots = Snapshots::default();
    let fake = Fake::new(|_, _| Vec::new());
    let mut running = fake.program("generate -p puppet").start();
    assert!(fake.arrival().starts_with("POST "));
    running.interrupt();
    running.until("waiting for its answer");
    running.interrupt();
    let ended = running.end().expect(130);
    snapshots.check("interrupt-create-twice", &ended);
}

#[test]
fn a_request_under_way_is_awaited_the_first_time() {
    let mut snapshots = Snapshots::default();
    let (answer, wanted) = std::sync::mpsc::channel::<()>();
    let fake = Fake::new(move |_, _| {
        wanted.recv().unwrap();
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
    running.until("waiting for its answer");
    answer.send(()).unwrap();
    let ended = running.end().expect(130);
    assert!(ended.stderr.contains(TASK));
    snapshots.check("interrupt-create", &ended);
}

#[test]
fn a_download_leaves_no_file_behind() {
    let mut snapshots = Snapshots::default();
    let fake = Fake::new(|base_url, path| {
        if path.ends_with(".mp4") {
            let mut answer = response("200 OK", &[], &[mp4(0), vec![0; 1000]].concat());
            answer.truncate(answer.len() - 500);
            return answer;
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

/// A shell starts a background job with SIGINT ignored, and what is meant for the foreground must not end it.
#[cfg(target_os = "linux")]
#[test]
fn a_background_job_goes_on() {
    type Send = fn(&Running);
    for (ignored, signal, code) in [
        ("INT", Running::interrupt as Send, 0),
        ("TERM", Running::terminate, 0),
        ("INT TERM", Running::interrupt, 0),
        ("INT", Running::terminate, 130),
        ("TERM", Running::interrupt, 130),
        ("HUP", Running::interrupt, 130),
    ] {
        let (answer, wanted) = std::sync::mpsc::channel::<()>();
        let fake = Fake::new(move |_, _| {
            wanted.recv().unwrap();
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
            running.until("waiting for its answer");
        }
        answer.send(()).unwrap();
        running.end().expect(code);
    }
}
