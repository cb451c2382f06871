//! What the pages show, compared with the record.

use std::time::Duration;

use http::Method;

use super::{ConsoleBench, part};
use crate::harness::{
    KEY_HEADER, LIST, PRO, TASK_TIME, TestResponse, VIDEO_PRO, request_body, request_body_with,
    short_request_body,
};

fn count(page: &str, text: &str) -> usize {
    page.matches(text).count()
}

#[tokio::test]
async fn pages_without_records_are_shown() {
    let console = ConsoleBench::start().await;
    for path in ["/", "/tasks", "/requests", "/deliveries", "/faults"] {
        let page = console.page(path).await;
        assert!(page.starts_with("<!doctype html>"), "{page}");
        assert!(page.contains("data-live=\"/live"), "{page}");
    }
    let page = console.page("/").await;
    let base_url = console.bench.sandbox.base_url();
    let export = format!("export KLING_OMNI_BASE_URL={base_url} FREEPIK_API_KEY=KEY");
    assert!(part(&page, "tasks").contains(&export), "{page}");
    assert!(part(&page, "charges").contains("Nothing was charged"));
}

#[tokio::test]
async fn unknown_pages_are_not_found() {
    let console = ConsoleBench::start().await;
    for path in [
        "/nothing",
        "/tasks/1",
        "/tasks/0",
        "/tasks/x",
        "/tasks/18446744073709551615",
        "/requests/1",
        "/requests/0",
        "/deliveries/1",
        "/requests?show=nothing",
        "/tasks?before=x",
        "/live/tasks/1",
        "/live/nothing",
        "/tasks/1/video.mp4",
    ] {
        assert_eq!(console.get(path).await.status, 404, "{path}");
    }
    let request = console
        .bench
        .http
        .request(Method::DELETE, format!("{}/", console.url));
    let request = request.header("origin", &console.url);
    assert_eq!(TestResponse::to(request).await.status, 405);
}

#[tokio::test]
async fn tasks_and_charges_are_shown() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let first = bench
        .create(PRO, &request_body_with("prompt", "A river"))
        .await;
    bench.clock.advance(TASK_TIME);
    let failed = request_body_with("prompt", "[sandbox:fail=out of film]");
    bench.create(VIDEO_PRO, &failed).await;
    bench
        .create(PRO, &request_body_with("prompt", "A river"))
        .await;
    bench.task(&first).await;

    let page = console.page("/tasks").await;
    let charges = part(&page, "charges");
    assert!(
        charges.contains("<span class=\"count\">3</span>"),
        "{charges}"
    );
    assert!(charges.contains("<strong>2</strong> <code>createReferenceToVideoPro</code>"));
    assert!(charges.contains("<strong>1</strong> <code>createVideoPro</code>"));
    assert!(charges.contains("repeated: 1"), "{charges}");
    let tasks = part(&page, "tasks");
    assert_eq!(count(tasks, "<tr>"), 4, "{tasks}");
    assert!(tasks.contains(&first) && tasks.contains("A river"));
    assert!(tasks.contains("same request as task 1"));
    assert!(tasks.contains("<span class=\"badge good\">COMPLETED</span>"));
    assert_eq!(count(tasks, "<span class=\"badge idle\">CREATED</span>"), 2);
    assert!(tasks.contains("reads 1, downloads 0, webhooks 0"));

    bench.clock.advance(TASK_TIME);
    let page = console.page("/tasks/2").await;
    assert!(part(&page, "task").contains("out of film"), "{page}");
    assert!(part(&page, "video").contains("ended without a video"));
    assert!(part(&page, "body").contains("[sandbox:fail=out of film]"));
    let events = part(&page, "events");
    assert!(events.contains("Task created and charged"), "{events}");
    assert!(events.contains(">20 s</td>"), "{events}");
    assert!(events.contains("<span class=\"badge bad\">FAILED</span>"));
}

#[tokio::test]
async fn requests_are_shown_with_their_responses() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let request = bench
        .request(Method::POST, &format!("{PRO}?page=2"))
        .header("x-own", "mine");
    let body = request_body_with("prompt", "Straße");
    let created = TestResponse::to(request.json(&body)).await;
    let missing = TestResponse::to(
        bench
            .http
            .get(format!("{}{LIST}", bench.sandbox.base_url())),
    )
    .await;
    assert_eq!(missing.status, 401);

    let page = console.page("/requests").await;
    let rows = part(&page, "requests");
    assert!(rows.contains(&format!("POST {PRO}?page=2")), "{rows}");
    assert!(rows.contains("<span class=\"badge good\">200</span>"));
    assert!(rows.contains("<span class=\"badge bad\">401</span>"));
    assert!(rows.contains("href=\"/tasks/1\""));

    let page = console.page("/requests/1").await;
    let detail = part(&page, "request");
    for text in [
        "createReferenceToVideoPro",
        "x-own",
        "mine",
        "Straße",
        KEY_HEADER,
        created.header("x-request-id").unwrap(),
        created.header("x-ratelimit-remaining").unwrap(),
        created.data()["task_id"].as_str().unwrap(),
    ] {
        assert!(detail.contains(text), "{text}: {detail}");
    }
    let sent = bench.sandbox.requests();
    let sent = sent[0].response().unwrap();
    assert_eq!(sent.body().as_ref(), created.body);
    assert_eq!(sent.length(), created.body.len() as u64);
    assert!(sent.is_complete());
    assert_eq!(sent.headers()["date"], created.headers["date"]);
    let page = console.page("/requests/2").await;
    assert!(page.contains("Missing API key"), "{page}");
}

#[tokio::test]
async fn responses_that_are_not_received_are_shown() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let arm = |rule: &str| bench.sandbox.inject(rule.parse().unwrap());
    for rule in ["create:drop@1", "create:cut=5@2", "create:lost@3"] {
        arm(rule);
    }
    for _ in 0..3 {
        let sent = bench
            .request(Method::POST, PRO)
            .json(&request_body())
            .send();
        let body = match sent.await {
            Ok(response) => response.bytes().await,
            Err(error) => Err(error),
        };
        assert!(body.is_err());
    }
    let page = console.page("/requests").await;
    let rows = part(&page, "requests");
    for text in [
        "<span class=\"badge bad\">200, not received</span> <span class=\"badge fault\">fault create:drop@1</span>",
        "<span class=\"badge bad\">200, incomplete</span> <span class=\"badge fault\">fault create:cut=5@2</span>",
        "<span class=\"badge bad\">503, not received</span> <span class=\"badge fault\">fault create:lost@3</span>",
    ] {
        assert!(rows.contains(text), "{text}: {rows}");
    }
    assert!(part(&console.page("/").await, "charges").contains("<strong>2</strong>"));
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let console = ConsoleBench::with(|builder| builder.rate_limit(1000)).await;
    let bench = &console.bench;
    for n in 0..250 {
        let path = if n % 50 == 0 { "/nothing" } else { LIST };
        bench.get(path).await;
    }
    let latest = console.page("/requests").await;
    assert!(latest.contains("id=\"request-250\"") && latest.contains("id=\"request-151\""));
    assert!(!latest.contains("id=\"request-150\""));
    assert!(latest.contains("href=\"/requests?before=151\""), "{latest}");
    let older = console.page("/requests?before=51").await;
    assert!(older.contains("id=\"request-50\"") && older.contains("id=\"request-1\""));
    assert!(!older.contains("Older requests") && older.contains("Latest requests"));

    let storage = console.page("/requests?show=storage").await;
    assert!(storage.contains("There are no such requests"));
    // An empty list is a 404, too.
    let errors = console.page("/requests?show=errors").await;
    assert!(
        errors.contains("href=\"/requests?show=errors&#38;before=151\""),
        "{errors}"
    );
}

#[tokio::test]
async fn evicted_records_are_not_found() {
    let console = ConsoleBench::with(|builder| builder.record_limit(2)).await;
    for _ in 0..3 {
        console.bench.get(LIST).await;
    }
    assert_eq!(console.get("/requests/1").await.status, 404);
    assert_eq!(console.get("/requests/2").await.status, 200);
    let page = console.page("/requests").await;
    assert!(
        page.contains("Requests <span class=\"count\">3</span>"),
        "{page}"
    );
}

#[tokio::test]
async fn results_are_served_without_a_record() {
    let console = ConsoleBench::start().await;
    let bench = &console.bench;
    let (_, url) = bench.completed(&short_request_body()).await;
    bench.sandbox.inject("result:403".parse().unwrap());
    let requests = bench.sandbox.requests().len();
    let page = console.page("/tasks/1").await;
    assert!(page.contains("src=\"/tasks/1/video.mp4\""), "{page}");

    let video = console.get("/tasks/1/video.mp4").await;
    assert_eq!(video.status, 200);
    assert_eq!(video.header("content-type"), Some("video/mp4"));
    let range = bench.http.get(format!("{}/tasks/1/video.mp4", console.url));
    let range = TestResponse::to(range.header("range", "bytes=0-9")).await;
    assert_eq!(
        (range.status, range.body.as_slice()),
        (206, &video.body[..10])
    );
    // Also after its URL has expired.
    bench.clock.advance(Duration::from_secs(7200));
    assert_eq!(console.get("/tasks/1/video.mp4").await.body, video.body);

    assert_eq!(bench.sandbox.requests().len(), requests);
    assert!(
        console
            .page("/faults")
            .await
            .contains("matched 0, applied 0")
    );
    bench.sandbox.clear_faults();
    assert_eq!(TestResponse::to(bench.http.get(url)).await.status, 403);
}

#[tokio::test]
async fn files_are_not_kept_in_the_record() {
    let console = ConsoleBench::start().await;
    let (_, url) = console.bench.completed(&short_request_body()).await;
    let video = TestResponse::to(console.bench.http.get(url)).await;
    let requests = console.bench.sandbox.requests();
    let sent = requests.last().unwrap().response().unwrap();
    assert_eq!(
        (sent.body().len(), sent.length()),
        (0, video.body.len() as u64)
    );
    let page = console.page(&format!("/requests/{}", requests.len())).await;
    assert!(page.contains("files are not recorded"), "{page}");
}

#[tokio::test]
async fn bodies_of_any_form_are_shown() {
    let console = ConsoleBench::start().await;
    let cases: [(&[u8], &str); 5] = [
        (b"", "No body is recorded"),
        (b"a\xff\xfeb", "a\\xff\\xfeb"),
        (b"{\"a\": [", "{&#34;a&#34;: ["),
        (b"[1,[2,{}]]", "indented"),
        (&[b'x'; 100_000], "shortened to 64 KiB"),
    ];
    for ((body, text), number) in cases.into_iter().zip(1..) {
        let request = console.bench.request(Method::POST, PRO).body(body.to_vec());
        TestResponse::to(request).await;
        let page = console.page(&format!("/requests/{number}")).await;
        assert!(page.contains(text), "{text}: {page}");
    }
}
