//! File systems that are full or lack features. Linux only, because they are simulated with strace and namespaces.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::Service;

/// Makes these tests fail where strace is missing.
const NEEDED: &str = "KLING_OMNI_NEEDS_STRACE";

/// Returns whether a script works on this machine. If not, prints that the test is skipped, not captured by the harness.
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

/// Returns a script that makes system calls fail.
fn failing(faults: &[&str]) -> String {
    let faults: String = faults
        .iter()
        .map(|fault| format!(" -e inject={fault}"))
        .collect();
    format!("exec strace -f -o /dev/null{faults} \"$0\" \"$@\"")
}

const RENAME: &str = "?rename,?renameat";

#[test]
fn publish_falls_back_without_links_and_renames() {
    if !has_strace("publish_falls_back_without_links_and_renames") {
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

/// Some file systems, such as those behind FUSE, cannot sync a folder.
#[test]
fn folder_sync_failures_are_ignored() {
    if !has_strace("folder_sync_failures_are_ignored") {
        return;
    }
    for error in ["EINVAL", "EBADF", "EOPNOTSUPP", "EACCES"] {
        let service = Service::quick();
        let folder = std::fs::canonicalize(service.folder()).unwrap();
        let script = failing(&[&format!("fsync:error={error}")]);
        let script = script.replacen("-f", &format!("-f -P {}", folder.display()), 1);
        let line = "generate -p cat -d 3 --poll-interval 0.1 -o v.mp4 --journal j";
        service.program(line).through_sh(&script).run().expect(0);
        assert_eq!(service.files(), ["j", "v.mp4"], "{error}");
    }
}

/// Some file systems have no sync, which is ignored. A sync that fails is an error.
#[test]
fn missing_sync_is_ignored_but_failed_sync_is_an_error() {
    if !has_strace("missing_sync_is_ignored_but_failed_sync_is_an_error") {
        return;
    }
    for (error, is_ignored) in [
        ("EINVAL", true),
        ("ENOSYS", true),
        ("EOPNOTSUPP", true),
        ("EIO", false),
        ("ENOSPC", false),
        ("EDQUOT", false),
    ] {
        for (options, files) in [
            ("--sidecar", &["v.mp4", "v.mp4.json"][..]),
            ("--journal j", &["j", "v.mp4"]),
        ] {
            let service = Service::quick();
            let line = format!("generate -p cat -d 3 --poll-interval 0.1 -o v.mp4 {options}");
            let script = failing(&[&format!("fsync:error={error}")]);
            let ended = service.program(&line).through_sh(&script).run();
            if is_ignored {
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
fn file_size_limit_is_found_before_paying() {
    let service = Service::quick();
    let line = "generate -p cat -d 3 -o v.mp4";
    let ended = service.program(line).max_file_size(51_200).run().expect(7);
    assert!(ended.stderr.contains("File too large"), "{ended}");
    assert!(ended.stderr.contains("charged: no"), "{ended}");
    assert_eq!(service.charges(), 0);
    assert_eq!(service.files(), [""; 0]);
}

/// Needs permission to mount in a new namespace.
#[test]
fn full_file_system_is_found_before_paying() {
    let test = "full_file_system_is_found_before_paying";
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
