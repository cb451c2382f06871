//! What the pages show equals the record, also after changes.

use std::time::Duration;

use serde_json::Value;

use super::{Window, fill};
use crate::console::ConsoleBench;
use crate::harness::{PRO, TASK_TIME, request_body, request_body_with, short_request_body};

/// Returns the texts of the cells of a table, by rows.
const ROWS: &str = "return [...document.querySelectorAll('#PART tbody tr')].map((row) =>
    [...row.cells].map((cell) => cell.innerText.replace(/\\s+/g, ' ').trim()));";

async fn rows(window: &Window, part: &str) -> Vec<Vec<String>> {
    let rows = window.browser.run(&ROWS.replace("PART", part)).await;
    serde_json::from_value(rows).unwrap()
}

#[tokio::test]
async fn pages_show_the_record() {
    let Some(window) = Window::start().await else {
        return;
    };
    let _received = fill(window.bench()).await;
    let sandbox = &window.bench().sandbox;

    window.open("/tasks").await;
    let shown = rows(&window, "tasks").await;
    let tasks = sandbox.tasks();
    assert_eq!(shown.len(), tasks.len());
    for (row, task) in shown.iter().rev().zip(&tasks) {
        assert!(row[0].ends_with(task.id()), "{row:?}");
        assert_eq!(row[1], task.status().as_str());
        assert!(row[3].contains(task.operation_id()), "{row:?}");
        assert!(row[3].contains(task.request()["prompt"].as_str().unwrap()));
    }
    let charges = window.text("#charges").await;
    assert!(charges.starts_with(&format!("Charges {}", sandbox.charges())));
    for (route, count) in sandbox.charges_by_route() {
        assert!(charges.contains(&format!("{count} {route}")), "{charges}");
    }

    window.open("/requests").await;
    let shown = rows(&window, "requests").await;
    let requests = sandbox.requests();
    assert_eq!(shown.len(), requests.len());
    for (row, request) in shown.iter().rev().zip(&requests) {
        assert_eq!(row[0], format!("Request {}", request.number()));
        let start = format!("{} {}", request.method(), request.path());
        assert!(row[3].starts_with(&start), "{row:?}");
        let code = request.status().unwrap().as_u16().to_string();
        assert!(row[4].starts_with(&code), "{row:?}");
        for fault in request.faults() {
            assert!(row[4].contains(&fault.to_string()), "{row:?}");
        }
    }

    window.open("/deliveries").await;
    let shown = rows(&window, "deliveries").await;
    let deliveries = sandbox.deliveries();
    assert_eq!(shown.len(), deliveries.len());
    for (row, delivery) in shown.iter().rev().zip(&deliveries) {
        assert_eq!(row[2], delivery.status().as_str());
        assert_eq!(row[3], "accepted, 204");
    }

    window.open("/requests/1").await;
    let body = window.text("#request section:first-child pre").await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["prompt"], requests[0].json().unwrap()["prompt"]);
    window.close().await;
}

#[tokio::test]
async fn changes_appear_without_a_reload() {
    let Some(window) = Window::start().await else {
        return;
    };
    window.open("/").await;
    window.browser.run("window.isSamePage = true").await;
    let id = window.bench().create(PRO, &request_body()).await;
    window.wait_for_text("tasks", &id).await;
    window.wait_for_text("requests", "Request 1").await;
    window.wait_for_text("charges", "Charges 1").await;
    window.wait_for_text("tasks", "CREATED").await;
    window.bench().clock.advance(TASK_TIME);
    window.wait_for_text("tasks", "COMPLETED").await;
    assert_eq!(window.browser.run("return window.isSamePage").await, true);
    window.close().await;
}

#[tokio::test]
async fn focus_and_selection_survive_changes() {
    let Some(window) = Window::start().await else {
        return;
    };
    window.bench().create(PRO, &request_body()).await;
    window.open("/").await;
    window
        .browser
        .run("document.getElementById('task-1').focus()")
        .await;
    let second = window
        .bench()
        .create(PRO, &request_body_with("prompt", "b"))
        .await;
    window.wait_for_text("tasks", &second).await;
    let focused = window.browser.run("return document.activeElement.id").await;
    assert_eq!(focused, "task-1");

    window
        .browser
        .run("document.getSelection().selectAllChildren(document.querySelector('#tasks tbody'))")
        .await;
    let third = window
        .bench()
        .create(PRO, &request_body_with("prompt", "c"))
        .await;
    window.wait_for_text("requests", "Request 3").await;
    let tasks = window.text("#tasks").await;
    assert!(!tasks.contains(&third), "{tasks}");
    window.browser.run("document.getSelection().empty()").await;
    window.wait_for_text("tasks", &third).await;
    window.close().await;
}

#[tokio::test]
async fn result_plays() {
    let Some(window) = Window::start().await else {
        return;
    };
    window.bench().create(PRO, &short_request_body()).await;
    window.open("/tasks/1").await;
    assert_eq!(window.text("#video p").await, "The task is running.");
    window.bench().clock.advance(TASK_TIME);
    window
        .wait_for("document.querySelector('video')?.readyState >= 2")
        .await;
    let duration = window
        .browser
        .run("return document.querySelector('video').duration")
        .await;
    assert!((duration.as_f64().unwrap() - 3.0).abs() < 0.1, "{duration}");
    let played = window
        .browser
        .run_async(
            "const video = document.querySelector('video');
             const done = arguments[arguments.length - 1];
             video.addEventListener('timeupdate', () => video.currentTime > 0 && done(true));
             video.addEventListener('error', () => done(video.error.message));
             video.muted = true;
             video.play().catch((error) => done(String(error)));",
        )
        .await;
    assert_eq!(played, true);
    let requests = window.bench().sandbox.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    window.close().await;
}

#[tokio::test]
async fn page_follows_a_sandbox_that_starts_again() {
    let Some(window) = Window::start().await else {
        return;
    };
    window.open("/tasks").await;
    let port = window
        .console
        .url
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let Window { console, browser } = window;
    console.bench.sandbox.shutdown().await;
    let bench = crate::harness::Bench::with(|builder| builder.console(port)).await;
    let url = bench.sandbox.console_url().unwrap().to_owned();
    let id = bench.create(PRO, &request_body()).await;
    let window = Window {
        console: ConsoleBench { bench, url },
        browser,
    };
    window.wait_for_text("tasks", &id).await;
    window.wait_for_text("connection", "Live").await;
    window.browser.close().await;
}

#[tokio::test]
async fn thousands_of_records_are_usable() {
    let set = |builder: kling_omni_sandbox::SandboxBuilder| builder.rate_limit(100_000);
    let Some(window) = Window::with(set).await else {
        return;
    };
    for n in 0..1000 {
        let id = window
            .bench()
            .create(PRO, &request_body_with("prompt", n.to_string()))
            .await;
        for _ in 0..3 {
            window.bench().task(&id).await;
        }
        window.bench().clock.advance(Duration::from_millis(200));
    }
    window.open("/tasks").await;
    assert_eq!(rows(&window, "tasks").await.len(), 100);
    window.click("#tasks-older").await;
    window.wait_for("document.getElementById('task-900')").await;
    window.open("/requests").await;
    assert_eq!(rows(&window, "requests").await.len(), 100);
    window
        .bench()
        .task(window.bench().sandbox.tasks()[0].id())
        .await;
    window.wait_for_text("requests", "Request 4001").await;
    window.close().await;
}
