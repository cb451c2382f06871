//! The commands that messages name: pasted into a shell, they do what the message says, whatever names are in them.
#![cfg(unix)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::support::{Ended, Program, Service};

const NAMES: [&[u8]; 8] = [
    b"plain",
    b"my clip",
    b"it's \"one\"",
    b"-dash",
    b"--force",
    b"two\nlines",
    b"\xff\xfe",
    b"$(touch pwned)`touch pwned`;*",
];

/// An option with a value that a shell would have to quote.
fn with(option: &str, value: &[u8]) -> OsString {
    let mut word = OsString::from(format!("{option}="));
    word.push(OsStr::from_bytes(value));
    word
}

/// What stands behind a mark, to the end of the line or to the backtick that closes it.
fn after<'a>(ended: &'a Ended, mark: &str) -> &'a str {
    let (_, rest) = ended
        .stderr
        .split_once(mark)
        .unwrap_or_else(|| panic!("{ended}"));
    let rest = rest.lines().next().unwrap();
    match mark.ends_with('`') {
        // A backtick in a name is followed by more than one that ends a command.
        true => rest.split_once("` ").map_or(rest, |(command, _)| command),
        false => rest,
    }
}

fn paste(service: &Service, command: &str) -> Ended {
    let program = Program::shell(service.folder(), command);
    program.key().run()
}

#[test]
fn a_task_is_taken_up_again() {
    let service = Service::quick();
    for name in NAMES {
        let video = service.folder().join(OsStr::from_bytes(name));
        let generate = service.program("generate -p puppet");
        let ended = generate.os_arg(&with("--output", name)).run().expect(0);
        let wait = after(&ended, "to come back to it: ");
        fs::remove_file(&video).unwrap();
        let url = with("--base-url", service.base_url().as_bytes());
        // The options of the connection are part of it only where they were given as such.
        let back = paste(
            &service,
            &format!("export KLING_OMNI_BASE_URL={}; {wait}", service.base_url()),
        );
        back.expect(0);
        fs::remove_file(&video).unwrap();
        let generate = service.program("generate -p puppet").os_arg(&url);
        let ended = generate.os_arg(&with("-o", name)).run().expect(0);
        fs::remove_file(&video).unwrap();
        paste(&service, after(&ended, "to come back to it: ")).expect(0);
        fs::remove_file(&video).unwrap();
    }
    assert_eq!(service.files(), [""; 0]);
}

#[test]
fn a_journal_is_gone_on_with() {
    let service = Service::quick();
    for name in NAMES {
        let journal = with("--state", name);
        let url = with("--base-url", service.base_url().as_bytes());
        let generate = || {
            let program = service.program("generate -p puppet --overwrite -o clip.mp4");
            program.os_arg(&journal).os_arg(&url)
        };
        generate().run().expect(0);
        let ended = generate().run().expect(7);
        let ended = paste(&service, after(&ended, "next:    `")).expect(0);
        assert!(ended.stdout.contains("clip.mp4"), "{ended}");
        fs::remove_file(service.folder().join(OsStr::from_bytes(name))).unwrap();
    }
    assert_eq!(service.files(), ["clip.mp4"]);
    // Nothing is paid for a second time by going on.
    assert_eq!(service.charges(), NAMES.len());
}

#[test]
fn a_finished_task_is_saved() {
    let service = Service::quick();
    let id = service.task("puppet");
    let line = format!("status {id} --base-url {}", service.base_url());
    let ended = service.program(&line).run().expect(0);
    let (_, download) = ended.stderr.split_once("kling-omni download").unwrap();
    paste(
        &service,
        &format!("kling-omni download{}", download.lines().next().unwrap()),
    )
    .expect(0);
}

#[test]
fn the_fields_of_a_request_are_described() {
    let service = Service::quick();
    for request in ["{", "prompt: @"] {
        let ended = service
            .program("generate -r -")
            .stdin(request)
            .run()
            .expect(2);
        let ended = paste(&service, after(&ended, "next:    `")).expect(0);
        assert!(ended.stdout.contains("\"properties\""), "{ended}");
    }
}

/// A command that is written elsewhere is neither quoted nor tried by a test.
#[test]
fn every_command_is_made_in_one_place() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                let is_doc = line.trim_start().starts_with("//");
                let has_command = line.contains("kling-omni ") || line.contains("kling-omni {");
                // Help texts name commands with options that people fill in.
                let is_help =
                    line.contains("kling-omni generate ") || line.contains("kling-omni check ");
                if has_command && !is_doc && !is_help && !path.ends_with("next.rs") {
                    found.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "make them with `Next`:\n{}",
        found.join("\n")
    );
}
