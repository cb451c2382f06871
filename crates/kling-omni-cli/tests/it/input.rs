//! Input: standard input, texts that begin with a dash, and files that are not regular.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Program, Service};

fn dry_run(folder: &Path, line: &str) -> Program {
    Program::new(folder, &format!("generate --dry-run {line}"))
}

#[test]
fn dash_reads_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    for (line, stdin, body) in [
        ("-p -", "cat\n", json!({"prompt": "cat"})),
        ("--prompt=-", "cat\r\n", json!({"prompt": "cat"})),
        ("-p -", "two\nlines\n\n", json!({"prompt": "two\nlines\n"})),
        ("-p -", "\u{feff}cat", json!({"prompt": "cat"})),
        (
            "-p cat --video https://example.com/v.mp4 --negative-prompt -",
            "dog\n",
            json!({"prompt": "cat", "video_url": "https://example.com/v.mp4", "negative_prompt": "dog"}),
        ),
        (
            "--shot - --shot cat",
            "dog\n",
            json!({"multi_prompt": ["dog", "cat"]}),
        ),
        ("-r -", "{\"prompt\": \"cat\"}", json!({"prompt": "cat"})),
    ] {
        let ended = dry_run(folder.path(), line).stdin(stdin).run().expect(0);
        let printed: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(printed, body, "{ended}");
    }
}

#[test]
fn empty_standard_input_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for stdin in ["", "\n", " \r\n"] {
        let ended = dry_run(folder.path(), "-p -").stdin(stdin).run().expect(2);
        assert!(ended.stderr.contains("standard input is empty"), "{ended}");
    }
}

#[test]
fn standard_input_is_read_by_one_option() {
    let folder = tempfile::tempdir().unwrap();
    for (line, problem) in [
        (
            "generate --dry-run -p - -r -",
            "cannot be used by several options",
        ),
        (
            "generate --dry-run --shot - --shot -",
            "cannot be used by several options",
        ),
        (
            "generate --dry-run -p cat --image -",
            "cannot be read from standard input",
        ),
        (
            "generate --dry-run -p cat --video -",
            "cannot be read from standard input",
        ),
        (
            "generate --dry-run -p cat --element -",
            "cannot be read from standard input",
        ),
        ("check -", "cannot be read from standard input"),
        (
            "generate -p cat --journal -",
            "standard input cannot be used here",
        ),
        ("generate --resume -", "standard input cannot be used here"),
        (
            "list --task-durations -",
            "standard input cannot be used here",
        ),
        ("listen --save -", "standard input cannot be used here"),
    ] {
        let ended = Program::new(folder.path(), line).run().expect(2);
        assert!(ended.stderr.contains(problem), "{ended}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn text_may_begin_with_a_dash() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["-blurry", "--no-text", "-1", "- a list", "--", "---"] {
        for option in ["-p", "--prompt"] {
            let ended = dry_run(folder.path(), option).arg(text).run().expect(0);
            let printed: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(printed, json!({"prompt": text}), "{ended}");
        }
        let video = "-p cat --video https://example.com/v.mp4 --negative-prompt";
        dry_run(folder.path(), video).arg(text).run().expect(0);
        dry_run(folder.path(), "--shot").arg(text).run().expect(0);
    }
}

/// After an empty variable, the next option would become the text, and be paid for.
#[test]
fn option_or_file_is_not_a_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prompt.txt"), "cat").unwrap();
    for (line, problem) in [
        ("--prompt --audio", "followed by the option --audio"),
        ("--prompt --audio=false", "followed by the option --audio"),
        ("--prompt --json", "followed by the option --json"),
        ("-p -d", "followed by the option --duration"),
        ("-p --sandbox", "followed by the option --sandbox"),
        (
            "-p cat --negative-prompt --overwrite",
            "followed by the option --force",
        ),
        ("--shot -v", "followed by the option --verbose"),
        ("-p @prompt.txt", "@prompt.txt names a file"),
    ] {
        let ended = dry_run(folder.path(), line).run().expect(2);
        assert!(ended.stderr.contains(problem), "{ended}");
    }
    dry_run(folder.path(), "-p @Video1").run().expect(0);
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read_up_to_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for path in ["fifo", "/dev/zero", "/dev/tty", "."] {
        for line in [
            "generate --dry-run --request",
            "generate -p cat --resume",
            "list --task-durations",
            "listen --secret-file",
            "listen --replay",
            "listen --forward http://127.0.0.1:9 --forward-secret-file",
            "generate -p cat --no-preflight --base-url http://127.0.0.1:9 --max-retries 0 --video",
        ] {
            let ended = Program::new(folder.path(), line)
                .arg(path)
                .key()
                .env("KLING_OMNI_WEBHOOK_SECRET", "secret")
                .run();
            assert_eq!(ended.code, Some(7), "{ended}");
        }
    }
    let listen = Program::new(folder.path(), "listen --save fifo");
    let listen = listen.env("KLING_OMNI_WEBHOOK_SECRET", "secret");
    listen.run().expect(7);
    // The limit applies to standard input, too.
    let endless = vec![b'a'; 2 * 1024 * 1024];
    for line in [
        "generate --dry-run --request -",
        "generate --dry-run --prompt -",
        "listen --secret-file -",
    ] {
        let program = Program::new(folder.path(), line);
        let ended = program.stdin(endless.clone()).run().expect(7);
        assert!(ended.stderr.contains("is larger than"), "{ended}");
    }
    fs::write(folder.path().join("large"), endless).unwrap();
    for line in [
        "generate --dry-run -r large",
        "list --task-durations large",
        "listen --secret-file large",
    ] {
        let ended = Program::new(folder.path(), line).key().run().expect(7);
        assert!(ended.stderr.contains("is larger than"), "{ended}");
    }
}

#[test]
fn json_is_strict() {
    let service = Service::slow();
    for (text, problem) in [
        (
            "{\"prompt\":\"one\ntwo\",\"duration\":\"5\"}",
            "at line 1 column 15",
        ),
        ("  \n{\"prompt\": \"cat\",}", "at line 2"),
        (
            "\u{feff}{\"prompt\": \"cat\", \"prompt\": \"dog\"}",
            "duplicate key \"prompt\"",
        ),
        ("{\"cfg_scale\": NaN}", "at line 1"),
        ("{prompt: cat}", "key must be a string at line 1 column 2"),
        ("[{\"prompt\": \"cat\"}]", "at line 1"),
        ("{\"prompt\": 5}", "at line 1"),
        ("{\"prompts\": \"needle\"}", "unknown field `prompts`"),
    ] {
        let ended = service.program("generate -r -").stdin(text).run().expect(2);
        assert!(ended.stderr.contains(problem), "{ended}");
        assert!(!ended.stderr.contains("needle"), "{ended}");
    }
    assert_eq!(service.bodies(), [] as [serde_json::Value; 0]);
}
