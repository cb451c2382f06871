//! A batch continues after the program was killed.
#![cfg(unix)]

use super::{counts, one_second, program, run, videos, write_many};
use crate::support::Service;

/// Killed at each of these steps, no task is paid twice and no video is lost. The kill matrix of the crate
/// `kling-omni-batch` has all steps.
#[test]
fn killed_and_resumed() {
    for step in [
        "before sending",
        "after sending",
        "after created",
        "before ended",
        "after saved",
    ] {
        let service = one_second();
        service.text_task("an older one");
        write_many(&service, 3);
        let mut running = program(&service, "")
            .env("KLING_OMNI_FAILPOINT", step)
            .start();
        running.until(&format!("stopped at {step}"));
        running.signal("-KILL");
        assert_eq!(running.end().code, None);
        let ended = run(&service, "--settle-time 0s").expect(0);
        assert_eq!(counts(&service)["saved"], 3, "{step}: {ended}");
        assert_eq!(videos(&service).len(), 3, "{step}: {ended}");
        assert_eq!(service.charges(), 1 + 3, "{step}: {ended}");
    }
}

#[test]
fn items_without_a_row_are_announced() {
    let service = Service::quick();
    write_many(&service, 4);
    run(&service, "--max-tasks 1").expect(3);
    write_many(&service, 1);
    // Items are prepared in any order, so the video that exists may be any.
    let warning = " items without a row in the manifest, and makes them, too";
    let ended = run(&service, "--max-tasks 2").expect(3);
    assert!(ended.stderr.contains(warning), "{ended}");
    write_many(&service, 4);
    // The rows after the sample are in the manifest.
    let ended = run(&service, "--sample 1").expect(0);
    assert!(!ended.stderr.contains("warning: the batch"), "{ended}");
    assert_eq!(service.charges(), 4);
}
