//! Tasks from text and images: routes, tiers, status and list.

use std::time::Duration;

use kling_omni::polling::TaskStatus;
use kling_omni::request::{Element, Route, TextToVideoBuilder};
use kling_omni::{Charged, ErrorKind, Mode, TextToVideo, Tier};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::json;

const S1: &str = "POST /v1/ai/video/kling-v3-omni-pro";
const S2: &str = "POST /v1/ai/video/kling-v3-omni-std";
const S4: &str = "GET /v1/ai/video/kling-v3-omni/a";

fn staircase() -> TextToVideoBuilder {
    TextToVideo::builder()
        .shot("@Element1 wakes up")
        .shot("@Element1 climbs the stairs")
        .element(Element::new().frontal_image("https://example.com/puppet.png"))
        .generate_audio(true)
}

/// Each tier has one route, regardless of the setting for reference videos, and one path to read its tasks.
#[tokio::test]
async fn tier_chooses_the_path() {
    for route in Route::ALL {
        for (tier, line) in [(Tier::Pro, S1), (Tier::Standard, S2)] {
            let created = Reply::json(200, &task("a", "CREATED", &[]));
            let fake = Fake::start(vec![created]).await;
            let clock = VirtualClock::new();
            let client = client(fake.base_url(), &clock).route(*route);
            let client = client.build().unwrap();
            let request = staircase().tier(tier).build().unwrap();
            let task = client.create(request).await.unwrap();
            task.refresh().await.unwrap();
            let asked: Vec<_> = fake
                .requests()
                .into_iter()
                .map(|asked| asked.line)
                .collect();
            assert_eq!(asked, [line, S4], "{route} {tier}");
        }
    }
}

#[tokio::test]
async fn missing_route_has_no_fallback() {
    for status in [404, 405, 410] {
        let fake = Fake::start(vec![Reply::json(status, r#"{"message":"Not found"}"#)]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let error = client
            .create(staircase().build().unwrap())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::NotFound, Charged::No)
        );
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test]
async fn modes_have_separate_lists() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    assert_eq!(client.list().mode(Mode::Text).await.unwrap(), []);
    let from_text = client.create(staircase().build().unwrap()).await.unwrap();
    let from_video = client
        .create(valid_request().build().unwrap())
        .await
        .unwrap();

    for (mode, task) in [(Mode::Text, &from_text), (Mode::Reference, &from_video)] {
        let listed = client.list().mode(mode).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(listed, [task.id()], "{mode}");
    }
    assert_eq!(from_text.status(), Some(TaskStatus::Created));
    let video = from_text.wait().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let saved = video.save(folder.path().join("stairs.mp4")).await.unwrap();
    assert!(saved.bytes > 0);
    assert_eq!(sandbox.charges(), 2);
}

/// An id does not contain its mode: the status routes are tried in turn, and the matching one is used from then on.
#[tokio::test]
async fn task_is_found_by_id_alone() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let created = client.create(staircase().build().unwrap()).await.unwrap();
    let again = client.task(created.id());
    for _ in 0..2 {
        again.refresh().await.unwrap();
    }
    let requests = sandbox.requests();
    let operations: Vec<_> = requests
        .iter()
        .filter_map(|request| request.operation_id())
        .collect();
    assert_eq!(
        operations,
        [
            "createVideoPro",
            "getReferenceToVideoTask",
            "getVideoTask",
            "getVideoTask"
        ]
    );
    again
        .wait()
        .timeout(Duration::from_secs(600))
        .await
        .unwrap();
}

#[tokio::test]
async fn unsupported_settings_of_a_mode_are_rejected() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let list = || client.list().mode(Mode::Text);
    for call in [list().page(1), list().page_size(5), list().page(0)] {
        let error = call.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{error}");
    }
    let create = client.create(staircase().build().unwrap());
    let error = create.mode(Mode::Reference).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
    assert_eq!(error.charged(), Charged::No);
    assert!(sandbox.requests().is_empty());
}

#[tokio::test]
async fn unchecked_body_is_sent_to_the_set_mode() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let body = json!({"prompt": "A river", "multi_prompt": ["A lake"], "image_url": "https://example.com/one.png"});
    let create = client.create_unchecked(Tier::Standard, body.clone());
    create.mode(Mode::Text).await.unwrap();
    let requests = sandbox.requests();
    assert_eq!(requests[0].operation_id(), Some("createVideoStd"));
    assert_eq!(requests[0].json(), Some(body));
}
