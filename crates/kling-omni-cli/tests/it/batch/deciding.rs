//! Items for which a person has to decide.

use super::{about, counts, run, write_many};
use crate::support::{Service, Snapshots};

/// Without a task on the list before the create, the list proves nothing about it.
fn undecided(fault: &str) -> Service {
    let service = Service::quick();
    write_many(&service, 1);
    service.inject(fault.parse().unwrap());
    let ended = run(&service, "--max-retries 0 --settle-time 0s").expect(8);
    assert!(ended.stderr.contains("charged: unknown"), "{ended}");
    assert!(ended.stderr.contains("paid for at most 1 task"), "{ended}");
    assert!(
        ended
            .stderr
            .contains("kling-omni batch show clips KEY --out clips"),
        "{ended}"
    );
    assert_eq!(counts(&service)["unknown"], 1);
    about(&service, "status --exit-status").expect(8);
    service
}

#[test]
fn a_task_that_was_found_is_fetched() {
    let mut snapshots = Snapshots::default();
    let service = undecided("create:drop@1");
    let shown = about(&service, "show clips row-1").expect(0);
    let id = service.tasks()[0].id().to_owned();
    assert!(shown.stdout.contains(&id), "{shown}");
    snapshots.check("batch-show-unknown", shown);
    let missing = about(&service, "settle clips row-1 --task 00000000").expect(2);
    assert!(missing.stderr.contains("not found"), "{missing}");
    let missing = about(&service, "settle clips row-2 --absent").expect(2);
    assert!(missing.stderr.contains("\"row-2\""), "{missing}");
    about(&service, &format!("settle clips row-1 --task {id}")).expect(0);
    run(&service, "").expect(0);
    assert_eq!(counts(&service)["saved"], 1);
    assert_eq!(service.charges(), 1);
    let shown = about(&service, "show clips row-1 --json").expect(0).json();
    assert_eq!(shown["task_id"], id);
    about(&service, "settle clips row-1 --absent").expect(2);
}

#[test]
fn an_item_without_a_task_is_created_again() {
    let service = undecided("create:lost@1");
    about(&service, "settle clips row-1").expect(2);
    about(&service, "settle clips row-1 --absent").expect(0);
    run(&service, "").expect(0);
    assert_eq!(counts(&service)["saved"], 1);
    assert_eq!(service.charges(), 1);
}
