//! The result host: URLs, their expiry, ranges and what the files show.

use std::time::Duration;

use http::Method;
use kling_omni_api::SPEC_YAML;
use kling_omni_api::enums::{AspectRatio, OutputDuration};
use kling_omni_sandbox::Host;
use serde_json::{Value, json};

use crate::harness::{
    Bench, PRO, START, TASK_TIME, TestResponse, request_body, request_body_with, short_request_body,
};

#[tokio::test]
async fn url_has_the_observed_form_and_does_not_change() {
    let bench = Bench::start().await;
    let (id, url) = bench.completed(&request_body()).await;
    let expires = START + TASK_TIME.as_secs() + 3600;
    let prefix = format!(
        "{}/kling_{id}.mp4?token=exp={expires}~hmac=",
        bench.sandbox.result_base_url()
    );
    let hmac = url.strip_prefix(&prefix).unwrap();
    assert_eq!(hmac.len(), 64);
    assert!(
        hmac.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    );
    assert_ne!(bench.sandbox.base_url(), bench.sandbox.result_base_url());

    bench.clock.advance(Duration::from_secs(1200));
    assert_eq!(bench.task(&id).await["generated"], json!([url]));
}

#[tokio::test]
async fn url_expires() {
    // lifetime, seconds after completion, status
    let cases = [
        (None, 0, 200),
        (None, 3599, 200),
        (None, 3600, 403),
        (None, 1_000_000, 403),
        (Some(10), 9, 200),
        (Some(10), 10, 403),
        (Some(0), 0, 403),
    ];
    for (lifetime, later, status) in cases {
        let bench = Bench::with(|builder| match lifetime {
            Some(seconds) => builder.result_lifetime(Duration::from_secs(seconds)),
            None => builder,
        })
        .await;
        let (_, url) = bench.completed(&short_request_body()).await;
        bench.clock.advance(Duration::from_secs(later));
        let response = TestResponse::to(bench.http.get(&url)).await;
        assert_eq!(response.status, status, "{lifetime:?} {later}");
        if status == 403 {
            assert_eq!(
                response.header("content-type"),
                Some("text/html; charset=utf-8")
            );
            assert!(response.text().contains("403 Forbidden"));
        }
    }
}

#[tokio::test]
async fn modified_url_is_rejected() {
    let bench = Bench::start().await;
    let (id, url) = bench.completed(&short_request_body()).await;
    let (other, other_url) = bench.completed(&short_request_body()).await;
    let (bare, token) = url.split_once('?').unwrap();
    let (_, other_token) = other_url.split_once('?').unwrap();
    let last = if url.ends_with('0') { '1' } else { '0' };
    let cases = [
        (url.clone(), 200),
        (
            format!("{bare}?{}", token.replace("token=exp=", "token=exp%3D")),
            200,
        ),
        (bare.to_owned(), 403),
        (format!("{bare}?token="), 403),
        (format!("{bare}?{other_token}"), 403),
        (url.replace(&id, &other), 403),
        (url.replace("exp=18", "exp=19"), 403),
        (format!("{}{last}", &url[..url.len() - 1]), 403),
        (format!("{url}00"), 403),
        (format!("{}/", bench.sandbox.result_base_url()), 403),
        (
            format!("{}/v1/ai/video", bench.sandbox.result_base_url()),
            403,
        ),
        (
            url.replace(bench.sandbox.result_base_url(), bench.sandbox.base_url()),
            404,
        ),
    ];
    for (url, status) in cases {
        assert_eq!(
            TestResponse::to(bench.http.get(&url)).await.status,
            status,
            "{url}"
        );
    }
    let posted = TestResponse::to(bench.http.post(&url)).await;
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET,HEAD"))
    );
}

#[tokio::test]
async fn files_and_ranges_are_served() {
    let bench = Bench::start().await;
    let (_, url) = bench.completed(&short_request_body()).await;
    let whole = TestResponse::to(bench.http.get(&url)).await;
    let file = &whole.body;
    let length = file.len();
    assert!(length > 1000);
    assert_eq!(&file[4..8], b"ftyp");
    assert_eq!(
        whole.header("content-length"),
        Some(length.to_string().as_str())
    );
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("content-range"), None);
    let etag = whole.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10);

    let head = TestResponse::to(bench.http.head(&url)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length"),
        whole.header("content-length")
    );
    assert_eq!(head.header("etag"), Some(etag));

    let end = length - 1;
    let ranges = [
        ("bytes=0-0", Some(0..1)),
        ("bytes=0-99", Some(0..100)),
        ("bytes=100-", Some(100..length)),
        ("bytes=-10", Some(length - 10..length)),
        (&format!("bytes=-{}", length * 2), Some(0..length)),
        (&format!("bytes={end}-{}", length + 5), Some(end..length)),
        ("bytes=5-4", None),
        ("bytes=0-0,2-3", None),
        ("bytes=a-b", None),
        ("lines=0-1", None),
        ("", None),
    ];
    for (range, expected) in ranges {
        let response = TestResponse::to(bench.http.get(&url).header("range", range)).await;
        match expected {
            Some(part) => {
                assert_eq!(response.status, 206, "{range}");
                assert!(response.body == file[part.clone()], "{range}");
                let content_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                assert_eq!(
                    response.header("content-range"),
                    Some(content_range.as_str())
                );
                assert_eq!(response.header("etag"), Some(etag));
                let content_length = part.len().to_string();
                assert_eq!(
                    response.header("content-length"),
                    Some(content_length.as_str())
                );
            }
            None => {
                assert_eq!(response.status, 200, "{range}");
                assert!(response.body == *file, "{range}");
            }
        }
    }

    for range in [
        format!("bytes={length}-"),
        format!("bytes={length}-{}", length + 9),
        "bytes=-0".to_owned(),
    ] {
        let response = TestResponse::to(bench.http.get(&url).header("range", &range)).await;
        assert_eq!(response.status, 416, "{range}");
        assert_eq!(
            response.header("content-range"),
            Some(format!("bytes */{length}").as_str())
        );
    }

    let weak = format!("W/{etag}");
    for (if_range, status) in [
        (etag, 206),
        ("\"other\"", 200),
        (&weak, 200),
        ("Fri, 15 Jan 2027 08:00:00 GMT", 200),
    ] {
        let request = bench
            .http
            .get(&url)
            .header("range", "bytes=0-9")
            .header("if-range", if_range);
        assert_eq!(TestResponse::to(request).await.status, status, "{if_range}");
    }

    let again = TestResponse::to(bench.http.get(&url)).await;
    assert!(again.body == *file, "the same task has the same file");
    assert_eq!(again.header("etag"), Some(etag));
}

/// Returns seconds, width and height of a complete MP4.
fn measure(file: &[u8]) -> (f64, u32, u32) {
    let info = media_probe::probe_bytes(file);
    assert!(info.problems.is_empty(), "{info:?}");
    let display = info.video.unwrap().display.unwrap();
    let seconds = info.duration.unwrap().as_secs_f64();
    (seconds, display.width, display.height)
}

#[tokio::test]
async fn file_has_the_requested_duration_and_aspect_ratio() {
    let spec: Value = serde_saphyr::from_str(SPEC_YAML).unwrap();
    let default = |schema: &str| {
        spec["components"]["schemas"][schema]["default"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (duration, aspect_ratio) = (default("OutputDuration"), default("AspectRatio"));
    let shortest = OutputDuration::ALL[0].as_str();
    let longest = OutputDuration::ALL.last().unwrap().as_str();

    let mut cases = vec![
        (request_body(), duration.clone(), aspect_ratio.clone()),
        (
            request_body_with("duration", longest),
            longest.to_owned(),
            aspect_ratio.clone(),
        ),
    ];
    for ratio in AspectRatio::ALL {
        let mut body = request_body_with("aspect_ratio", ratio.as_str());
        body["duration"] = shortest.into();
        let shape = match ratio {
            AspectRatio::Auto => &aspect_ratio,
            ratio => ratio.as_str(),
        };
        cases.push((body, shortest.to_owned(), shape.to_owned()));
    }

    let bench = Bench::start().await;
    for (body, duration, aspect_ratio) in cases {
        let (_, url) = bench.completed(&body).await;
        let (seconds, wide, high) = measure(&TestResponse::to(bench.http.get(url)).await.body);
        assert_eq!(seconds, duration.parse::<f64>().unwrap(), "{body}");
        let (sides_wide, sides_high) = aspect_ratio.split_once(':').unwrap();
        let sides = (
            sides_wide.parse::<u32>().unwrap(),
            sides_high.parse::<u32>().unwrap(),
        );
        assert_eq!(wide * sides.1, high * sides.0, "{body}: {wide}×{high}");
    }
}

#[tokio::test]
async fn concurrent_requests_get_the_same_file() {
    let bench = Bench::start().await;
    let (_, url) = bench.completed(&short_request_body()).await;
    let get = || TestResponse::to(bench.http.get(&url));
    let (one, two, three) = tokio::join!(get(), get(), get());
    assert!(one.body == two.body && two.body == three.body);
}

#[tokio::test]
async fn key_sent_to_the_result_host_is_recorded() {
    let bench = Bench::start().await;
    let (_, url) = bench.completed(&short_request_body()).await;
    let key = bench.sandbox.api_key();
    TestResponse::to(bench.http.get(&url).header("x-freepik-api-key", key)).await;
    TestResponse::to(bench.http.request(Method::HEAD, &url)).await;
    let at_results: Vec<_> = bench
        .sandbox
        .requests()
        .into_iter()
        .filter(|request| request.host() == Host::Results)
        .collect();
    let keys: Vec<_> = at_results
        .iter()
        .map(|request| {
            request
                .headers()
                .get("x-freepik-api-key")
                .map(|key| key.to_str().unwrap())
        })
        .collect();
    assert_eq!(keys, [Some(key), None]);
    assert_eq!(at_results[0].method(), Method::GET);
    assert!(at_results[0].query().unwrap().starts_with("token=exp="));
    assert_eq!(at_results[0].operation_id(), None);
    assert_eq!(at_results[0].request_id(), None);
    assert_eq!(at_results[0].status().unwrap(), 200);
    assert_eq!(bench.sandbox.requests()[0].path(), PRO);
}
