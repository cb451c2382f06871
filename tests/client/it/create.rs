//! Creates: routes, tiers, bodies, and the fallback to the successor route.

use kling_omni::request::{AspectRatio, Route};
use kling_omni::validation::FindingCode;
use kling_omni::{Charged, ErrorKind, Tier};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

const V1: &str = "POST /v1/ai/video/kling-v3-omni-pro/video-reference";
const R1: &str = "POST /v1/ai/reference-to-video/kling-v3-omni-pro";
const R2: &str = "POST /v1/ai/reference-to-video/kling-v3-omni-std";

#[tokio::test]
async fn route_and_tier_choose_the_path() {
    let gone = || Reply::json(404, r#"{"message":"Not found"}"#);
    let good = || Reply::json(200, &task("a", "CREATED", &[]));
    let cases = [
        (Route::Auto, Tier::Pro, vec![good()], vec![V1, V1]),
        (
            Route::Auto,
            Tier::Pro,
            vec![gone(), good()],
            vec![V1, R1, R1],
        ),
        (Route::Auto, Tier::Standard, vec![good()], vec![R2, R2]),
        (Route::VideoReference, Tier::Pro, vec![good()], vec![V1, V1]),
        (
            Route::ReferenceToVideo,
            Tier::Pro,
            vec![good()],
            vec![R1, R1],
        ),
        (
            Route::ReferenceToVideo,
            Tier::Standard,
            vec![good()],
            vec![R2, R2],
        ),
    ];
    for (route, tier, replies, lines) in cases {
        let fake = Fake::start(replies).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock)
            .route(route)
            .build()
            .unwrap();
        for _ in 0..2 {
            client
                .create(valid_request().tier(tier).build().unwrap())
                .await
                .unwrap();
        }
        let sent_request: Vec<_> = fake
            .requests()
            .into_iter()
            .map(|sent_request| sent_request.line)
            .collect();
        assert_eq!(sent_request, lines, "{route} {tier}");
    }
}

#[tokio::test]
async fn auto_route_falls_back_only_on_404_405_and_410() {
    for (status, falls_back) in [
        (404, true),
        (405, true),
        (410, true),
        (400, false),
        (401, false),
        (403, false),
        (500, false),
    ] {
        let good = Reply::json(200, &task("a", "CREATED", &[]));
        let fake = Fake::start(vec![Reply::http(status, &[], ""), good]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let result = client.create(valid_request().build().unwrap()).await;
        assert_eq!(result.is_ok(), falls_back, "{status}");
        assert_eq!(
            fake.requests().len(),
            if falls_back { 2 } else { 1 },
            "{status}"
        );
    }
}

#[tokio::test]
async fn pinned_route_never_falls_back() {
    for route in [Route::VideoReference, Route::ReferenceToVideo] {
        let fake = Fake::start(vec![Reply::http(404, &[], "")]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let error = client
            .create(valid_request().build().unwrap())
            .route(route)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.charged(), Charged::No);
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test]
async fn route_limits_are_checked_before_sending() {
    let strict = || valid_request().cfg_scale(1.5);
    let without_video = || kling_omni::VideoReference::builder().prompt("A slow river");
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    for (request, route, code) in [
        (strict(), Route::VideoReference, None),
        (strict(), Route::Auto, None),
        (
            strict(),
            Route::ReferenceToVideo,
            Some(FindingCode::AboveMaximum),
        ),
        (without_video(), Route::VideoReference, None),
        (
            without_video(),
            Route::ReferenceToVideo,
            Some(FindingCode::MissingField),
        ),
        (
            valid_request().tier(Tier::Standard),
            Route::VideoReference,
            Some(FindingCode::UnsupportedTier),
        ),
    ] {
        let before = sandbox.requests().len();
        let result = client.create(request.build().unwrap()).route(route).await;
        let Some(code) = code else {
            result.unwrap();
            continue;
        };
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation);
        assert_eq!(error.charged(), Charged::No);
        assert_eq!(
            error
                .findings()
                .iter()
                .map(|finding| finding.code())
                .collect::<Vec<_>>(),
            [code]
        );
        assert_eq!(sandbox.requests().len(), before, "nothing is sent");
    }
}

#[tokio::test]
async fn request_invalid_on_the_successor_does_not_fall_back() {
    let clock = VirtualClock::new();
    let fake = Fake::start(vec![Reply::http(404, &[], "")]).await;
    let client = client(fake.base_url(), &clock).build().unwrap();
    let error = client
        .create(valid_request().cfg_scale(1.5).build().unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn body_omits_unset_fields_and_keeps_zero() {
    let clock = VirtualClock::new();
    let fake = Fake::start(vec![Reply::json(200, &task("a", "CREATED", &[]))]).await;
    let client = client(fake.base_url(), &clock).build().unwrap();
    client
        .create(valid_request().cfg_scale(0.0).build().unwrap())
        .await
        .unwrap();
    let all = valid_request()
        .start_frame("https://example.com/stage.png")
        .duration(8)
        .aspect_ratio(AspectRatio::Widescreen)
        .cfg_scale(0.3)
        .negative_prompt("text")
        .webhook_url("https://example.com/hook");
    client.create(all.build().unwrap()).await.unwrap();
    let sent_request = fake.requests();
    let sent: Vec<serde_json::Value> = sent_request
        .iter()
        .map(|sent_request| serde_json::from_str(&sent_request.body).unwrap())
        .collect();
    let least = serde_json::json!({
        "prompt": "The dancer of @Video1 as a paper puppet on a moonlit stage",
        "video_url": "https://example.com/dance.mp4",
        "cfg_scale": 0.0,
    });
    assert_eq!(sent[0], least);
    assert!(
        sent_request[1].body.contains("\"cfg_scale\":0.3"),
        "{}",
        sent_request[1].body
    );
    assert_eq!(sent[1]["duration"], "8");
    assert_eq!(sent[1].as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn unchecked_body_is_sent_unchanged() {
    let clock = VirtualClock::new();
    let fake = Fake::start(vec![Reply::json(200, &task("a", "CREATED", &[]))]).await;
    let client = client(fake.base_url(), &clock).build().unwrap();
    let mut body = valid_request().duration(99).to_unchecked_body();
    body["new_field"] = serde_json::json!([1, 2]);
    client
        .create_unchecked(Tier::Standard, body.clone())
        .await
        .unwrap();
    let [sent_request] = &fake.requests()[..] else {
        panic!()
    };
    assert_eq!(sent_request.line, R2);
    assert_eq!(
        sent_request.header("content-type"),
        Some("application/json")
    );
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&sent_request.body).unwrap(),
        body
    );
}

#[tokio::test]
async fn create_charges_once_and_returns_the_task() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let task = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();
    assert_eq!(sandbox.charges(), 1);
    assert_eq!(
        task.status(),
        Some(kling_omni::polling::TaskStatus::Created)
    );
    assert!(task.request_id().unwrap().starts_with("ak-"));
    assert_eq!(
        client.task(task.id()).refresh().await.unwrap().id(),
        task.id()
    );
}

#[tokio::test]
async fn id_in_an_unexpected_response_is_used() {
    for (status, body, has_state) in [
        (201, task("a", "CREATED", &[]), true),
        (202, task("a", "CREATED", &[]), true),
        (
            200,
            r#"{"data":{"task_id":"a","status":"CREATED","error":{"code":1}}}"#.to_owned(),
            false,
        ),
        (200, r#"{"data":{"task_id":"a"}}"#.to_owned(), false),
        (
            200,
            r#"{"task_id":"a","status":"CREATED"}"#.to_owned(),
            false,
        ),
    ] {
        let fake = Fake::start(vec![Reply::json(status, &body)]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let task = client
            .create(valid_request().build().unwrap())
            .await
            .expect(&body);
        assert_eq!(task.id(), "a", "{body}");
        assert_eq!(task.state().is_some(), has_state, "{body}");
    }
}

#[tokio::test]
async fn rejection_by_the_successor_names_the_missing_route() {
    let fake = Fake::start(vec![Reply::http(410, &[], "")]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let request = kling_omni::VideoReference::builder().prompt("A slow river");
    let request = request.build().unwrap();
    assert_eq!(
        request.warnings()[0].code(),
        FindingCode::RejectedBySuccessor
    );
    let error = client.create(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Validation);
    assert_eq!(error.status(), Some(410));
    assert!(
        error
            .to_string()
            .starts_with("the older route no longer exists"),
        "{error}"
    );
}
