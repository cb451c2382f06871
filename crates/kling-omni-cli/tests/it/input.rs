//! What the command line names as input: standard input, texts that begin with a dash, and what is not a regular file.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Program, Service};

fn dry_run(folder: &Path, line: &str) -> Program {
    Program::new(folder, &format!("generate --dry-run {line}"))
}

#[test]
fn a_dash_reads_a_text_from_standard_input() {
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
fn a_pipe_that_brings_nothing_makes_no_task() {
    let folder = tempfile::tempdir().unwrap();
    for stdin in ["", "\n", " \r\n"] {
        let ended = dry_run(folder.path(), "-p -").stdin(stdin).run().expect(2);
        assert!(ended.stderr.contains("holds no text"), "{ended}");
    }
}

#[test]
fn standard_input_is_read_once_and_only_where_that_makes_sense() {
    let folder = tempfile::tempdir().unwrap();
    for (line, problem) in [
        (
            "generate --dry-run -p - -r -",
            "standard input can be read once",
        ),
        (
            "generate --dry-run --shot - --shot -",
            "standard input can be read once",
        ),
        (
            "generate --dry-run -p cat --image -",
            "cannot come by standard input",
        ),
        (
            "generate --dry-run -p cat --video -",
            "cannot come by standard input",
        ),
        (
            "generate --dry-run -p cat --element -",
            "cannot come by standard input",
        ),
        ("check -", "cannot come by standard input"),
        (
            "generate -p cat --state -",
            "standard input cannot be used here",
        ),
        ("generate --resume -", "standard input cannot be used here"),
        ("list --task-times -", "standard input cannot be used here"),
        ("listen --save -", "standard input cannot be used here"),
    ] {
        let ended = Program::new(folder.path(), line).run().expect(2);
        assert!(ended.stderr.contains(problem), "{ended}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_text_may_begin_with_a_dash() {
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

/// An empty variable before it would make the next option the text, and that would be paid for.
#[test]
fn an_option_or_a_file_is_not_taken_for_a_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prompt.txt"), "cat").unwrap();
    for (line, problem) in [
        ("--prompt --audio", "the option --audio follows it"),
        ("--prompt --audio=false", "the option --audio follows it"),
        ("--prompt --json", "the option --json follows it"),
        ("-p -d", "the option --duration follows it"),
        ("-p --sandbox", "the option --sandbox follows it"),
        (
            "-p cat --negative-prompt --overwrite",
            "the option --force follows it",
        ),
        ("--shot -v", "the option --verbose follows it"),
        ("-p @prompt.txt", "prompt.txt is a file"),
    ] {
        let ended = dry_run(folder.path(), line).run().expect(2);
        assert!(ended.stderr.contains(problem), "{ended}");
    }
    dry_run(folder.path(), "-p @Video1").run().expect(0);
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read_and_no_more_than_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for path in ["fifo", "/dev/zero", "/dev/tty", "."] {
        for line in [
            "generate --dry-run --request",
            "generate -p cat --resume",
            "list --task-times",
            "listen --secret-file",
            "listen --replay",
            "listen --forward http://127.0.0.1:9 --forward-secret-file",
            "generate -p cat --no-preflight --base-url http://127.0.0.1:9 --retries 0 --video",
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
    // The limit counts for standard input, too, which may be anything.
    let endless = vec![b'a'; 2 * 1024 * 1024];
    for line in [
        "generate --dry-run --request -",
        "generate --dry-run --prompt -",
        "listen --secret-file -",
    ] {
        let program = Program::new(folder.path(), line);
        let ended = program.stdin(endless.clone()).run().expect(7);
        assert!(ended.stderr.contains("larger than the limit"), "{ended}");
    }
    fs::write(folder.path().join("large"), endless).unwrap();
    for line in [
        "generate --dry-run -r large",
        "list --task-times large",
        "listen --secret-file large",
    ] {
        let ended = Program::new(folder.path(), line).key().run().expect(7);
        assert!(ended.stderr.contains("larger than the limit"), "{ended}");
    }
}

#[test]
fn what_begins_like_json_is_strict_json() {
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
