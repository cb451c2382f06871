//! A page shows what the ledger has: a batch of the program against the sandbox, with failures and retries.

use std::collections::BTreeMap;
use std::fs;

use kling_omni_test_browser::Browser;
use serde_json::{Value, json};

use super::check_isolation;
use crate::support::Service;

/// What each card shows, by its key.
const CARDS: &str = "return [...document.querySelectorAll('.card')].map((card) => {
    const facts = [...card.querySelectorAll('.facts div')];
    return {
        key: card.querySelector('h3').textContent,
        state: card.dataset.state,
        shown: card.querySelector('.state').textContent,
        prompt: card.querySelector('.prompt')?.textContent,
        error: card.querySelector('.error')?.textContent,
        findings: [...card.querySelectorAll('.findings li')].map((finding) => finding.textContent),
        video: card.querySelector('video')?.getAttribute('src'),
        facts: Object.fromEntries(facts.map((fact) => [fact.firstChild.textContent, fact.lastChild.textContent])),
    };
})";

/// Loads all videos, and returns their lengths in seconds.
const LENGTHS: &str = "const done = arguments[arguments.length - 1];
const length = (video) => new Promise((resolve) => {
    const end = () => resolve(video.error ? video.error.message : Math.round(video.duration));
    if (video.readyState > 0) return end();
    video.onloadedmetadata = video.onerror = end;
    video.preload = 'metadata';
});
Promise.all([...document.querySelectorAll('video')].map(length)).then(done)";

#[tokio::test]
async fn shows_what_the_ledger_has() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let service = Service::quick();
    let rows = [
        json!({"id": "window", "prompt": "A cat by the window", "duration": "3"}),
        json!({"id": "face", "prompt": "A face [sandbox:fail=a face was found]", "duration": "3"}),
        json!({"id": "empty", "prompt": "Nothing [sandbox:empty]", "duration": "4"}),
        json!({"id": "shots", "multi_prompt": ["It wakes up", "It sleeps"], "duration": "5"}),
        json!({"id": "rejected", "prompt": "A rejected cat", "duration": "3", "tier": "standard"}),
        json!({"id": "name", "prompt": "A name", "duration": "3", "output": "a #1 50% 'é'.mp4"}),
    ];
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(service.folder().join("clips.jsonl"), rows).unwrap();
    let prices = r#"{"currency": "EUR", "valid_until": "2099-12-31",
        "prices": [{"mode": "text", "tier": "pro", "per_second": "0.5"},
            {"mode": "text", "tier": "standard", "per_second": "0.4"}]}"#;
    fs::write(service.folder().join("prices.json"), prices).unwrap();
    // The order of the creates is not fixed.
    for rule in ["createVideoStd:400", "createVideoPro:clip-seconds=4"] {
        service.inject(rule.parse().unwrap());
    }
    let run = "batch run clips.jsonl --out clips --yes --poll-interval 0.1 --in-flight 1 --retry-failed 1";
    service.program(run).run().expect(4);
    let about = |line: &str| {
        service
            .program(&format!("batch {line} --out clips"))
            .run()
            .expect(0)
    };
    about("report --format html --price-table prices.json --max-tasks 10");

    browser
        .open_file(&service.folder().join("clips/report.html"))
        .await;
    let cards = browser.run(CARDS).await;
    let cards = cards.as_array().unwrap();
    let rows = about("report --format jsonl").stdout;
    let rows: Vec<Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(cards.len(), rows.len());
    for (card, row) in cards.iter().zip(&rows) {
        assert_eq!(card["key"], row["key"]);
        assert_eq!(card["state"], row["state"]);
        let shown = card["shown"].as_str().unwrap().to_lowercase();
        assert_eq!(shown, row["state"].as_str().unwrap());
        assert_eq!(card["error"], row["error"]["text"]);
        let facts = &card["facts"];
        assert_eq!(facts["Attempts"], row["attempts"].to_string());
        assert_eq!(facts["Task"], row["task_id"]);
        assert_eq!(card["video"].is_null(), row["file"].is_null());
    }
    assert_eq!(cards[0]["prompt"], "A cat by the window");
    assert_eq!(cards[3]["prompt"], "It wakes up\nIt sleeps");
    assert_eq!(cards[0]["facts"]["Cost"], "1 task, 1.5 EUR");
    assert_eq!(
        cards[0]["findings"],
        json!(["the video is 4 s long instead of 3 s"])
    );
    // The task that failed was created again, which is paid for.
    assert_eq!(cards[1]["facts"]["Cost"], "2 tasks, 3 EUR");
    let rejected = cards.iter().filter(|card| card["state"] == "rejected");
    let costs: Vec<_> = rejected.map(|card| &card["facts"]["Cost"]).collect();
    assert_eq!(costs, ["none"]);

    let status = about("status --json").json();
    let script = "return Object.fromEntries([...document.querySelectorAll('[data-count]')]
        .map((count) => [count.dataset.count, Number(count.textContent)]))";
    let counts: BTreeMap<String, u64> = serde_json::from_value(browser.run(script).await).unwrap();
    let expected: BTreeMap<String, u64> = serde_json::from_value(status["counts"].clone()).unwrap();
    assert_eq!(counts, expected);
    let script = "return document.querySelector('[data-spent=Tasks] b').textContent";
    assert_eq!(browser.run(script).await, service.charges().to_string());

    // Each video is the one beside the page, whatever its name.
    let lengths = browser.run_async(LENGTHS).await;
    assert_eq!(lengths, json!([4, 4, 4]));
    check_isolation(&browser).await;
    browser.close().await;
}
