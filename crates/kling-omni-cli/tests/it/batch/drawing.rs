//! The progress of a run on a terminal.

use std::io::Read as _;
use std::process::{Command, Stdio};

use super::{one_second, videos, write_many};
use crate::support::{KEY, Service};

const ROWS: u16 = 6;
const COLUMNS: u16 = 90;

/// Runs the program in a terminal, and returns all screens that it drew, and its exit code. Returns `None` where `script` of
/// util-linux is missing.
fn screens(service: &Service, line: &str, typed: &str) -> Option<(Vec<String>, i32)> {
    let command = format!(
        "stty cols {COLUMNS} rows {ROWS}; exec '{}' {line}",
        env!("CARGO_BIN_EXE_kling-omni")
    );
    let script =
        format!("printf '{typed}' | script --quiet --return --flush --command \"$RUN\" /dev/null");
    let mut process = Command::new("/bin/sh")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("RUN", command)
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .env("FREEPIK_API_KEY", KEY)
        .env("KLING_OMNI_BASE_URL", service.base_url())
        .current_dir(service.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = process.stdout.take().unwrap();
    let mut terminal = vt100::Parser::new(
        ROWS.try_into().expect("not zero"),
        COLUMNS.try_into().expect("not zero"),
        200,
    );
    let mut screens: Vec<String> = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let length = output.read(&mut bytes).unwrap();
        if length == 0 {
            break;
        }
        terminal.process(&bytes[..length]);
        let rows = terminal.screen().rows(0, COLUMNS);
        let screen = rows.collect::<Vec<_>>().join("\n");
        if screens.last() != Some(&screen) {
            screens.push(screen);
        }
    }
    match process.wait().unwrap().code() {
        Some(127) => {
            eprintln!("skipped: `script` of util-linux is missing");
            None
        }
        code => {
            let code = code.expect("an exit code");
            Some((screens, code))
        }
    }
}

#[test]
fn a_line_for_all_items_and_one_for_each_in_flight() {
    let service = one_second();
    write_many(&service, 20);
    let line = format!("{} --in-flight 8", super::RUN);
    let Some((screens, code)) = screens(&service, &line, "") else {
        return;
    };
    assert_eq!(code, 0, "{screens:#?}");
    assert_eq!(videos(&service).len(), 20);
    let is_total = |line: &str| line.contains(" of 20 saved") && line.contains("; paid for ");
    let is_item = |line: &str| line.contains("row-") && line.contains(": in progress for ");
    let most = screens.iter().map(|screen| {
        let total = screen.lines().filter(|line| is_total(line)).count();
        assert!(total <= 1, "{screen}");
        screen.lines().filter(|line| is_item(line)).count()
    });
    // Eight are in flight, and the terminal has room for five below the first line.
    let most = most.max().unwrap();
    assert!((3..ROWS.into()).contains(&most), "{most} in {screens:#?}");
    let last = screens.last().unwrap();
    assert!(last.contains("20 of 20 saved after"), "{last}");
    assert!(!last.lines().any(is_item), "{last}");
}

#[test]
fn a_person_is_asked_before_anything_is_paid_for() {
    for (typed, code, charges) in [("y\\n", 0, 2), ("n\\n", 130, 0), ("\\n", 130, 0)] {
        let service = Service::quick();
        write_many(&service, 2);
        let line = "batch run clips.jsonl --out clips";
        let Some((screens, exit)) = screens(&service, line, typed) else {
            return;
        };
        let question = "would pay for 2 tasks, 6 s of video";
        let is_asked = screens.iter().any(|screen| screen.contains(question));
        assert!(is_asked, "{screens:#?}");
        assert_eq!(exit, code, "{screens:#?}");
        assert_eq!(service.charges(), charges, "{screens:#?}");
    }
}
