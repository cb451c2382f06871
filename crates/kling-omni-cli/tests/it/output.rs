//! Output files and pipes that cannot be written.

use std::fs;
use std::io::Read;

use crate::support::{Service, Snapshots};

#[test]
fn unwritable_path_is_found_before_paying() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let there = service.folder();
    fs::write(there.join("there.mp4"), "mine").unwrap();
    fs::write(there.join("file"), "").unwrap();
    for (name, path) in [
        ("output-exists", "there.mp4"),
        ("output-without-folder", "not/there/clip.mp4"),
        ("output-in-a-file", "file/clip.mp4"),
    ] {
        let ended = service
            .program("generate -p puppet -o")
            .arg(path)
            .run()
            .expect(7);
        snapshots.check(name, &ended);
    }
    // The same holds for a name that is too long, and for a device.
    for options in [
        format!("-o {}.mp4", "x".repeat(256)),
        format!("-o {}.mp4 --sidecar", "x".repeat(251)),
        "-o /dev/null --force".to_owned(),
    ] {
        let line = format!("generate -p puppet {options}");
        let ended = service.program(&line).run().expect(7);
        assert!(ended.stderr.contains("charged: no"), "{ended}");
    }
    service.program("generate -p puppet -o -").run().expect(2);
    assert_eq!(service.requests().len(), 0);
    assert_eq!(fs::read_to_string(there.join("there.mp4")).unwrap(), "mine");
}

#[cfg(unix)]
#[test]
fn read_only_folder_is_found_before_paying() {
    use std::os::unix::fs::PermissionsExt;

    let service = Service::quick();
    let locked = service.folder().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("probe"), "").is_ok() {
        eprintln!("skipped: this user, such as root, may write anywhere");
        return;
    }
    let ended = service
        .program("generate -p puppet -o locked/clip.mp4")
        .run()
        .expect(7);
    // No snapshot, because it would be reported as unused where the test is skipped.
    assert!(
        ended
            .stderr
            .contains("locked/clip.mp4 could not be written: Permission denied"),
        "{ended}"
    );
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn existing_file_is_replaced_with_force_only() {
    let service = Service::quick();
    let id = service.task("puppet");
    let path = service.folder().join("clip.mp4");
    fs::write(&path, "mine").unwrap();
    for command in ["download", "wait"] {
        let run = format!("{command} {id} -o clip.mp4");
        service.program(&run).run().expect(7);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
    service
        .program(&format!("download {id} -o clip.mp4 --force"))
        .run()
        .expect(0);
    assert_ne!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn closed_stdout_is_not_an_error() {
    let service = Service::quick();
    for line in [
        "generate -d 3 --poll-interval 0.1 -p puppet",
        "list",
        "schema",
        "completions bash",
    ] {
        let mut running = service.program(line).start();
        drop(running.child.stdout.take());
        running.end().expect(0);
    }
    assert_eq!(service.files().len(), 1);
}

#[test]
fn closed_stderr_is_not_an_error() {
    let service = Service::quick();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kling-omni"))
        .env_clear()
        .env("FREEPIK_API_KEY", crate::support::KEY)
        .env("KLING_OMNI_BASE_URL", service.base_url())
        .args([
            "generate",
            "-d",
            "3",
            "--poll-interval",
            "0.1",
            "-p",
            "puppet",
            "-o",
            "clip.mp4",
        ])
        .current_dir(service.folder())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut stdout)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(stdout, "clip.mp4\n");
}
