//! The routes for text and images.

use kling_omni_api::Field;
use kling_omni_api::limits::video_request::{IMAGE_URLS, MULTI_PROMPT};
use serde_json::{Value, json};

use crate::harness::{
    Bench, LIST, PRO, STANDARD, STATUS, TASK_TIME, VIDEO_LIST, VIDEO_PRO, VIDEO_REFERENCE,
    VIDEO_STANDARD, VIDEO_STATUS, path_of, request_body,
};

fn shots() -> Value {
    json!({
        "multi_prompt": ["A puppet wakes up", "It climbs the stairs"],
        "image_url": "https://example.com/stage.png?token=secret",
        "elements": [{"frontal_image_url": "https://example.com/puppet.png"}],
        "generate_audio": true,
        "duration": "3",
    })
}

#[tokio::test]
async fn task_is_read_and_listed_in_its_family() {
    let bench = Bench::start().await;
    let mut from_text = vec![];
    let mut from_video = vec![];
    for _ in 0..2 {
        for path in [VIDEO_PRO, VIDEO_STANDARD] {
            from_text.insert(0, bench.create(path, &shots()).await);
        }
        for path in [PRO, STANDARD, VIDEO_REFERENCE] {
            from_video.insert(0, bench.create(path, &request_body()).await);
        }
    }
    for (list, ids) in [(VIDEO_LIST, &from_text), (LIST, &from_video)] {
        let listed = bench.get(list).await.data();
        let listed: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|task| task["task_id"].as_str())
            .collect();
        assert_eq!(listed, *ids, "{list}");
    }
    for (id, here, elsewhere) in [
        (&from_text[0], VIDEO_STATUS, STATUS),
        (&from_video[0], STATUS, VIDEO_STATUS),
    ] {
        assert_eq!(bench.get(&path_of(here, id)).await.status, 200);
        assert_eq!(bench.get(&path_of(elsewhere, id)).await.status, 404);
    }
    assert_eq!(bench.sandbox.charges(), 10);
    assert_eq!(*bench.sandbox.tasks()[0].request(), shots());
}

#[tokio::test]
async fn list_of_a_family_without_tasks_is_the_observed_404() {
    let bench = Bench::start().await;
    bench.create(PRO, &request_body()).await;
    let response = bench.get(VIDEO_LIST).await;
    assert_eq!(response.status, 404);
    assert_eq!(response.text(), r#"{"message":"Tasks not found"}"#);
}

#[tokio::test]
async fn task_completes_with_a_clip() {
    let bench = Bench::start().await;
    let id = bench.create(VIDEO_PRO, &shots()).await;
    let mut seen = vec![];
    for _ in 0..5 {
        let task = bench.get(&path_of(VIDEO_STATUS, &id)).await.data();
        seen.push(task["status"].as_str().unwrap().to_owned());
        bench.clock.advance(TASK_TIME / 4);
    }
    seen.dedup();
    assert_eq!(seen, ["CREATED", "IN_PROGRESS", "COMPLETED"]);
    let task = bench.get(&path_of(VIDEO_STATUS, &id)).await.data();
    let clip = bench.http.get(task["generated"][0].as_str().unwrap());
    let clip = clip.send().await.unwrap();
    assert_eq!(clip.headers()["content-type"], "video/mp4");
    assert_eq!(&clip.bytes().await.unwrap()[4..8], b"ftyp");
}

/// Only schemas are validated, not rules on several fields, which the document has in prose.
#[tokio::test]
async fn lists_are_validated() {
    let image = "https://example.com/one.png";
    let beyond = |list: Field| list.max_items.unwrap() + 1;
    let shots = vec!["x"; beyond(MULTI_PROMPT)];
    let images = vec![image; beyond(IMAGE_URLS)];
    let cases = [
        (json!({ "multi_prompt": shots }), "multi_prompt"),
        (json!({ "image_urls": images }), "image_urls"),
        (json!({"image_urls": [image, "two.png"]}), "image_urls.1"),
        (
            json!({"elements": [{}, {"frontal_image_url": 7}]}),
            "elements.1.frontal_image_url",
        ),
        (json!({"shot_type": "automatic"}), "shot_type"),
    ];
    let bench = Bench::start().await;
    for (body, name) in cases {
        let response = bench.post(VIDEO_PRO, &body).await;
        assert_eq!(response.status, 400, "{body}");
        assert_eq!(response.json()["invalid_params"][0]["name"], name, "{body}");
    }
    assert_eq!(bench.sandbox.charges(), 0);
    bench.create(VIDEO_PRO, &json!({})).await;
}

#[tokio::test]
async fn shot_may_have_a_directive() {
    let bench = Bench::start().await;
    let shots = |shot: &str| json!({"multi_prompt": ["A puppet wakes up", shot]});
    let id = bench
        .create(VIDEO_PRO, &shots("[sandbox:fail=no light]"))
        .await;
    bench.clock.advance(TASK_TIME);
    let task = bench.get(&path_of(VIDEO_STATUS, &id)).await.data();
    assert_eq!(
        (&task["status"], &task["error"]),
        (&json!("FAILED"), &json!("no light"))
    );

    for (body, name) in [
        (shots("[sandbox:explode]"), "multi_prompt"),
        (json!({"prompt": "[sandbox:explode]"}), "prompt"),
    ] {
        let response = bench.post(VIDEO_PRO, &body).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.json()["invalid_params"][0]["name"], name);
    }
}
