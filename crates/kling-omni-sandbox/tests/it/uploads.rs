//! Uploads: slots, the storage host, and the URLs of stored files.

use std::time::Duration;

use http::{HeaderName, Method};
use kling_omni_sandbox::{Host, ReceivedRequest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{
    Bench, FILES, PRO, SLOTS, START, STATUS, Slot, TASK_TIME, TestResponse, VIDEO_PRO,
    VIDEO_STATUS, at, path_of, request_body_with,
};

const DAY: u64 = 24 * 3600;
const KEY: &str = "k3y-of-the-account";

#[tokio::test]
async fn slot_has_the_documented_form() {
    let bench = Bench::start().await;
    let wanted = json!({"files": [{"content_type": "video/mp4"}, {"content_type": "image/png"}]});
    let response = bench.post(SLOTS, &wanted).await;
    let slots = response.json();
    let expected = [("upl_vid_", "video/mp4"), ("upl_ima_", "image/png")];
    assert_eq!(slots["files"].as_array().unwrap().len(), expected.len());
    for (slot, (id, kind)) in slots["files"].as_array().unwrap().iter().zip(expected) {
        assert!(slot["file_id"].as_str().unwrap().starts_with(id), "{slot}");
        let headers = json!({"Content-Type": kind, "x-goog-content-length-range": "0,1073741824"});
        assert_eq!(slot["headers"], headers);
        assert_eq!(slot["expires_in"], 120);
        assert_eq!(slot["asset_url_expires_in"], DAY);
        let url = slot["upload_url"].as_str().unwrap();
        assert!(url.starts_with(bench.sandbox.storage_base_url()), "{url}");
        let url = slot["asset_url"].as_str().unwrap();
        let end = format!("?token=exp={}~hmac=", START + DAY);
        assert!(
            url.starts_with(bench.sandbox.result_base_url()) && url.contains(&end),
            "{url}"
        );
    }
    let records = bench.sandbox.uploads();
    let kinds: Vec<_> = records.iter().map(|upload| upload.content_type()).collect();
    assert_eq!(kinds, ["video/mp4", "image/png"]);
    assert_eq!(
        (records[0].requested_at(), records[0].length()),
        (at(0), None)
    );
    assert_eq!(bench.sandbox.charges(), 0);
}

#[tokio::test]
async fn file_is_listed_and_served() {
    let bench = Bench::start().await;
    let file: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let slot = bench.slot("video/quicktime").await;
    let get = || bench.http.get(&slot.asset_url);
    assert_eq!(TestResponse::to(get()).await.status, 404);
    assert_eq!(bench.get(FILES).await.json(), json!({"files": []}));

    let response = TestResponse::to(slot.put(&bench, file.clone())).await;
    assert_eq!((response.status, response.body.len()), (200, 0));
    let etag = response.header("etag").unwrap().to_owned();

    let whole = TestResponse::to(get()).await;
    assert_eq!(whole.body, file);
    assert_eq!(whole.header("content-type"), Some("video/quicktime"));
    assert_eq!(whole.header("content-length"), Some("100000"));
    assert_eq!(whole.header("etag"), Some(&*etag));
    let part = TestResponse::to(
        get()
            .header("range", "bytes=90000-90009")
            .header("if-range", &etag),
    )
    .await;
    assert_eq!(part.status, 206);
    assert_eq!(
        part.header("content-range"),
        Some("bytes 90000-90009/100000")
    );
    assert_eq!(part.body, file[90_000..90_010]);
    let beyond = TestResponse::to(get().header("range", "bytes=100000-")).await;
    assert_eq!(beyond.status, 416);
    let head = TestResponse::to(bench.http.head(&slot.asset_url)).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("100000"))
    );

    let upload = &bench.sandbox.uploads()[0];
    assert_eq!(
        (upload.id(), upload.uploaded_at()),
        (&*slot.file_id, Some(at(0)))
    );
    assert_eq!(upload.length(), Some(100_000));
    assert_eq!(upload.sha256(), Some(Sha256::digest(&file).into()));

    bench.clock.advance(Duration::from_secs(DAY));
    assert_eq!(TestResponse::to(get()).await.status, 403);
    let listed = bench.get(FILES).await.json();
    let mut entry = listed["files"][0].clone();
    let url = entry.as_object_mut().unwrap().remove("asset_url").unwrap();
    let expected = json!({
        "file_id": slot.file_id,
        "content_type": "video/quicktime",
        "size_bytes": 100_000,
        "created_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-22T08:00:00Z",
        "ttl_seconds": 6 * DAY,
        "asset_url_expires_in": DAY,
    });
    assert_eq!(entry, expected);
    let fresh = url.as_str().unwrap();
    assert_eq!(TestResponse::to(bench.http.get(fresh)).await.body, file);
}

/// An edit of a valid URL.
type EditUrl = fn(&str) -> String;

/// An edit of a valid request.
type Edit = fn(reqwest::RequestBuilder, &Slot) -> reqwest::RequestBuilder;

#[tokio::test]
async fn storage_host_accepts_signed_requests_only() {
    let with = |name: &'static str, value: &'static str| (name, value);
    // The difference, the status and the code.
    let headers = [
        (
            with("content-type", "video/webm"),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            with("x-goog-content-length-range", "0,2"),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            with("x-goog-acl", "public-read"),
            400,
            "MalformedSecurityHeader",
        ),
        (
            with("authorization", "Bearer x"),
            400,
            "UnexpectedCredentials",
        ),
        (with("cookie", "a=b"), 400, "UnexpectedCredentials"),
        (
            with("x-freepik-api-key", "any"),
            400,
            "UnexpectedCredentials",
        ),
        (
            with("x-magnific-api-key", "any"),
            400,
            "UnexpectedCredentials",
        ),
        (
            with("x-own", "the k3y-of-the-account too"),
            400,
            "UnexpectedCredentials",
        ),
    ];
    let bench = Bench::with(|builder| builder.api_key(KEY)).await;
    for ((name, value), status, code) in headers {
        let slot = bench.slot("video/mp4").await;
        let mut headers = slot.headers.clone();
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        let put = bench
            .http
            .put(&slot.upload_url)
            .headers(headers)
            .body("clip");
        assert_rejected(&bench, put, status, code, name).await;
    }
    for name in ["content-type", "x-goog-content-length-range"] {
        let slot = bench.slot("video/mp4").await;
        let mut headers = slot.headers.clone();
        headers.remove(name);
        let put = bench
            .http
            .put(&slot.upload_url)
            .headers(headers)
            .body("clip");
        assert_rejected(&bench, put, 400, "MalformedSecurityHeader", name).await;
    }
    let urls: [(EditUrl, u16, &str); 4] = [
        (
            |url| url.replace("Expires=120", "Expires=999"),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            |url| url.split('?').next().unwrap().to_owned(),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            |url| url.replace("/uploads/upl_", "/uploads/upl_x"),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            |url| format!("{url}&key={KEY}"),
            400,
            "UnexpectedCredentials",
        ),
    ];
    for (edit, status, code) in urls {
        let slot = bench.slot("video/mp4").await;
        let url = edit(&slot.upload_url);
        let put = bench
            .http
            .put(url)
            .headers(slot.headers.clone())
            .body("clip");
        assert_rejected(&bench, put, status, code, "the URL").await;
    }
    let bodies: [(Edit, u16, &str); 2] = [
        (
            |put, _| {
                let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("clip")]);
                put.body(reqwest::Body::wrap_stream(chunks))
            },
            411,
            "MissingContentLength",
        ),
        (|put, _| put.body(vec![0; 101]), 400, "EntityTooLarge"),
    ];
    let small = Bench::with(|builder| builder.max_upload_size(100)).await;
    for (edit, status, code) in bodies {
        let slot = small.slot("video/mp4").await;
        let put = edit(slot.put(&small, ""), &slot);
        assert_rejected(&small, put, status, code, "the body").await;
    }
    let slot = small.slot("video/mp4").await;
    assert_eq!(
        TestResponse::to(slot.put(&small, vec![0; 100]))
            .await
            .status,
        200
    );
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let response = TestResponse::to(bench.http.request(method, &slot.upload_url)).await;
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some("PUT"))
        );
    }
}

async fn assert_rejected(
    bench: &Bench,
    put: reqwest::RequestBuilder,
    status: u16,
    code: &str,
    what: &str,
) {
    let response = TestResponse::to(put).await;
    assert_eq!(response.status, status, "{what}: {}", response.text());
    assert_eq!(
        response.header("content-type"),
        Some("application/xml; charset=UTF-8")
    );
    let code = format!("<Error><Code>{code}</Code><Message>");
    assert!(
        response.text().contains(&code),
        "{what}: {}",
        response.text()
    );
    let stored = bench.sandbox.uploads().pop().unwrap();
    assert_eq!(stored.length(), None, "{what}");
}

#[tokio::test]
async fn slot_accepts_its_file_until_it_expires() {
    let bench = Bench::start().await;
    let slot = bench.slot("image/webp").await;
    assert_eq!(TestResponse::to(slot.put(&bench, "one")).await.status, 200);
    bench.clock.advance(Duration::from_secs(119));
    assert_eq!(
        TestResponse::to(slot.put(&bench, "other")).await.status,
        200
    );
    let file = || async { TestResponse::to(bench.http.get(&slot.asset_url)).await.body };
    assert_eq!(file().await, b"other");
    bench.clock.advance(Duration::from_secs(1));
    let late = TestResponse::to(slot.put(&bench, "late")).await;
    assert_eq!(late.status, 400);
    assert!(
        late.text().contains("<Code>ExpiredToken</Code>"),
        "{}",
        late.text()
    );
    assert_eq!(file().await, b"other");
}

#[tokio::test]
async fn task_fails_without_its_uploaded_file() {
    let week = 7 * DAY;
    let expired = "the URL of the uploaded file has expired or is invalid";
    // Whether the file was stored, its age, the edit of its URL, and why the task fails.
    let cases: [(bool, u64, EditUrl, _); 6] = [
        (true, 0, str::to_owned, None),
        (true, DAY - 1, str::to_owned, None),
        (true, DAY, str::to_owned, Some(expired)),
        (
            false,
            0,
            str::to_owned,
            Some("no file was uploaded for this URL"),
        ),
        (true, 0, |url| url.replace("exp=", "exp=9"), Some(expired)),
        (
            true,
            week,
            str::to_owned,
            Some("the uploaded file has expired"),
        ),
    ];
    for (came, later, edit, why) in cases {
        let bench = Bench::with(|builder| match later {
            // The URL must live longer than its file.
            later if later == week => builder.asset_lifetime(Duration::from_secs(week + 1)),
            _ => builder,
        })
        .await;
        let slot = bench.slot("video/mp4").await;
        if came {
            assert_eq!(TestResponse::to(slot.put(&bench, "clip")).await.status, 200);
        }
        bench.clock.advance(Duration::from_secs(later));
        let url = edit(&slot.asset_url);
        let elements = json!({"elements": [{"frontal_image_url": url}]});
        let creates = [
            (
                PRO,
                STATUS,
                request_body_with("video_url", &*url),
                "video_url",
            ),
            (
                PRO,
                STATUS,
                request_body_with("image_url", &*url),
                "image_url",
            ),
            (VIDEO_PRO, VIDEO_STATUS, elements, "elements"),
        ];
        let mut tasks = vec![];
        for (path, status, body, field) in creates {
            tasks.push((path_of(status, &bench.create(path, &body).await), field));
        }
        bench.clock.advance(TASK_TIME);
        for (path, field) in tasks {
            let task = bench.get(&path).await.data();
            match why {
                None => assert_eq!(task["status"], "COMPLETED", "{task}"),
                Some(why) => {
                    assert_eq!(task["status"], "FAILED", "{task}");
                    assert_eq!(task["error"], format!("{field}: {why}"));
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_are_recorded_and_tokens_redacted() {
    let bench = Bench::with(|builder| builder.api_key(KEY)).await;
    let slot = bench.slot("video/mp4").await;
    TestResponse::to(slot.put(&bench, "clip").header("x-own", KEY)).await;
    TestResponse::to(slot.put(&bench, "clip")).await;
    TestResponse::to(bench.http.get(&slot.asset_url)).await;
    let requests = bench.sandbox.requests();
    let at_storage: Vec<_> = requests
        .iter()
        .filter(|request| request.host() == Host::Storage)
        .collect();
    let keyed = |request: &&&ReceivedRequest| {
        request
            .headers()
            .values()
            .any(http::HeaderValue::is_sensitive)
    };
    assert_eq!(at_storage.len(), 2);
    assert_eq!(at_storage.iter().filter(keyed).count(), 1);
    assert!(at_storage.iter().all(|request| request.body().is_empty()));
    let shown = format!(
        "{:?} {requests:?} {:?}",
        bench.sandbox,
        bench.sandbox.uploads()
    );
    let secret = |url: &str| url.rsplit_once('=').unwrap().1.to_owned();
    for secret in [
        KEY.to_owned(),
        secret(&slot.upload_url),
        secret(&slot.asset_url),
    ] {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn slots_follow_the_seed() {
    let ids = |with_upload: bool| async move {
        let bench = Bench::start().await;
        let slot = if with_upload {
            bench.slot("video/mp4").await.file_id
        } else {
            String::new()
        };
        (
            bench
                .create(PRO, &request_body_with("prompt", "a cat"))
                .await,
            slot,
        )
    };
    let (task, slot) = ids(true).await;
    assert_eq!(ids(true).await, (task.clone(), slot));
    assert_eq!(ids(false).await.0, task);
}

#[tokio::test]
async fn bodies_are_validated() {
    let bench = Bench::start().await;
    let cases: [(Value, &str); 3] = [
        (json!({"files": []}), "files"),
        (json!({"files": [{}]}), "files.0.content_type"),
        (
            json!({"files": [{"content_type": "text/html"}]}),
            "files.0.content_type",
        ),
    ];
    for (body, name) in cases {
        let response = bench.post(SLOTS, &body).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.json()["invalid_params"][0]["name"], name);
    }
    assert!(bench.sandbox.uploads().is_empty());
}
