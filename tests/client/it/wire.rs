//! Snapshots of the request of each operation as it is sent.

use std::fmt::Write as _;

use crate::snapshots;
use kling_omni::request::{AspectRatio, Element, Route, ShotType};
use kling_omni::{ApiKey, Client, Mode, TextToVideo, Tier, VideoReference};
use kling_omni_api::tasks::{TaskCreate, TaskRead};
use kling_omni_test_support::fake::{Fake, Reply, Request};
use kling_omni_test_support::spec::{example, is_called, offered_creates};

const KEY: &str = "FPSX-wire";

#[derive(Clone, Copy)]
enum Call {
    Create(Route, Tier, fn() -> VideoReference),
    FromText(Tier),
    Unchecked(Mode),
    /// The example of the document.
    Example(TaskCreate),
    Status(usize),
    Page(u32, u32),
    Download,
}

fn minimal() -> VideoReference {
    VideoReference::builder()
        .prompt("A slow river at dawn")
        .reference_video("https://example.com/river.mp4")
        .build()
        .unwrap()
}

fn all_fields() -> VideoReference {
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

/// All fields that can be combined, by tier.
fn from_text(tier: Tier) -> TextToVideo {
    let request = TextToVideo::builder()
        .duration(12)
        .aspect_ratio(AspectRatio::Auto)
        .webhook_url("https://example.com/hook")
        .tier(tier);
    let request = match tier {
        Tier::Pro => request
            .shot("@Element1 wakes \"up\"")
            .shot("@Element1 and @Element2 as in @Image1")
            .shot_type(ShotType::Customize)
            .start_frame("https://example.com/stage.png")
            .reference_image("https://example.com/paper.png?sig=a%2Fb")
            .element(
                Element::new()
                    .frontal_image("https://example.com/puppet.png")
                    .reference_image("https://example.com/left.png")
                    .reference_image("https://example.com/right.png"),
            )
            .element(Element::new().reference_image("https://example.com/moon.png"))
            .generate_audio(true),
        _ => request
            .prompt("The curtain falls")
            .first_frame("https://example.com/stage.png")
            .end_frame("https://example.com/curtain.png")
            .generate_audio(false),
    };
    request.deny_warnings(true).build().unwrap()
}

#[tokio::test]
async fn requests_match_their_snapshots() {
    let cases: &[(&str, Call)] = &[
        (
            "create.video-reference",
            Call::Create(Route::VideoReference, Tier::Pro, all_fields),
        ),
        (
            "create.video-reference.least",
            Call::Create(Route::VideoReference, Tier::Pro, minimal),
        ),
        (
            "create.reference-to-video.pro",
            Call::Create(Route::ReferenceToVideo, Tier::Pro, all_fields),
        ),
        (
            "create.reference-to-video.standard",
            Call::Create(Route::ReferenceToVideo, Tier::Standard, minimal),
        ),
        ("create.video.pro", Call::FromText(Tier::Pro)),
        ("create.video.standard", Call::FromText(Tier::Standard)),
        ("create.unchecked", Call::Unchecked(Mode::Reference)),
        ("create.unchecked.text", Call::Unchecked(Mode::Text)),
        ("list.page", Call::Page(2, 50)),
        ("download", Call::Download),
    ];
    let mut snapshots = snapshots("wire");
    let mut lines = Vec::new();
    for (name, call) in cases {
        let request = sent(*call).await;
        snapshots.check(name, &render(&request));
        lines.push(request.line);
    }
    for create in offered_creates() {
        let spec = create.spec();
        let is_sent = lines.contains(&format!("POST {}", spec.operation.path));
        if !is_sent {
            let request = sent(Call::Example(create)).await;
            snapshots.check(&format!("create.{}", spec.name), &render(&request));
        }
    }
    let reads = TaskRead::ALL.iter().map(|read| read.spec());
    for (at, read) in reads.filter(|read| is_called(&read.operation)).enumerate() {
        let request = sent(Call::Status(at)).await;
        snapshots.check(&format!("status.{}", read.family), &render(&request));
    }
    for mode in Mode::ALL {
        let empty = || Reply::json(200, r#"{"data":[]}"#);
        let fake = Fake::start(Tier::ALL.iter().map(|_| empty()).collect()).await;
        client_for(&fake).list().mode(*mode).await.unwrap();
        let requests: Vec<_> = fake.requests().iter().map(render).collect();
        snapshots.check(&format!("list.{mode}"), &requests.join("\n\n"));
    }
    snapshots.finish();
}

/// The request of a call; if it sends two, the one to compare.
async fn sent(call: Call) -> Request {
    let task = r#"{"data":{"task_id":"a","status":"CREATED","generated":[]}}"#;
    let missing = Reply::json(404, r#"{"message":"Task not found"}"#);
    let (replies, which) = match call {
        Call::Status(at) => {
            let mut replies = vec![missing; at];
            replies.push(Reply::json(200, task));
            (replies, at)
        }
        Call::Page(..) => (vec![Reply::json(200, r#"{"data":[]}"#)], 0),
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
        Call::FromText(tier) => drop(client.create(from_text(tier)).await.unwrap()),
        Call::Unchecked(mode) => {
            let body = serde_json::json!({"prompt": "A slow river", "duration": "20"});
            let create = client.create_unchecked(Tier::Pro, body);
            create.mode(mode).await.unwrap();
        }
        Call::Status(_) => drop(client.task("a").refresh().await.unwrap()),
        Call::Example(create) => {
            let request = example(create).expect("an offered create").build();
            drop(client.create(request.unwrap()).await.unwrap());
        }
        Call::Page(page, size) => {
            drop(client.list().page(page).page_size(size).await.unwrap());
        }
        Call::Download => return downloaded().await,
    }
    fake.requests().swap_remove(which)
}

fn client_for(fake: &Fake) -> Client {
    Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(fake.base_url())
        .build()
        .unwrap()
}

async fn downloaded() -> Request {
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
    host.requests().swap_remove(0)
}

fn render(asked: &Request) -> String {
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
