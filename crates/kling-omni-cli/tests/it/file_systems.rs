//! File systems that are full, or that lack what others can do. Linux alone has the means to play them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::Service;

/// Set to make the lack of strace a failure.
const NEEDED: &str = "KLING_OMNI_NEEDS_STRACE";

/// Whether a script works here. If not, says so past the capture of the test harness.
fn works(test: &str, script: &str) -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdout(Stdio::null());
    let works = command
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        let _ = writeln!(std::io::stderr(), "skipped: {test}: `{script}` fails here");
    }
    works
}

fn has_strace(test: &str) -> bool {
    let has_strace = works(test, "strace -f -o /dev/null -e trace=none true");
    let is_needed = std::env::var_os(NEEDED).is_some_and(|value| value != "0" && !value.is_empty());
    assert!(
        has_strace || !is_needed,
        "{test}: no strace, and {NEEDED} is set"
    );
    has_strace
}

/// A script that makes system calls fail.
fn failing(faults: &[&str]) -> String {
    let faults: String = faults
        .iter()
        .map(|fault| format!(" -e inject={fault}"))
        .collect();
    format!("exec strace -f -o /dev/null{faults} \"$0\" \"$@\"")
}

const RENAME: &str = "?rename,?renameat";

#[test]
fn a_video_is_published_whatever_the_file_system_lacks() {
    if !has_strace("a_video_is_published_whatever_the_file_system_lacks") {
        return;
    }
    for (case, faults, force) in [
        (
            "no links",
            &["renameat2:error=EINVAL", "linkat:error=EPERM"][..],
            false,
        ),
        (
            "an old kernel",
            &["renameat2:error=ENOSYS", "linkat:error=EOPNOTSUPP"],
            false,
        ),
        (
            "too many links",
            &["renameat2:error=EINVAL", "linkat:error=EMLINK"],
            false,
        ),
        ("forbidden", &["renameat2:error=EPERM"], false),
        (
            "no rename at all",
            &["renameat2:error=EXDEV", &format!("{RENAME}:error=EXDEV")],
            false,
        ),
        (
            "no rename to replace",
            &[&format!("{RENAME}:error=EXDEV")],
            true,
        ),
        ("a mounted file", &[&format!("{RENAME}:error=EBUSY")], true),
    ] {
        let service = Service::quick();
        let options = if force { "--force" } else { "" };
        if force {
            std::fs::write(service.folder().join("v.mp4"), "mine").unwrap();
        }
        let line =
            format!("generate -p cat -d 3 --poll-interval 0.1 -o v.mp4 --sidecar --json {options}");
        let ended = service.program(&line).through_sh(&failing(faults)).run();
        let saved = ended.expect(0).json();
        let bytes = std::fs::read(service.folder().join("v.mp4")).unwrap();
        assert_eq!(saved["bytes"], bytes.len(), "{case}");
        assert_eq!(&bytes[4..8], b"ftyp", "{case}");
        assert_eq!(service.files(), ["v.mp4", "v.mp4.json"], "{case}");
        assert_eq!(service.charges(), 1, "{case}");
    }
}

/// Some file systems, such as those behind FUSE, refuse to sync a folder.
#[test]
fn a_folder_that_cannot_be_synced_stops_nothing() {
    if !has_strace("a_folder_that_cannot_be_synced_stops_nothing") {
        return;
    }
    for error in ["EINVAL", "EBADF", "EOPNOTSUPP", "EACCES"] {
        let service = Service::quick();
        let folder = std::fs::canonicalize(service.folder()).unwrap();
        let script = failing(&[&format!("fsync:error={error}")]);
        let script = script.replacen("-f", &format!("-f -P {}", folder.display()), 1);
        let line = "generate -p cat -d 3 --poll-interval 0.1 -o v.mp4 --state j";
        service.program(line).through_sh(&script).run().expect(0);
        assert_eq!(service.files(), ["j", "v.mp4"], "{error}");
    }
}

/// Some have no sync at all. One that fails is another matter.
#[test]
fn files_that_cannot_be_synced_stop_nothing_and_a_failed_sync_does() {
    if !has_strace("files_that_cannot_be_synced_stop_nothing_and_a_failed_sync_does") {
        return;
    }
    for (error, goes_on) in [
        ("EINVAL", true),
        ("ENOSYS", true),
        ("EOPNOTSUPP", true),
        ("EIO", false),
        ("ENOSPC", false),
        ("EDQUOT", false),
    ] {
        for (options, files) in [
            ("--sidecar", &["v.mp4", "v.mp4.json"][..]),
            ("--state j", &["j", "v.mp4"]),
        ] {
            let service = Service::quick();
            let line = format!("generate -p cat -d 3 --poll-interval 0.1 -o v.mp4 {options}");
            let script = failing(&[&format!("fsync:error={error}")]);
            let ended = service.program(&line).through_sh(&script).run();
            if goes_on {
                ended.expect(0);
                assert_eq!(service.files(), files, "{error} {options}");
                assert_eq!(service.charges(), 1, "{error} {options}");
            } else {
                let ended = ended.expect(7);
                assert!(ended.stderr.contains("charged: no"), "{error}: {ended}");
                assert_eq!(service.charges(), 0, "{error} {options}");
            }
        }
    }
}

#[test]
fn a_limit_on_files_is_found_before_paying() {
    let service = Service::quick();
    let line = "generate -p cat -d 3 -o v.mp4";
    let ended = service.program(line).largest_file(51_200).run().expect(7);
    assert!(ended.stderr.contains("File too large"), "{ended}");
    assert!(ended.stderr.contains("charged: no"), "{ended}");
    assert_eq!(service.charges(), 0);
    assert_eq!(service.files(), [""; 0]);
}

/// Needs the right to mount, in a namespace of its own.
#[test]
fn a_full_file_system_is_found_before_paying() {
    let test = "a_full_file_system_is_found_before_paying";
    if !works(test, "unshare -m mount -t tmpfs none /mnt") {
        return;
    }
    for (case, options, sidecar, code) in [
        ("room", "size=64m", "--sidecar", 0),
        ("no room", "size=64k", "", 7),
        ("no inodes", "nr_inodes=1", "", 7),
        ("no inode for the sidecar", "nr_inodes=2", "--sidecar", 7),
        ("read-only", "ro", "", 7),
    ] {
        let service = Service::quick();
        let script = format!(
            "exec unshare -m sh -c 'mount -t tmpfs -o {options} none /mnt && exec \"$0\" \"$@\"' \"$0\" \"$@\""
        );
        let line = format!("generate -p cat -d 3 --poll-interval 0.1 -o /mnt/v.mp4 {sidecar}");
        let ended = service
            .program(&line)
            .through_sh(&script)
            .run()
            .expect(code);
        let charges = usize::from(code == 0);
        assert_eq!(service.charges(), charges, "{case}: {ended}");
        assert!(
            code == 0 || ended.stderr.contains("charged: no"),
            "{case}: {ended}"
        );
    }
}
