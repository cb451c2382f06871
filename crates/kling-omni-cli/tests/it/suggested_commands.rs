//! The suggested commands of messages: pasted into a shell, they work, for any file name.
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

/// Returns an option with a value that a shell would have to quote.
fn option_with(option: &str, value: &[u8]) -> OsString {
    let mut word = OsString::from(format!("{option}="));
    word.push(OsStr::from_bytes(value));
    word
}

/// Returns the text after a mark, up to the end of the line or the closing backtick.
fn text_after<'a>(ended: &'a Ended, mark: &str) -> &'a str {
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
fn resume_a_task() {
    let service = Service::quick();
    for name in NAMES {
        let video = service.folder().join(OsStr::from_bytes(name));
        let generate = service.program("generate -p puppet");
        let ended = generate
            .os_arg(&option_with("--output", name))
            .run()
            .expect(0);
        let wait = text_after(&ended, "to resume: ");
        fs::remove_file(&video).unwrap();
        let url = option_with("--base-url", service.base_url().as_bytes());
        // The command has the connection options only if they were given as options.
        let resumed = paste(
            &service,
            &format!("export KLING_OMNI_BASE_URL={}; {wait}", service.base_url()),
        );
        resumed.expect(0);
        fs::remove_file(&video).unwrap();
        let generate = service.program("generate -p puppet").os_arg(&url);
        let ended = generate.os_arg(&option_with("-o", name)).run().expect(0);
        fs::remove_file(&video).unwrap();
        paste(&service, text_after(&ended, "to resume: ")).expect(0);
        fs::remove_file(&video).unwrap();
    }
    assert_eq!(service.files(), [""; 0]);
}

#[test]
fn resume_a_journal() {
    let service = Service::quick();
    for name in NAMES {
        let journal = option_with("--journal", name);
        let url = option_with("--base-url", service.base_url().as_bytes());
        let generate = || {
            let program = service.program("generate -p puppet --overwrite -o clip.mp4");
            program.os_arg(&journal).os_arg(&url)
        };
        generate().run().expect(0);
        let ended = generate().run().expect(7);
        let ended = paste(&service, text_after(&ended, "help: run `")).expect(0);
        assert!(ended.stdout.contains("clip.mp4"), "{ended}");
        fs::remove_file(service.folder().join(OsStr::from_bytes(name))).unwrap();
    }
    assert_eq!(service.files(), ["clip.mp4"]);
    // Resuming is not charged.
    assert_eq!(service.charges(), NAMES.len());
}

#[test]
fn resume_a_batch() {
    let service = Service::quick();
    let rows = r#"{"id": "one", "prompt": "[sandbox:fail]"}"#;
    fs::write(service.folder().join("clips.jsonl"), rows).unwrap();
    // A path in a ledger is text.
    for name in NAMES.iter().filter(|name| str::from_utf8(name).is_ok()) {
        let url = option_with("--base-url", service.base_url().as_bytes());
        let program = service.program("batch run clips.jsonl --yes --poll-interval 0.1");
        let program = program.os_arg(&option_with("--out", name));
        let program = program.os_arg(&option_with("--name", name)).os_arg(&url);
        let ended = program.run().expect(4);
        // Everything has ended, so nothing is asked.
        let resumed = paste(&service, text_after(&ended, "to resume: ")).expect(4);
        let (_, retry) = resumed.stderr.split_once("; run `").unwrap();
        let (retry, _) = retry.split_once("` to put").unwrap();
        // Without a terminal, a retry has to be confirmed.
        paste(&service, retry).expect(2);
    }
    assert!(!service.files().contains(&"pwned".to_owned()));
}

#[test]
fn download_a_completed_task() {
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
fn describe_the_fields_of_a_request() {
    let service = Service::quick();
    for request in ["{", "prompt: @"] {
        let ended = service
            .program("generate -r -")
            .stdin(request)
            .run()
            .expect(2);
        let ended = paste(&service, text_after(&ended, "help: run `")).expect(0);
        assert!(ended.stdout.contains("\"properties\""), "{ended}");
    }
}

/// A command that is written elsewhere is neither quoted nor tested.
#[test]
fn are_built_in_one_place() {
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
                // Help texts have commands with placeholders.
                let is_help = ["generate", "check", "batch", "doctor"]
                    .iter()
                    .any(|command| line.contains(&format!("kling-omni {command}")));
                // The header of a file is not a command.
                let is_header = line.contains("const HEADER: ");
                let is_exempt = is_doc || is_help || is_header;
                if has_command && !is_exempt && !path.ends_with("next.rs") {
                    found.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "build them with `NextCommand`:\n{}",
        found.join("\n")
    );
}
