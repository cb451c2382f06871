//! `batch report --format html` without a browser.

use std::fs;

use super::{about, one_second, program, run, write_many, write_rows};
use crate::support::Service;

#[test]
fn page_is_written_beside_the_videos() {
    let service = Service::quick();
    write_many(&service, 3);
    run(&service, "").expect(0);
    let ended = about(&service, "report --format html").expect(0);
    assert_eq!(ended.stdout.trim(), "clips/report.html");
    let html = fs::read_to_string(service.folder().join("clips/report.html")).unwrap();
    for number in 1..=3 {
        assert!(
            html.contains(&format!(r#"src="row-{number}.mp4""#)),
            "{html}"
        );
    }
    // Videos are named from where the page is.
    about(&service, "report --format html --to page.html").expect(0);
    let html = fs::read_to_string(service.folder().join("page.html")).unwrap();
    assert!(html.contains(r#"src="clips/row-1.mp4""#), "{html}");
    let ended = about(&service, "report --format html --to missing/page.html").expect(7);
    assert!(ended.stderr.contains("--to"), "{ended}");
}

#[test]
fn page_has_costs_and_limits() {
    let prices = r#"{"currency": "EUR", "valid_until": "2099-12-31",
        "prices": [{"mode": "text", "tier": "pro", "per_second": "0.5"}]}"#;
    let service = Service::quick();
    write_many(&service, 2);
    fs::write(service.folder().join("prices.json"), prices).unwrap();
    run(&service, "").expect(0);
    let line = "report --format html --price-table prices.json --max-spend 6 --max-tasks 8";
    about(&service, line).expect(0);
    let html = fs::read_to_string(service.folder().join("clips/report.html")).unwrap();
    for text in ["3 EUR", "of 6 EUR", "of 8", "1 task, 1.5 EUR"] {
        assert!(html.contains(text), "{text}: {html}");
    }
}

#[test]
fn options_of_the_page_need_its_format() {
    let service = Service::quick();
    write_many(&service, 1);
    run(&service, "").expect(0);
    for option in ["--to page.html", "--max-tasks 2", "--max-seconds 2"] {
        let ended = about(&service, &format!("report {option}")).expect(2);
        assert!(ended.stderr.contains("needs --format html"), "{ended}");
    }
}

#[test]
fn page_can_be_written_during_a_run() {
    let service = one_second();
    write_many(&service, 3);
    let mut running = program(&service, "--in-flight 1").start();
    running.until("row-1: saved");
    about(&service, "report --format html").expect(0);
    let html = fs::read_to_string(service.folder().join("clips/report.html")).unwrap();
    assert!(html.contains(r#"data-state="saved""#), "{html}");
    assert!(html.contains("Running"), "{html}");
    running.end().expect(0);
}

#[test]
fn page_of_one_task() {
    let service = Service::quick();
    service.inject("create:clip-seconds=4@1".parse().unwrap());
    let program = service.program("generate -d 3 -o cat.mp4 --report cat.html -p");
    let ended = program.arg("A cat <b>by</b> the window").run().expect(0);
    assert_eq!(ended.stdout.trim(), "cat.mp4");
    assert!(ended.stderr.contains("report: cat.html"), "{ended}");
    let html = fs::read_to_string(service.folder().join("cat.html")).unwrap();
    assert!(html.contains(r#"src="cat.mp4""#), "{html}");
    assert!(
        html.contains("A cat &#60;b&#62;by&#60;/b&#62; the window"),
        "{html}"
    );
    assert!(
        html.contains("the video is 4 s long instead of 3 s"),
        "{html}"
    );
    assert!(!html.contains("Batch report"), "{html}");

    let program = service.program("generate -o no.mp4 --report no.html -p");
    program.arg("[sandbox:fail=a face]").run().expect(4);
    let html = fs::read_to_string(service.folder().join("no.html")).unwrap();
    assert!(html.contains(r#"data-state="failed""#), "{html}");
}

/// A page replaces a page, and neither the ledger, without which items would be paid for again, nor anything else.
#[test]
fn page_replaces_nothing_but_a_page() {
    let service = Service::quick();
    write_many(&service, 1);
    run(&service, "").expect(0);
    fs::write(service.folder().join("empty"), "").unwrap();
    fs::write(service.folder().join("older.html"), "<!DOCTYPE HTML><p>").unwrap();
    for file in [
        "clips/batch.db",
        "clips/row-1.mp4",
        "clips/results.jsonl",
        "empty",
    ] {
        let path = service.folder().join(file);
        let before = fs::read(&path).unwrap();
        for line in [
            "batch report --out clips --format html --to",
            "generate -p cat --report",
        ] {
            let ended = service.program(&format!("{line} {file}")).run().expect(7);
            assert!(ended.stderr.contains("is not an HTML page"), "{ended}");
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{file}");
    }
    about(&service, "report --format html --to older.html").expect(0);
    assert_eq!(service.charges(), 1);
}

/// Without the journal, the next run would pay again.
#[test]
fn page_does_not_replace_the_journal_of_its_task() {
    let service = Service::quick();
    let line = "generate -p cat -o cat.mp4 --journal cat.journal --report cat.journal";
    for _ in 0..2 {
        let ended = service.program(line).run();
        assert!(ended.stderr.contains("is not an HTML page"), "{ended}");
    }
    assert_eq!(service.charges(), 1);
}

#[test]
fn page_of_one_task_is_checked_before_it_is_paid_for() {
    let service = Service::quick();
    for option in ["--report missing/cat.html", "--report cat.mp4"] {
        let ended = service
            .program(&format!("generate -p cat -o cat.mp4 {option}"))
            .run();
        assert!(matches!(ended.code, Some(2 | 7)), "{ended}");
        assert!(ended.stderr.contains("charged: no"), "{ended}");
    }
    assert_eq!(service.charges(), 0);
}

#[test]
fn page_of_a_journal() {
    let service = Service::quick();
    write_rows(&service, []);
    let line = "generate -p cat -o cat.mp4 --journal cat.journal --report cat.html";
    service.program(line).run().expect(0);
    let html = fs::read_to_string(service.folder().join("cat.html")).unwrap();
    assert!(html.contains(r#"data-state="saved""#), "{html}");
}
