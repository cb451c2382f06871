//! Faults on API requests: the response and the charge.

use std::time::Duration;

use kling_omni_sandbox::{Fault, FaultMatcher, FaultRule, FaultTarget};
use tokio::io::AsyncReadExt as _;

use crate::harness::{
    Bench, LIST, PRO, START, STATUS, TASK_TIME, TestResponse, VIDEO_REFERENCE, at, path_of,
    request_body, short_request_body,
};
use crate::raw::{Raw, sorted};

fn rule(text: &str) -> FaultRule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn create(bench: &Bench) -> Raw {
    let url = format!("{}{PRO}", bench.sandbox.base_url());
    Raw::send(bench, "POST", &url, &request_body().to_string()).await
}

async fn read(bench: &Bench, id: &str) -> Raw {
    let url = format!("{}{}", bench.sandbox.base_url(), path_of(STATUS, id));
    Raw::send(bench, "GET", &url, "").await
}

#[tokio::test]
async fn on_creates_have_a_response_and_a_charge() {
    const MADE: &str = r#"{"data":{"task_id":"ID","status":"CREATED","generated":[]}}"#;
    let whole = MADE.len() + "046b6c7f-0b8a-43b9-b35d-6489e6daee91".len() - "ID".len();
    let json = |share: &str, body: &str| format!("200 application/json {share}: {body}");
    // fault, response, charges
    let cases = [
        ("create:500@2", json("whole", MADE), 1),
        ("createVideoReference:404", json("whole", MADE), 1),
        ("create:lost", "closed".into(), 0),
        ("create:drop", "closed".into(), 1),
        ("create:500", r#"500 application/json whole: {"message":"Internal Server Error"}"#.into(), 0),
        ("create:accept-503", r#"503 application/json whole: {"message":"Service Unavailable"}"#.into(), 1),
        (
            "create:502-html",
            "502 text/html; charset=utf-8 whole: <html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1></html>".into(),
            0,
        ),
        (
            "create:accept-502-html",
            "502 text/html; charset=utf-8 whole: <html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1></html>".into(),
            1,
        ),
        ("create:410", r#"410 application/json whole: {"message":"There is no such route"}"#.into(), 0),
        ("api:405", r#"405 application/json whole: {"message":"The route does not take this method"}"#.into(), 0),
        (
            "createReferenceToVideoPro:429=30",
            r#"429 application/json whole: {"message":"Rate limit exceeded, retry in the next window"}"#.into(),
            0,
        ),
        ("create:truncate=20", json("whole", &MADE[..20]), 1),
        ("create:truncate=0", json("whole", ""), 1),
        ("create:cut=9", json(&format!("9 of {whole}"), &MADE[..9]), 1),
        ("create:cut=0", json(&format!("0 of {whole}"), ""), 1),
        ("create:length=3", json(&format!("{whole} of {}", whole + 3), MADE), 1),
        ("create:length=-1", json("whole", &MADE[..MADE.len() - 1]), 1),
        ("create:content-type=text/plain", format!("200 text/plain whole: {MADE}"), 1),
        ("create:oversize=3000000", json("of no announced length", "…"), 1),
        ("create:unknown-status=PAUSED", json("whole", r#"{"data":{"generated":[],"status":"PAUSED","task_id":"ID"}}"#), 1),
        ("create:null=data", json("whole", r#"{"data":null}"#), 1),
        ("create:missing=data", json("whole", "{}"), 1),
        ("create:null=status", json("whole", r#"{"data":{"generated":[],"status":null,"task_id":"ID"}}"#), 1),
        ("create:missing=task_id", json("whole", r#"{"data":{"generated":[],"status":"CREATED"}}"#), 1),
    ];
    for (text, seen, charges) in cases {
        let bench = Bench::with(|builder| builder.fault(rule(text))).await;
        let raw = create(&bench).await;
        let tasks = bench.sandbox.tasks();
        let id = tasks.first().map_or("", |task| task.id());
        assert_eq!(sorted(&raw.summary(id)), sorted(&seen), "{text}");
        assert_eq!(bench.sandbox.charges(), charges, "{text}");
        let by_route: Vec<_> = bench.sandbox.charges_by_route().into_values().collect();
        assert_eq!(by_route, vec![1; charges], "{text}");

        let recorded: Vec<String> = bench.sandbox.requests()[0]
            .faults()
            .map(FaultRule::to_string)
            .collect();
        let is_triggered = !["create:500@2", "createVideoReference:404"].contains(&text);
        assert_eq!(
            recorded,
            is_triggered
                .then(|| text.to_owned())
                .into_iter()
                .collect::<Vec<_>>()
        );
        if text.ends_with("=30") {
            assert_eq!(raw.header("retry-after"), Some("30"));
            assert_eq!(raw.header("x-ratelimit-reset"), Some("60"));
        }
        if text.contains("oversize") {
            assert!(raw.body.len() > 3_000_000);
        }
    }
}

#[tokio::test]
async fn on_reads_have_a_response() {
    let tasks = |status: &str, urls: &str| {
        format!(
            r#"200 application/json whole: {{"data":{{"generated":{urls},"status":"{status}","task_id":"ID"}}}}"#
        )
    };
    let cases = [
        ("status:empty", tasks("COMPLETED", "[]")),
        (
            "status#1:unknown-status=QUEUED",
            tasks("QUEUED", r#"["URL"]"#),
        ),
        (
            "getReferenceToVideoTask:null=generated",
            tasks("COMPLETED", "null"),
        ),
        (
            "status:404",
            r#"404 application/json whole: {"message":"There is no such route"}"#.into(),
        ),
        ("status:lost", "closed".into()),
        ("status:cut=1", "200 application/json 1 of N: {".into()),
    ];
    for (text, seen) in cases {
        let bench = Bench::with(|builder| builder.fault(rule(text))).await;
        let (id, url) = {
            bench.sandbox.clear_faults();
            let completed = bench.completed(&short_request_body()).await;
            bench.sandbox.inject(rule(text));
            completed
        };
        let raw = read(&bench, &id).await;
        let announced = raw.header("content-length").unwrap_or_default().to_owned();
        let summary = Raw::summary(&raw, &id);
        let summary = summary
            .replace(
                &serde_json::Value::from(url.replace(&id, "ID")).to_string(),
                "\"URL\"",
            )
            .replace(&format!("of {announced}:"), "of N:");
        let summary = match raw.body.len() > 200 {
            true => {
                let body: serde_json::Value = serde_json::from_slice(&raw.body).unwrap();
                let body = body.to_string().replace(&url, "URL").replace(&id, "ID");
                summary.replace('…', &body)
            }
            false => summary,
        };
        assert_eq!(sorted(&summary), sorted(&seen), "{text}");
        assert_eq!(bench.sandbox.charges(), 1);
    }
}

#[tokio::test]
async fn count_requests_tasks_and_rules_separately() {
    let bench = Bench::with(|builder| {
        builder
            .fault(rule("status#2:401@2-3"))
            .fault(rule("api:429=5@6-8"))
            .fault(rule("list:500"))
    })
    .await;
    let one = bench.create(PRO, &request_body()).await;
    let two = bench.create(VIDEO_REFERENCE, &request_body()).await;
    // The task, and the status; of two faults that prevent the execution, the first one responds.
    let expected = [
        (&one, 200),
        (&two, 200),
        (&one, 200),
        (&two, 401),
        (&two, 401),
        (&two, 429),
    ];
    for (index, (id, status)) in expected.into_iter().enumerate() {
        assert_eq!(
            bench.get(&path_of(STATUS, id)).await.status,
            status,
            "request {index}"
        );
    }
    assert_eq!(bench.get(LIST).await.status, 500);
    bench.sandbox.clear_faults();
    assert_eq!(bench.get(LIST).await.status, 200);
    let charges: Vec<_> = bench.sandbox.charges_by_route().into_iter().collect();
    let expected = [
        ("createReferenceToVideoPro", 1),
        ("createVideoReference", 1),
    ];
    assert_eq!(charges, expected.map(|(id, count)| (id.to_owned(), count)));
}

#[tokio::test]
async fn probability_follows_the_seed() {
    let outcomes = async |seed| {
        let bench = Bench::with(|builder| builder.seed(seed).fault(rule("list:500~0.5"))).await;
        let mut seen = Vec::new();
        for _ in 0..64 {
            seen.push(bench.get(LIST).await.status);
        }
        seen
    };
    let first = outcomes(1).await;
    assert_eq!(first, outcomes(1).await);
    assert_ne!(first, outcomes(2).await);
    assert!(first.contains(&500) && first.contains(&404));
    for (text, status) in [("list:500~0", 404), ("list:500~1", 500)] {
        let bench = Bench::with(|builder| builder.fault(rule(text))).await;
        assert_eq!(bench.get(LIST).await.status, status, "{text}");
    }
}

#[tokio::test]
async fn epoch_reset_is_a_time() {
    let bench = Bench::with(|builder| {
        builder
            .fault(rule("create:429"))
            .fault(rule("create:epoch-reset"))
    })
    .await;
    let raw = create(&bench).await;
    let reset = (START + 60).to_string();
    assert_eq!(
        (raw.status(), raw.header("x-ratelimit-reset")),
        (Some(429), Some(reset.as_str()))
    );
    assert_eq!(raw.header("retry-after"), None);
}

#[tokio::test]
async fn slow_responses_follow_the_clock() {
    let second = Duration::from_secs(1);
    let bench = Bench::with(|builder| builder.fault(rule("list:slow-headers=1h"))).await;
    let url = format!("{}{LIST}", bench.sandbox.base_url());
    let mut stream = Raw::open(&bench, "GET", &url, "").await;
    bench.clock.advance(Duration::from_secs(3599));
    while bench
        .sandbox
        .requests()
        .iter()
        .all(|request| request.status().is_none())
    {
        tokio::task::yield_now().await;
    }
    let early = stream.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
    bench.clock.advance(Duration::from_secs(3600));
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(Raw::parse(all).status(), Some(404));

    let bench = Bench::with(|builder| builder.fault(rule("list:slow-body=1s"))).await;
    let url = format!("{}{LIST}", bench.sandbox.base_url());
    let mut stream = Raw::open(&bench, "GET", &url, "").await;
    let mut all = Vec::new();
    while !all.ends_with(b"\r\n\r\n") {
        all.push(stream.read_u8().await.unwrap());
    }
    for piece in 1..=8 {
        bench.clock.advance(second);
        all.push(stream.read_u8().await.unwrap());
        assert_eq!(
            all.last(),
            Some(&Raw::parse(all.clone()).body[(piece - 1) * 4])
        );
        for _ in 0..3 {
            let Ok(byte) = stream.read_u8().await else {
                break;
            };
            all.push(byte);
        }
    }
    assert_eq!(Raw::parse(all).share(), "whole");
}

#[tokio::test]
async fn hang_ends_with_the_sandbox() {
    let bench = Bench::with(|builder| builder.fault(rule("create:hang"))).await;
    let url = format!("{}{PRO}", bench.sandbox.base_url());
    let mut stream = Raw::open(&bench, "POST", &url, &request_body().to_string()).await;
    while bench.sandbox.charges() == 0 {
        tokio::task::yield_now().await;
    }
    let patience = Duration::from_secs(4);
    tokio::time::timeout(patience, bench.sandbox.shutdown())
        .await
        .unwrap();
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
}

#[tokio::test]
async fn on_downloads_have_a_response() {
    let bench = Bench::start().await;
    let (id, url) = bench.completed(&short_request_body()).await;
    let file = TestResponse::to(bench.http.get(&url)).await.body;
    let length = file.len();
    let last = length - 1;
    let cases = [
        ("result:cut=0", format!("0 of {length}"), 0),
        ("result:cut=1", format!("1 of {length}"), 1),
        (
            &format!("result:cut={last}"),
            format!("{last} of {length}"),
            last,
        ),
        (
            "result:cut",
            format!("{} of {length}", length / 2),
            length / 2,
        ),
        ("result#1:truncate=5000", "whole".into(), 5000),
        (
            "result:length=7",
            format!("{length} of {}", length + 7),
            length,
        ),
        ("result:length=-7", "whole".into(), length - 7),
        ("result:content-type=text/html", "whole".into(), length),
    ];
    for (text, share, size) in cases {
        bench.sandbox.inject(rule(text));
        let raw = Raw::send(&bench, "GET", &url, "").await;
        assert_eq!(raw.status(), Some(200), "{text}");
        assert_eq!(raw.share(), share, "{text}");
        assert!(raw.body == file[..size], "{text}");
        bench.sandbox.clear_faults();
    }
    bench.sandbox.inject(rule("result:403"));
    assert_eq!(Raw::send(&bench, "GET", &url, "").await.status(), Some(403));
    bench.sandbox.clear_faults();

    for (text, host) in [
        ("result:redirect@1", "localhost"),
        (
            "result:redirect=https://elsewhere.example/clip.mp4@1",
            "elsewhere.example",
        ),
    ] {
        bench.sandbox.inject(rule(text));
        let raw = Raw::send(&bench, "GET", &url, "").await;
        assert_eq!(raw.status(), Some(307));
        let there = url::Url::parse(raw.header("location").unwrap()).unwrap();
        assert_eq!(there.host_str(), Some(host));
        if host == "localhost" {
            assert_eq!(TestResponse::to(bench.http.get(there)).await.body, file);
        }
        bench.sandbox.clear_faults();
    }

    bench.sandbox.inject(rule("status:expired-url@1"));
    bench.sandbox.inject(rule("status:fresh-url@2"));
    let mut urls = Vec::new();
    bench.clock.advance(Duration::from_secs(3600));
    for status in [403, 200, 403] {
        let url = bench.task(&id).await["generated"][0]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(TestResponse::to(bench.http.get(&url)).await.status, status);
        urls.push(url);
    }
    let now = START + TASK_TIME.as_secs() + 3600;
    assert!(urls[0].contains(&format!("exp={now}~")), "{}", urls[0]);
    assert!(
        urls[1].contains(&format!("exp={}~", now + 3600)),
        "{}",
        urls[1]
    );
    assert_eq!(urls[2], url);
    assert_eq!(bench.sandbox.requests()[0].received_at(), at(0));
}

#[test]
fn invalid_rules_have_an_error() {
    let cases = [
        ("drop", "has no target"),
        ("creat:drop", "unknown fault target `creat`"),
        ("create:dorp", "unknown fault `dorp`"),
        ("create:200", "invalid error status 200"),
        ("create:late", "`late` needs a value"),
        ("create:late=1s", "is impossible at `create`"),
        ("webhook:drop", "is impossible at `webhook`"),
        ("result:empty", "is impossible at `result`"),
        ("create#1:drop", "cannot be used with the target"),
        ("status#0:drop", "invalid task number"),
        ("create:drop@0", "invalid request numbers"),
        ("create:drop@3-2", "invalid request numbers"),
        ("create:drop~1.5", "from 0 to 1"),
        ("create:drop~NaN", "from 0 to 1"),
        ("create:drop=1", "has no value"),
        ("status:slow-body=soon", "invalid duration"),
        ("status:slow-body=2years", "invalid duration"),
        ("result:cut=-1", "invalid number"),
        ("webhook:rotated=whsec_*", "base64"),
        ("create:429=a\nb", "is not a valid header value"),
    ];
    for (text, part) in cases {
        let error = text.parse::<FaultRule>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let built = FaultRule::new(
        FaultMatcher::at(FaultTarget::Api),
        Fault::ContentType("a\nb".into()),
    );
    assert!(built.is_err());
}
