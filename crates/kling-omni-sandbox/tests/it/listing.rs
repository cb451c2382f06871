//! Lists of tasks, page by page.

use kling_omni_api::limits::list_reference_to_video_tasks::{PAGE, PAGE_SIZE};
use kling_omni_api::{Field, Scalar};
use serde_json::json;

use crate::harness::{Bench, LIST, PRO, STANDARD, TASK_TIME, VIDEO_REFERENCE, request_body};

fn default(field: Field) -> usize {
    match field.default {
        Some(Scalar::Number(number)) => number as usize,
        other => panic!("{} has the default {other:?}", field.name),
    }
}

#[tokio::test]
async fn pages_are_sorted_from_newest_to_oldest() {
    let bench = Bench::with(|builder| builder.rate_limit(u32::MAX)).await;
    assert_eq!(default(PAGE), 1);
    let size = default(PAGE_SIZE);
    let most = PAGE_SIZE.maximum.unwrap() as usize;
    let all = most + 5;
    let mut ids = vec![];
    for n in 0..all {
        let path = [PRO, STANDARD, VIDEO_REFERENCE][n % 3];
        ids.insert(0, bench.create(path, &request_body()).await);
    }
    // query, tasks expected, counted from the newest
    let cases = [
        ("".to_owned(), 0..size),
        ("?page=1".to_owned(), 0..size),
        ("?page=2".to_owned(), size..2 * size),
        (format!("?page={}", all / size + 1), all / size * size..all),
        (format!("?page={}", all / size + 2), all..all),
        (format!("?page={}", i32::MAX), all..all),
        (format!("?page_size={most}"), 0..most),
        (format!("?page_size={most}&page=2"), most..all),
        (format!("?page={}&page_size={most}", i32::MAX), all..all),
        ("?page_size=1".to_owned(), 0..1),
        ("?page=3&page_size=7".to_owned(), 14..21),
        ("?page=9&page=1&page_size=2".to_owned(), 0..2),
    ];
    for (query, expected) in cases {
        let response = bench.get(&format!("{LIST}{query}")).await;
        assert_eq!(response.status, 200, "{query}");
        let expected: Vec<_> = ids[expected]
            .iter()
            .map(|id| json!({"task_id": id, "status": "CREATED"}))
            .collect();
        assert_eq!(response.json(), json!({"data": expected}), "{query}");
    }

    bench.clock.advance(TASK_TIME);
    let response = bench.get(&format!("{LIST}?page_size=1")).await;
    let expected = format!(
        r#"{{"data":[{{"task_id":"{}","status":"COMPLETED"}}]}}"#,
        ids[0]
    );
    assert_eq!(response.text(), expected);
}

#[tokio::test]
async fn account_without_tasks_gets_the_observed_404() {
    let bench = Bench::start().await;
    let response = bench.get(LIST).await;
    assert_eq!(response.status, 404);
    assert_eq!(response.text(), r#"{"message":"Tasks not found"}"#);
}
