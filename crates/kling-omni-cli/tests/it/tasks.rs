//! `status`, `wait`, `download` and `list`.

use std::collections::HashSet;
use std::time::Duration;

use kling_omni_test_support::clip::mp4;
use serde_json::json;

use crate::support::{Fake, Program, Service, Snapshots, facts, response};

#[test]
fn status_is_printed_in_every_state() {
    let mut snapshots = Snapshots::default();
    let slow = Service::slow();
    let quick = Service::quick();
    let expired = Service::start(|builder| {
        builder
            .task_time(Duration::ZERO)
            .result_lifetime(Duration::ZERO)
    });
    for (name, service, prompt, status) in [
        ("created", &slow, "puppet", "CREATED"),
        ("completed", &quick, "puppet", "COMPLETED"),
        ("expired", &expired, "puppet", "COMPLETED"),
        ("empty", &quick, "[sandbox:empty]", "COMPLETED"),
        ("failed", &quick, "[sandbox:fail=no light]", "FAILED"),
    ] {
        let id = service.task(prompt);
        let ended = service.program("status").arg(&id).run().expect(0);
        assert_eq!(ended.stdout.trim(), status);
        snapshots.check(format!("status-{name}"), &ended);
        let ended = service.program("status --json").arg(&id).run().expect(0);
        snapshots.check(format!("status-{name}-json"), &ended);
    }
}

#[test]
fn wait_and_download_resume_a_task() {
    let service = Service::quick();
    let id = service.task("puppet");
    let ended = service
        .program("wait --poll-interval 100ms -o waited.mp4")
        .arg(&id)
        .run()
        .expect(0);
    assert_eq!(ended.stdout, "waited.mp4\n");
    let ended = service.program("download").arg(&id).run().expect(0);
    assert_eq!(ended.stdout, format!("{id}.mp4\n"));
    for name in service.files() {
        assert_eq!(facts(&service.folder().join(name)).seconds, 5.0);
    }
    assert_eq!(service.files().len(), 2);
    assert_eq!(service.charges(), 1);

    let ended = service
        .program("wait --no-download --json")
        .arg(&id)
        .run()
        .expect(0);
    assert_eq!(ended.json()["status"], "COMPLETED");
    assert_eq!(service.files().len(), 2);
}

#[test]
fn wait_prints_each_status() {
    let service = Service::start(|builder| builder.task_time(Duration::from_millis(500)));
    let ended = service
        .program("generate -d 3 --poll-interval 0.1 -p")
        .arg("puppet [sandbox:status=QUEUED]")
        .run()
        .expect(0);
    let printed: Vec<_> = ["CREATED", "QUEUED", "IN_PROGRESS", "COMPLETED"]
        .into_iter()
        .filter(|status| ended.stderr.contains(&format!("{status} after ")))
        .collect();
    // A status between two polls may be missed, but not the first and the last one.
    assert_eq!(
        (printed.first(), printed.last()),
        (Some(&"CREATED"), Some(&"COMPLETED")),
        "{ended}"
    );
}

#[test]
fn failed_poll_does_not_end_the_wait() {
    let mut snapshots = Snapshots::default();
    let polls = std::cell::Cell::new(0);
    let fake = Fake::new(move |base_url, path| {
        if path.ends_with(".mp4") {
            return response("200 OK", &[], &mp4(0));
        }
        let polled = path.ends_with("/7");
        polls.set(polls.get() + i32::from(polled));
        if polled && polls.get() == 1 {
            return response("503 Service Unavailable", &[], b"<html>down</html>");
        }
        let status = if polled { "COMPLETED" } else { "CREATED" };
        let task = format!(
            r#"{{"data":{{"task_id":"7","status":"{status}","generated":["{base_url}/7.mp4"]}}}}"#
        );
        response(
            "200 OK",
            &["content-type: application/json"],
            task.as_bytes(),
        )
    });
    let ended = fake
        .program("generate -p x --poll-interval 0.1")
        .run()
        .expect(0);
    snapshots.check("failed-poll", &ended);
}

#[test]
fn timeout_leaves_the_task_running() {
    let mut snapshots = Snapshots::default();
    let service = Service::slow();
    let ended = service
        .program("generate -p puppet --timeout 0.2 --poll-interval 100ms -o")
        .arg("my clip.mp4")
        .run()
        .expect(5);
    snapshots.check("timeout", &ended);
    let id = service.tasks()[0].id().to_owned();

    let ended = service
        .program("wait --timeout 0 --json")
        .arg(&id)
        .run()
        .expect(5);
    assert_eq!(ended.json()["error"]["kind"], "timeout");
    assert_eq!(ended.json()["error"]["task_id"], id);
    assert_eq!(ended.json()["error"]["charged"], "yes");

    let ended = service.program("download").arg(&id).run().expect(5);
    snapshots.check("download-too-early", &ended);
    assert_eq!(service.files(), [""; 0]);
}

#[test]
fn suggested_command_uses_the_same_server() {
    let service = Service::slow();
    let ended = Program::new(
        service.folder(),
        "generate -p puppet --no-wait --host magnific --base-url",
    )
    .arg(service.base_url())
    .key()
    .run()
    .expect(0);
    let id = service.tasks()[0].id().to_owned();
    let wait = format!(
        "kling-omni wait {id} --host magnific --base-url {}",
        service.base_url()
    );
    assert!(ended.stderr.contains(&wait), "{ended}");
}

/// Endless pages, and repeated pages.
#[test]
fn endless_list_is_cut_off() {
    let page = |path: &str| {
        let (_, query) = path.split_once('?').unwrap_or_default();
        let page = query.split('&').find_map(|part| part.strip_prefix("page="));
        page.unwrap_or("1").parse::<u32>().unwrap()
    };
    let respond = |page: u32| {
        let list = format!(r#"{{"data":[{{"task_id":"task-{page}","status":"CREATED"}}]}}"#);
        response(
            "200 OK",
            &["content-type: application/json"],
            list.as_bytes(),
        )
    };
    let endless = Fake::new(move |_, path| respond(page(path)));
    let line = "list --mode reference --all";
    let ended = endless
        .program(&format!("{line} --max-pages 7 --page 3"))
        .run()
        .expect(5);
    assert_eq!(ended.stdout.lines().count(), 7, "{ended}");
    assert!(ended.stderr.contains("more than 7 pages"), "{ended}");
    assert!(ended.stderr.contains("--page 10"), "{ended}");
    // A page without a new task is the last one.
    let repeating = Fake::new(move |_, path| respond(page(path).min(3)));
    let ended = repeating.program(line).run().expect(0);
    assert_eq!(ended.stdout.lines().count(), 3, "{ended}");
    repeating
        .program(&format!("{line} --max-pages 0"))
        .run()
        .expect(2);
}

#[test]
fn list_is_paginated() {
    let mut snapshots = Snapshots::default();
    let service = Service::slow();
    let ended = service.program("list").run().expect(0);
    snapshots.check("list-empty", &ended);

    let ids: HashSet<_> = (0..5).map(|_| service.task("puppet")).collect();
    let ended = service
        .program("list --page-size 2 --page 3")
        .run()
        .expect(0);
    snapshots.check("list-page", &ended);
    let ended = service
        .program("list --page-size 2 --page 3 --json")
        .run()
        .expect(0);
    snapshots.check("list-page-json", &ended);

    let ended = service
        .program("list --all --page-size 2 --json")
        .run()
        .expect(0);
    let listed: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(listed.len(), ids.len());
    for id in ids {
        assert!(listed.contains(&json!({"task_id": id, "status": "CREATED", "mode": "reference"})));
    }
}

#[test]
fn sandbox_option_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["status x", "wait x", "download x", "list"] {
        let ended = Program::new(folder.path(), command)
            .arg("--sandbox")
            .run()
            .expect(2);
        assert!(
            ended.stderr.contains("a new sandbox has no tasks"),
            "{ended}"
        );
    }
}

#[test]
fn task_durations_are_kept_between_runs() {
    let service = Service::quick();
    let generate = |name: &str| {
        let line = "generate -p puppet --video https://example.com/dance.mp4";
        service
            .program(line)
            .arg("-o")
            .arg(name)
            .env("KLING_OMNI_TASK_DURATIONS", "durations.json")
    };
    for (name, count) in [("first.mp4", 1), ("second.mp4", 2)] {
        generate(name).run().expect(0);
        let times = std::fs::read(service.folder().join("durations.json")).unwrap();
        let times: serde_json::Value = serde_json::from_slice(&times).unwrap();
        let kinds = times.as_object().unwrap();
        assert_eq!(kinds.len(), 1, "{times}");
        assert_eq!(
            kinds["reference/pro/5/without-image"]
                .as_array()
                .unwrap()
                .len(),
            count
        );
    }
    assert_eq!(service.charges(), 2);

    std::fs::write(service.folder().join("durations.json"), "[]").unwrap();
    let ended = generate("third.mp4").run().expect(7);
    assert!(
        ended
            .stderr
            .contains("durations.json does not contain task durations"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("charged: no"), "{}", ended.stderr);
    assert_eq!(service.charges(), 2);
}

#[test]
fn unknown_status_does_not_end_the_wait() {
    let service = Service::quick();
    let line = "generate -p [sandbox:status=POLISHING][sandbox:seconds=2] -o odd.mp4 --poll-interval 100ms";
    let ended = service
        .program(line)
        .arg("--video")
        .arg("https://example.com/dance.mp4")
        .run()
        .expect(0);
    let warning = "warning: unknown status POLISHING, still waiting";
    assert_eq!(ended.stderr.matches(warning).count(), 1, "{}", ended.stderr);
}
