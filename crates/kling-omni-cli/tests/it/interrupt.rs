//! Ctrl-C and SIGTERM. The signal is sent after the program printed its progress.
#![cfg(unix)]

use kling_omni_sandbox::Host;
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

/// With a journal, Ctrl-C in any phase exits with 130, and `--resume` continues. The task is paid once.
#[test]
fn journal_is_resumed_after_an_interrupt() {
    const LINE: &str =
        "-p cat -d 3 --max-retries 0 --poll-interval 0.1 -o cat.mp4 --journal cat.journal";
    enum When {
        Said(&'static str),
        ListRequested,
        Charged,
        ResultRequested,
    }
    for (fault, when, times, said) in [
        (
            "status:503",
            When::Said("poll failed"),
            1,
            "stopped waiting for the task",
        ),
        (
            "create:lost@1",
            When::Said("searching for its task"),
            1,
            "stopped searching for the task",
        ),
        (
            "create:hang@1",
            When::Charged,
            2,
            "stopped before the response arrived",
        ),
        (
            "create:slow-headers=1500ms@1",
            When::Charged,
            1,
            "was created",
        ),
        (
            "list:hang@1",
            When::ListRequested,
            1,
            "stopped before the request was sent",
        ),
        (
            "result:drip=1/1s@1",
            When::ResultRequested,
            1,
            "stopped the download",
        ),
    ] {
        let service = Service::quick();
        service.text_task("an older one");
        service.inject(fault.parse().unwrap());
        let before = service.charges();
        let mut running = service.program(&format!("generate {LINE}")).start();
        match when {
            When::ListRequested => {
                while service.requests().len() < 2 {
                    std::thread::yield_now();
                }
            }
            When::Said(line) => running.until(line),
            When::Charged => {
                while service.charges() == before {
                    std::thread::yield_now();
                }
            }
            When::ResultRequested => {
                while !service
                    .requests()
                    .iter()
                    .any(|request| request.host() == Host::Results)
                {
                    std::thread::yield_now();
                }
            }
        }
        running.interrupt();
        if matches!(when, When::Charged) {
            running.until("press Ctrl-C again");
        }
        if times == 2 {
            running.interrupt();
        }
        let ended = running.end().expect(130);
        assert!(ended.stderr.contains(said), "{fault}: {ended}");
        let has_resume = ended.stderr.contains("--resume cat.journal");
        assert_eq!(
            has_resume,
            said != "stopped before the request was sent",
            "{ended}"
        );
        let charged = match said {
            "stopped before the request was sent" => "charged: no",
            "stopped searching for the task" | "stopped before the response arrived" => {
                "charged: unknown"
            }
            _ => "charged: yes",
        };
        assert!(ended.stderr.contains(charged), "{fault}: {ended}");
        assert_eq!(service.files(), ["cat.journal"], "{fault}");

        service.clear_faults();
        let line = LINE.replace("--journal", "--settle-time 1s --resume");
        service.program(&format!("generate {line}")).run().expect(0);
        assert_eq!(service.charges(), before + 1, "{fault}");
        assert_eq!(service.files(), ["cat.journal", "cat.mp4"], "{fault}");
    }
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
