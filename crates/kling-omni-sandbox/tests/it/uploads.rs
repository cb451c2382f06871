//! Files that are brought: places, the host that takes them, and what the URLs of the files are good for.

use std::time::Duration;

use http::{HeaderName, Method};
use kling_omni_sandbox::{Host, ReceivedRequest};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{
    Answer, Bench, FILES, PLACES, PRO, Place, START, STATUS, TASK_TIME, VIDEO_PRO, VIDEO_STATUS,
    at, order_with, path_of,
};

const DAY: u64 = 24 * 3600;
const KEY: &str = "k3y-of-the-account";

#[tokio::test]
async fn a_place_has_the_documented_form() {
    let bench = Bench::start().await;
    let wanted = json!({"files": [{"content_type": "video/mp4"}, {"content_type": "image/png"}]});
    let answer = bench.post(PLACES, &wanted).await;
    let places = answer.json();
    let expected = [("upl_vid_", "video/mp4"), ("upl_ima_", "image/png")];
    assert_eq!(places["files"].as_array().unwrap().len(), expected.len());
    for (place, (id, kind)) in places["files"].as_array().unwrap().iter().zip(expected) {
        assert!(
            place["file_id"].as_str().unwrap().starts_with(id),
            "{place}"
        );
        let headers = json!({"Content-Type": kind, "x-goog-content-length-range": "0,1073741824"});
        assert_eq!(place["headers"], headers);
        assert_eq!(place["expires_in"], 120);
        assert_eq!(place["asset_url_expires_in"], DAY);
        let url = place["upload_url"].as_str().unwrap();
        assert!(url.starts_with(bench.sandbox.storage_base_url()), "{url}");
        let url = place["asset_url"].as_str().unwrap();
        let end = format!("?token=exp={}~hmac=", START + DAY);
        assert!(
            url.starts_with(bench.sandbox.result_base_url()) && url.contains(&end),
            "{url}"
        );
    }
    let records = bench.sandbox.uploads();
    let kinds: Vec<_> = records.iter().map(|upload| upload.content_type()).collect();
    assert_eq!(kinds, ["video/mp4", "image/png"]);
    assert_eq!((records[0].asked_at(), records[0].length()), (at(0), None));
    assert_eq!(bench.sandbox.charges(), 0);
}

#[tokio::test]
async fn a_file_that_was_put_is_listed_and_served() {
    let bench = Bench::start().await;
    let file: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    let place = bench.place("video/quicktime").await;
    let get = || bench.http.get(&place.asset_url);
    assert_eq!(Answer::to(get()).await.status, 404);
    assert_eq!(bench.get(FILES).await.json(), json!({"files": []}));

    let answer = Answer::to(place.put(&bench, file.clone())).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let etag = answer.header("etag").unwrap().to_owned();

    let whole = Answer::to(get()).await;
    assert_eq!(whole.body, file);
    assert_eq!(whole.header("content-type"), Some("video/quicktime"));
    assert_eq!(whole.header("content-length"), Some("100000"));
    assert_eq!(whole.header("etag"), Some(&*etag));
    let part = Answer::to(
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
    let beyond = Answer::to(get().header("range", "bytes=100000-")).await;
    assert_eq!(beyond.status, 416);
    let head = Answer::to(bench.http.head(&place.asset_url)).await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("100000"))
    );

    let upload = &bench.sandbox.uploads()[0];
    assert_eq!(
        (upload.id(), upload.uploaded_at()),
        (&*place.file_id, Some(at(0)))
    );
    assert_eq!(upload.length(), Some(100_000));
    assert_eq!(upload.sha256(), Some(Sha256::digest(&file).into()));

    bench.clock.advance(Duration::from_secs(DAY));
    assert_eq!(Answer::to(get()).await.status, 403);
    let listed = bench.get(FILES).await.json();
    let mut entry = listed["files"][0].clone();
    let url = entry.as_object_mut().unwrap().remove("asset_url").unwrap();
    let expected = json!({
        "file_id": place.file_id,
        "content_type": "video/quicktime",
        "size_bytes": 100_000,
        "created_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-22T08:00:00Z",
        "ttl_seconds": 6 * DAY,
        "asset_url_expires_in": DAY,
    });
    assert_eq!(entry, expected);
    let fresh = url.as_str().unwrap();
    assert_eq!(Answer::to(bench.http.get(fresh)).await.body, file);
}

/// An edit of a URL that is right otherwise.
type EditUrl = fn(&str) -> String;

/// An edit of a request that is right otherwise.
type Edit = fn(reqwest::RequestBuilder, &Place) -> reqwest::RequestBuilder;

#[tokio::test]
async fn the_storage_host_takes_what_was_signed_and_nothing_else() {
    let with = |name: &'static str, value: &'static str| (name, value);
    // What differs, how it is answered, and with which code.
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
        let place = bench.place("video/mp4").await;
        let mut headers = place.headers.clone();
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        let put = bench
            .http
            .put(&place.upload_url)
            .headers(headers)
            .body("clip");
        refused(&bench, put, status, code, name).await;
    }
    for name in ["content-type", "x-goog-content-length-range"] {
        let place = bench.place("video/mp4").await;
        let mut headers = place.headers.clone();
        headers.remove(name);
        let put = bench
            .http
            .put(&place.upload_url)
            .headers(headers)
            .body("clip");
        refused(&bench, put, 400, "MalformedSecurityHeader", name).await;
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
        let place = bench.place("video/mp4").await;
        let url = edit(&place.upload_url);
        let put = bench
            .http
            .put(url)
            .headers(place.headers.clone())
            .body("clip");
        refused(&bench, put, status, code, "the URL").await;
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
    let small = Bench::with(|builder| builder.largest_upload(100)).await;
    for (edit, status, code) in bodies {
        let place = small.place("video/mp4").await;
        let put = edit(place.put(&small, ""), &place);
        refused(&small, put, status, code, "the body").await;
    }
    let place = small.place("video/mp4").await;
    assert_eq!(
        Answer::to(place.put(&small, vec![0; 100])).await.status,
        200
    );
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let answer = Answer::to(bench.http.request(method, &place.upload_url)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("PUT")));
    }
}

async fn refused(bench: &Bench, put: reqwest::RequestBuilder, status: u16, code: &str, what: &str) {
    let answer = Answer::to(put).await;
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/xml; charset=UTF-8")
    );
    let code = format!("<Error><Code>{code}</Code><Message>");
    assert!(answer.text().contains(&code), "{what}: {}", answer.text());
    let stored = bench.sandbox.uploads().pop().unwrap();
    assert_eq!(stored.length(), None, "{what}");
}

#[tokio::test]
async fn a_place_takes_its_file_for_two_minutes_as_often_as_it_comes() {
    let bench = Bench::start().await;
    let place = bench.place("image/webp").await;
    assert_eq!(Answer::to(place.put(&bench, "one")).await.status, 200);
    bench.clock.advance(Duration::from_secs(119));
    assert_eq!(Answer::to(place.put(&bench, "other")).await.status, 200);
    let file = || async { Answer::to(bench.http.get(&place.asset_url)).await.body };
    assert_eq!(file().await, b"other");
    bench.clock.advance(Duration::from_secs(1));
    let late = Answer::to(place.put(&bench, "late")).await;
    assert_eq!(late.status, 400);
    assert!(
        late.text().contains("<Code>ExpiredToken</Code>"),
        "{}",
        late.text()
    );
    assert_eq!(file().await, b"other");
}

#[tokio::test]
async fn what_became_of_a_file_becomes_of_the_tasks_that_need_it() {
    let week = 7 * DAY;
    let expired = "the URL of the uploaded file has expired, or is not genuine";
    // Whether the file came, how long ago, what of its URL is changed, and why the task fails.
    let cases: [(bool, u64, EditUrl, _); 6] = [
        (true, 0, str::to_owned, None),
        (true, DAY - 1, str::to_owned, None),
        (true, DAY, str::to_owned, Some(expired)),
        (
            false,
            0,
            str::to_owned,
            Some("no file was uploaded to the place behind the URL"),
        ),
        (true, 0, |url| url.replace("exp=", "exp=9"), Some(expired)),
        (
            true,
            week,
            str::to_owned,
            Some("the uploaded file has vanished"),
        ),
    ];
    for (came, later, edit, why) in cases {
        let bench = Bench::with(|builder| match later {
            // The URL has to outlive its file.
            later if later == week => builder.asset_lifetime(Duration::from_secs(week + 1)),
            _ => builder,
        })
        .await;
        let place = bench.place("video/mp4").await;
        if came {
            assert_eq!(Answer::to(place.put(&bench, "clip")).await.status, 200);
        }
        bench.clock.advance(Duration::from_secs(later));
        let url = edit(&place.asset_url);
        let elements = json!({"elements": [{"frontal_image_url": url}]});
        let creates = [
            (PRO, STATUS, order_with("video_url", &*url), "video_url"),
            (PRO, STATUS, order_with("image_url", &*url), "image_url"),
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
async fn no_key_goes_unseen_and_no_token_is_shown() {
    let bench = Bench::with(|builder| builder.api_key(KEY)).await;
    let place = bench.place("video/mp4").await;
    Answer::to(place.put(&bench, "clip").header("x-own", KEY)).await;
    Answer::to(place.put(&bench, "clip")).await;
    Answer::to(bench.http.get(&place.asset_url)).await;
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
        secret(&place.upload_url),
        secret(&place.asset_url),
    ] {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_places_and_leaves_tasks_as_they_are() {
    let ids = |with_upload: bool| async move {
        let bench = Bench::start().await;
        let place = if with_upload {
            bench.place("video/mp4").await.file_id
        } else {
            String::new()
        };
        (
            bench.create(PRO, &order_with("prompt", "a cat")).await,
            place,
        )
    };
    let (task, place) = ids(true).await;
    assert_eq!(ids(true).await, (task.clone(), place));
    assert_eq!(ids(false).await.0, task);
}

#[tokio::test]
async fn bodies_are_held_to_the_document() {
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
        let answer = bench.post(PLACES, &body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["invalid_params"][0]["name"], name);
    }
    assert!(bench.sandbox.uploads().is_empty());
}
