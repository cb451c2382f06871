//! Each operation's request, byte for byte as it leaves.

use std::fmt::Write as _;

use kling_omni::{ApiKey, AspectRatio, Client, Route, Tier, VideoReference};
use kling_omni_tests::fake::{Asked, Fake, Reply};
use kling_omni_tests::snapshots::{Kind, Snapshots};

const KEY: &str = "FPSX-wire";

#[derive(Clone, Copy)]
enum Call {
    Create(Route, Tier, fn() -> VideoReference),
    Unchecked,
    Status(usize),
    List(Option<(u32, u32)>),
    Download,
}

fn least() -> VideoReference {
    VideoReference::builder()
        .prompt("A slow river at dawn")
        .reference_video("https://example.com/river.mp4")
        .build()
        .unwrap()
}

fn everything() -> VideoReference {
    VideoReference::builder()
        .prompt("The dancer of @Video1 as a \"paper\" puppet, naïve & moonlit")
        .reference_video("https://example.com/dance.mp4?sig=a%2Fb")
        .start_frame("https://example.com/stage.png")
        .duration(8)
        .aspect_ratio(AspectRatio::Portrait)
        .cfg_scale(0.7)
        .negative_prompt("text, watermark")
        .webhook_url("https://example.com/hook")
        .build()
        .unwrap()
}

#[tokio::test]
async fn every_operation_sends_what_its_snapshot_says() {
    let cases = [
        (
            "create.video-reference",
            Call::Create(Route::VideoReference, Tier::Pro, everything),
        ),
        (
            "create.video-reference.least",
            Call::Create(Route::VideoReference, Tier::Pro, least),
        ),
        (
            "create.reference-to-video.pro",
            Call::Create(Route::ReferenceToVideo, Tier::Pro, everything),
        ),
        (
            "create.reference-to-video.standard",
            Call::Create(Route::ReferenceToVideo, Tier::Standard, least),
        ),
        ("create.unchecked", Call::Unchecked),
        ("status.reference-to-video", Call::Status(0)),
        ("status.video", Call::Status(1)),
        ("list", Call::List(None)),
        ("list.page", Call::List(Some((2, 50)))),
        ("download", Call::Download),
    ];
    let mut snapshots = Snapshots::of(Kind::Wire);
    for (name, call) in cases {
        snapshots.check(name, &render(&sent(call).await));
    }
    snapshots.finish();
}

/// The request that a call makes; of two, the one asked for.
async fn sent(call: Call) -> Asked {
    let task = r#"{"data":{"task_id":"a","status":"CREATED","generated":[]}}"#;
    let missing = Reply::json(404, r#"{"message":"Task not found"}"#);
    let (replies, which) = match call {
        Call::Status(at) => (vec![missing, Reply::json(200, task)], at),
        Call::List(_) => (vec![Reply::json(200, r#"{"data":[]}"#)], 0),
        _ => (vec![Reply::json(200, task)], 0),
    };
    let fake = Fake::start(replies).await;
    let client = client_for(&fake);
    match call {
        Call::Create(route, tier, request) => {
            let mut request = serde_json::to_value(request()).unwrap();
            request["tier"] = tier.as_str().into();
            let request: VideoReference = serde_json::from_value(request).unwrap();
            client.create(request).route(route).await.unwrap();
        }
        Call::Unchecked => {
            let body = serde_json::json!({"prompt": "A slow river", "duration": "20"});
            client.create_unchecked(Tier::Pro, body).await.unwrap();
        }
        Call::Status(_) => drop(client.task("a").refresh().await.unwrap()),
        Call::List(None) => drop(client.list().await.unwrap()),
        Call::List(Some((page, size))) => {
            drop(client.list().page(page).page_size(size).await.unwrap());
        }
        Call::Download => return downloaded().await,
    }
    fake.asked().swap_remove(which)
}

fn client_for(fake: &Fake) -> Client {
    Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(fake.base_url())
        .build()
        .unwrap()
}

async fn downloaded() -> Asked {
    let host = Fake::start(vec![Reply::http(200, &[], "x")]).await;
    let url = format!(
        "{}/kling_a.mp4?token=exp=1800003600~hmac=00",
        host.base_url()
    );
    let body =
        serde_json::json!({"data": {"task_id": "a", "status": "COMPLETED", "generated": [url]}});
    let api = Fake::start(vec![Reply::json(200, &body.to_string())]).await;
    let video = client_for(&api).task("a").wait().await.unwrap();
    drop(video.download().await.unwrap());
    host.asked().swap_remove(0)
}

fn render(asked: &Asked) -> String {
    let mut text = format!("{}\n", asked.line);
    let mut headers = asked.headers.clone();
    headers.sort();
    for (name, value) in headers {
        let value = match name.as_str() {
            "host" => "[host]",
            "user-agent" => value.split_once('/').map_or("[agent]", |(name, _)| name),
            "x-freepik-api-key" if value == KEY => "[key]",
            _ => &value,
        };
        writeln!(text, "{name}: {value}").unwrap();
    }
    text.push('\n');
    text.push_str(&asked.body);
    text
}
