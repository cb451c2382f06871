//! `--journal` and `--resume` without crashes. The module `crash` tests them with crashes.

use std::fs;

use crate::support::{Ended, Program, Service, Snapshots};

/// A request from text, whose tasks the service lists.
const CAT: &str = "-p cat -d 3 --poll-interval 0.1";
/// A request to the older route, whose tasks it may not list.
const DANCE: &str = "-p @Video1 --video https://example.com/dance.mp4 -d 3 --poll-interval 0.1";

#[test]
fn journal_is_for_one_task() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let line = format!("generate {CAT} --journal cat.journal -o cat.mp4");
    let ended = service.program(&line).run().expect(0);
    snapshots.check("journal", &ended);
    let line = line.replace("cat.mp4", "other.mp4");
    let ended = service.program(&line).run().expect(7);
    snapshots.check("journal-exists", redacted(&service, &ended));

    let ended = service
        .program("generate --resume cat.journal -p dog -d 3")
        .run()
        .expect(2);
    snapshots.check("resume-saved-another-request", redacted(&service, &ended));

    let resume = || service.program("generate --resume cat.journal --json");
    let ended = resume().run().expect(0);
    let hash = ended.json()["sha256"].clone();
    snapshots.check("resume-saved", redacted(&service, &ended));

    fs::write(service.folder().join("cat.mp4"), "not a cat").unwrap();
    let ended = resume().run().expect(7);
    snapshots.check("resume-in-the-way", redacted(&service, &ended));
    let ended = resume().arg("--force").run().expect(0);
    assert_eq!(ended.json()["sha256"], hash);
    snapshots.check("resume-changed", redacted(&service, &ended));

    fs::remove_file(service.folder().join("cat.mp4")).unwrap();
    resume().arg("--sidecar").run().expect(0);
    assert_eq!(service.files(), ["cat.journal", "cat.mp4", "cat.mp4.json"]);
    assert_eq!(service.charges(), 1);
}

#[test]
fn lost_response_is_reconciled_in_the_same_run() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    // A new task is recognized only by comparison with an earlier list.
    service.text_task("a dog");
    service.inject("create:drop@1".parse().unwrap());
    let line = format!("generate {CAT} --max-retries 0 --journal cat.journal -o cat.mp4");
    let ended = service.program(&line).run().expect(0);
    snapshots.check("journal-lost-response", &ended);
    assert_eq!(service.charges(), 2);
    assert_eq!(service.files(), ["cat.journal", "cat.mp4"]);
}

#[test]
fn lost_request_is_created_by_the_next_run() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    service.text_task("an older one");
    service.inject("create:lost@1".parse().unwrap());
    let options = format!("{CAT} --max-retries 0 --settle-time 0s -o cat.mp4");
    let ended = service
        .program(&format!("generate {options} --journal cat.journal"))
        .run()
        .expect(5);
    snapshots.check("journal-lost-request", &ended);
    let ended = service
        .program("generate --resume cat.journal")
        .run()
        .expect(2);
    snapshots.check("resume-without-request", &ended);
    let ended = service
        .program("generate --resume cat.journal -p dog -d 3")
        .run()
        .expect(2);
    snapshots.check("resume-another-request", redacted(&service, &ended));
    assert_eq!(service.charges(), 1);
    service
        .program(&format!("generate {options} --resume cat.journal"))
        .run()
        .expect(0);
    assert_eq!(service.charges(), 2);
}

#[test]
fn ambiguous_create_is_resolved_by_the_user() {
    let mut snapshots = Snapshots::default();
    // Without a new task on the list, which may not contain it, and with several new tasks.
    for (fault, others, name) in [
        ("create:lost@1", 0, "nothing"),
        ("create:drop@1", 1, "several"),
    ] {
        let service = Service::quick();
        let old = service.task("an older one");
        let program = |options: &str| {
            service.program(&format!(
                "generate {options} --max-retries 0 --settle-time 0s --json"
            ))
        };
        service.inject(fault.parse().unwrap());
        // The three list requests before the create succeed, those after it fail.
        service.inject("list:503@4-".parse().unwrap());
        program(&format!("{DANCE} --journal dance.journal -o dance.mp4"))
            .run()
            .expect(8);
        let other_tasks: Vec<_> = (0..others).map(|_| service.task("of another")).collect();
        service.clear_faults();

        let ended = program("--resume dance.journal").run().expect(8);
        let error = &ended.json()["error"];
        assert_eq!(
            (&error["charged"], &error["kind"]),
            (&"unknown".into(), &"ambiguous".into())
        );
        for id in &other_tasks {
            assert!(
                error["candidates"]
                    .as_array()
                    .unwrap()
                    .contains(&id.as_str().into())
            );
        }
        snapshots.check(
            format!("resume-ambiguous-{name}"),
            redacted(&service, &ended),
        );

        for (options, code, case) in [
            (format!("--task {old}"), 2, "old-task"),
            ("--task 0000".to_owned(), 2, "no-task"),
            ("--create-anyway".to_owned(), 2, "create-without-request"),
        ] {
            let ended = program(&format!("--resume dance.journal {options}")).run();
            let ended = ended.expect(code);
            assert_eq!(ended.json()["error"]["charged"], "unknown", "{ended}");
            snapshots.check(format!("resume-{name}-{case}"), redacted(&service, &ended));
        }
        let before = service.charges();
        if others == 0 {
            program(&format!("{DANCE} --resume dance.journal --create-anyway"))
                .run()
                .expect(0);
            assert_eq!(service.charges(), before + 1);
        } else {
            let tasks = service.tasks();
            let own = tasks
                .iter()
                .find(|task| task.request()["prompt"] == "@Video1");
            let own = own.unwrap().id();
            let ended = program(&format!("--resume dance.journal --task {own}"))
                .run()
                .expect(0);
            assert_eq!(ended.json()["task_id"], own);
            assert_eq!(service.charges(), before);
            let ended = program("--resume dance.journal --task 0000")
                .run()
                .expect(2);
            assert_eq!(ended.json()["error"]["charged"], "yes");
        }
        assert_eq!(service.files(), ["dance.journal", "dance.mp4"]);
    }
}

#[test]
fn invalid_uses_of_a_journal() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    fs::write(service.folder().join("notes.txt"), "a list").unwrap();
    for (name, line, code) in [
        ("sandbox", "generate -p x --sandbox --journal x.journal", 2),
        ("missing", "generate --resume x.journal", 7),
        ("no-folder", "generate -p x --journal d/x.journal", 7),
        ("no-journal", "generate --resume notes.txt", 7),
        ("dry-run", "generate -p x --dry-run --journal x.journal", 2),
        (
            "both",
            "generate -p x --journal x.journal --resume y.journal",
            2,
        ),
        (
            "task-alone",
            "generate -p x --journal x.journal --task 7",
            2,
        ),
        ("rule", "generate -p x -d 99 --journal x.journal", 2),
    ] {
        let ended = service.program(line).run().expect(code);
        snapshots.check(format!("journal-{name}"), redacted(&service, &ended));
    }
    assert_eq!(service.files(), ["notes.txt"]);
    assert_eq!(service.requests().len(), 0);
}

/// A folder stands in for a file without read permission, because root can read all files.
#[test]
fn unreadable_journal_is_charged_unknown() {
    let service = Service::quick();
    fs::create_dir(service.folder().join("folder")).unwrap();
    fs::write(service.folder().join("notes.txt"), "a list").unwrap();
    fs::write(service.folder().join("newer"), "kling-omni journal 3\n").unwrap();
    fs::write(
        service.folder().join("damaged"),
        "kling-omni journal 2\n0 {}\n",
    )
    .unwrap();
    for (name, advice) in [
        ("folder", "make the file readable and writable"),
        ("notes.txt", "pass the journal"),
        ("newer", "use the version"),
        ("damaged", "search the account's list for the task"),
        ("missing", "start with --journal"),
    ] {
        let line = format!("generate --json --resume {name}");
        let ended = service.program(&line).run().expect(7);
        let error = &ended.json()["error"];
        assert_eq!(error["charged"], "unknown", "{ended}");
        assert!(error["help"].as_str().unwrap().contains(advice), "{ended}");
    }
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn journal_is_locked() {
    let mut snapshots = Snapshots::default();
    let service = Service::slow();
    let mut first = service
        .program(&format!("generate {CAT} --journal cat.journal"))
        .start();
    first.until("CREATED after");
    let ended = service
        .program("generate --resume cat.journal")
        .run()
        .expect(7);
    snapshots.check("resume-in-use", redacted(&service, &ended));
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    let ended = service
        .program("generate --resume cat.journal --no-wait")
        .run()
        .expect(0);
    assert_eq!(ended.stdout.trim(), service.tasks()[0].id());
    assert_eq!(service.charges(), 1);
}

#[test]
fn journal_with_a_task_is_charged() {
    let service = Service::slow();
    let line = "generate -p cat -d 3 --journal cat.journal --no-wait";
    let line = line.replace(" --poll-interval 0.1", "");
    let id = service.program(&line).run().expect(0);
    let id = id.stdout.trim();
    let resume = || service.program("generate --resume cat.journal --max-retries 0 --json");
    let check = |ended: &Ended| {
        let error = &ended.json()["error"];
        assert_eq!(error["charged"], "yes", "{ended}");
        assert_eq!(error["task_id"], id, "{ended}");
    };

    let ended = resume().env("FREEPIK_API_KEY", "wrong").run().expect(3);
    check(&ended);

    let other = Service::quick();
    let ended = resume()
        .arg("--base-url")
        .arg(other.base_url())
        .run()
        .expect(2);
    check(&ended);
    for url in [service.base_url(), other.base_url()] {
        assert!(ended.stderr.contains(url), "{ended}");
    }
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn failed_task_stays_failed() {
    let service = Service::quick();
    let line = format!("generate {CAT} --journal x.journal --prompt");
    let line = line.replacen("-p cat", "", 1);
    service
        .program(&line)
        .arg("[sandbox:fail=no light]")
        .run()
        .expect(4);
    let ended = service
        .program("generate --resume x.journal")
        .run()
        .expect(4);
    assert!(ended.stderr.contains("no light"), "{ended}");
    assert_eq!(service.charges(), 1);
}

/// The disk is full from the response on: the id is printed, and the next run finds the task.
#[cfg(target_os = "linux")]
#[test]
fn unwritable_journal_loses_no_task() {
    const BLOCK: usize = 512;
    let mut snapshots = Snapshots::default();
    // The journal contains the path of the folder, whose length sets the length of the journal.
    let run = |service: &Service, folder: &str, limit: Option<u64>| {
        let folder = service.folder().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let line = "generate -p cat -d 3 --journal cat.journal --no-wait";
        let program = Program::new(&folder, line)
            .key()
            .env("KLING_OMNI_BASE_URL", service.base_url());
        let ended = match limit {
            Some(bytes) => program.max_file_size(bytes).run(),
            None => program.run(),
        };
        (ended.expect(0), folder.join("cat.journal"))
    };
    // The length of a journal before the response.
    let service = Service::slow();
    service.text_task("a dog");
    let (_, journal) = run(&service, "d", None);
    let journal = fs::read_to_string(journal).unwrap();
    let unanswered: usize = journal.split_inclusive('\n').take(3).map(str::len).sum();
    let limit = (unanswered + 1).next_multiple_of(BLOCK);

    let service = Service::slow();
    service.text_task("a dog");
    let name = format!("d{}", "/d".repeat((limit - unanswered) / 2));
    let (ended, _) = run(&service, &name, Some(limit as u64));
    let shown = redacted(&service, &ended).replace(&name, "d");
    snapshots.check("journal-disk-full", shown);
    let id = service.tasks()[1].id().to_owned();
    assert_eq!(ended.stdout.trim(), id);

    let line = format!("generate --resume {name}/cat.journal --no-wait");
    let ended = service.program(&line).run().expect(0);
    assert_eq!(ended.stdout.trim(), id);
    assert_eq!(service.charges(), 2);
}

/// Returns the text without the folder of the test.
fn redacted(service: &Service, shown: &impl std::fmt::Display) -> String {
    let folder = fs::canonicalize(service.folder()).unwrap();
    shown
        .to_string()
        .replace(&*folder.to_string_lossy(), "[folder]")
        .replace(&*service.folder().to_string_lossy(), "[folder]")
}
