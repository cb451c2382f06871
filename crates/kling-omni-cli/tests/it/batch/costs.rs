//! Limits on what a batch may cost, and samples.

use std::fs;

use super::{run, videos, write_many};
use crate::support::Service;

#[test]
fn a_limit_counts_earlier_runs() {
    let prices = r#"{"currency": "EUR", "valid_until": "2099-12-31",
        "prices": [{"mode": "text", "tier": "pro", "per_second": "0.5"}]}"#;
    // Each video has three seconds.
    for (limit, more) in [
        ("--max-tasks 2", "--max-tasks 4"),
        ("--budget 2", "--budget 4"),
        ("--max-seconds 8", "--max-seconds 12"),
        (
            "--price-table prices.json --max-spend 3.99",
            "--price-table prices.json --max-spend 6",
        ),
    ] {
        let service = Service::quick();
        write_many(&service, 4);
        fs::write(service.folder().join("prices.json"), prices).unwrap();
        for _ in 0..2 {
            let ended = run(&service, limit).expect(3);
            assert!(ended.stderr.contains("spend limit"), "{ended}");
            assert!(ended.stderr.contains("charged: yes"), "{ended}");
            assert_eq!(service.charges(), 2, "{ended}");
            // The suggested command has the limit, too.
            let resume = ended
                .stderr
                .lines()
                .find(|line| line.starts_with("to resume: "));
            let words = limit.replace("--budget", "--max-tasks");
            assert!(resume.unwrap().contains(&words), "{ended}");
            assert!(ended.stderr.contains("help: raise the limit, "), "{ended}");
        }
        run(&service, more).expect(0);
        assert_eq!(service.charges(), 4);
    }
}

#[test]
fn a_row_without_a_price_is_an_error() {
    let service = Service::quick();
    write_many(&service, 1);
    let prices = r#"{"currency": "EUR", "valid_until": "2099-12-31", "prices": []}"#;
    fs::write(service.folder().join("prices.json"), prices).unwrap();
    let ended = run(&service, "--price-table prices.json").expect(2);
    assert!(ended.stderr.contains("no price"), "{ended}");
    assert_eq!(service.charges(), 0);
}

#[test]
fn a_sample_is_the_first_rows() {
    let service = Service::quick();
    write_many(&service, 5);
    run(&service, "--sample 2").expect(0);
    assert_eq!(videos(&service), ["row-1.mp4", "row-2.mp4"]);
    run(&service, "").expect(0);
    assert_eq!(videos(&service).len(), 5);
    assert_eq!(service.charges(), 5);
}

#[test]
fn creates_keep_the_rate() {
    let service = Service::quick();
    write_many(&service, 3);
    run(&service, "--rate 2/s").expect(0);
    let tasks = service.tasks();
    let [first, .., last] = &tasks[..] else {
        panic!("{tasks:?}");
    };
    let between = last.created_at().duration_since(first.created_at());
    assert!(between.unwrap() >= std::time::Duration::from_millis(900));
}

#[test]
fn prices_of_the_past_are_refused_before_the_question() {
    let service = Service::quick();
    write_many(&service, 1);
    let prices = r#"{"currency": "EUR", "valid_until": "2020-01-01",
        "prices": [{"mode": "text", "tier": "pro", "per_second": "0.5"}]}"#;
    fs::write(service.folder().join("prices.json"), prices).unwrap();
    for line in [
        "batch check clips.jsonl --price-table prices.json",
        "batch run clips.jsonl --out clips --price-table prices.json",
    ] {
        let ended = service.program(line).run().expect(3);
        let text = "the price table was valid until 2020-01-01";
        assert!(ended.stderr.contains(text), "{ended}");
        assert!(!ended.stderr.contains("to pay for"), "{ended}");
    }
    assert_eq!(service.files(), ["clips.jsonl", "prices.json"]);
}
