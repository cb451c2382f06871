//! Rate limits and their headers.

use std::time::Duration;

use crate::harness::{Bench, KEY_HEADER, LIST, PRO, request_body};

#[tokio::test]
async fn exhausted_window_responds_with_429() {
    let bench = Bench::with(|builder| {
        builder
            .api_keys(["one", "two"])
            .rate_limit(3)
            .rate_window(Duration::from_secs(60))
    })
    .await;
    // seconds to wait before, status, remaining, reset
    let cases = [
        (0, 200, "2", "60"),
        (20, 400, "1", "40"),
        (0, 200, "0", "40"),
        (10, 429, "0", "30"),
        (29, 429, "0", "1"),
        (1, 200, "2", "60"),
    ];
    for (wait, status, remaining, reset) in cases {
        bench.clock.advance(Duration::from_secs(wait));
        let body = if status == 400 {
            serde_json::json!({})
        } else {
            request_body()
        };
        let response = bench.post(PRO, &body).await;
        assert_eq!(response.status, status, "{response:?}");
        assert_eq!(response.header("x-ratelimit-limit"), Some("3"));
        assert_eq!(response.header("x-ratelimit-remaining"), Some(remaining));
        assert_eq!(response.header("x-ratelimit-reset"), Some(reset));
        assert_eq!(response.header("retry-after"), None);
        if status == 429 {
            assert_eq!(response.header("content-type"), Some("application/json"));
            assert!(response.json()["message"].is_string());
        }
    }
    assert_eq!(bench.sandbox.charges(), 3);

    let url = format!("{}{LIST}", bench.sandbox.base_url());
    let other = bench.http.get(url).header(KEY_HEADER, "two");
    let response = crate::harness::TestResponse::to(other).await;
    assert_eq!(response.header("x-ratelimit-remaining"), Some("2"));
}

#[tokio::test]
async fn default_is_the_observed_limit() {
    let bench = Bench::start().await;
    let response = bench.get(LIST).await;
    assert_eq!(response.header("x-ratelimit-limit"), Some("300"));
    assert_eq!(response.header("x-ratelimit-remaining"), Some("299"));
    assert_eq!(response.header("x-ratelimit-reset"), Some("60"));
}

#[tokio::test]
async fn retry_after_is_optional() {
    let bench = Bench::with(|builder| builder.rate_limit(1).retry_after(true)).await;
    assert_eq!(bench.get(LIST).await.header("retry-after"), None);
    bench.clock.advance(Duration::from_millis(12_500));
    let response = bench.get(LIST).await;
    assert_eq!(response.status, 429);
    assert_eq!(response.header("retry-after"), Some("48"));
    assert_eq!(response.header("x-ratelimit-reset"), Some("48"));
}
