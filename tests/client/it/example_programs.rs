//! The example programs `storyboard` and `webhook_to_bucket`, against the sandbox.

#[path = "../../../crates/kling-omni/examples/storyboard/clips.rs"]
mod clips;
#[path = "../../../crates/kling-omni/examples/webhook_to_bucket/inbox.rs"]
mod inbox;

use std::fs;
use std::process::Command;
use std::time::Duration;

use kling_omni::download::VideoStore;
use kling_omni::webhook::{Secret, WebhookReceiver};
use kling_omni::{Client, TextToVideo};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_bucket::Server;
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use self::clips::Storyboard;
use self::inbox::Inbox;

/// Makes the test that needs ffmpeg fail where it is missing.
const NEEDS_FFMPEG: &str = "KLING_OMNI_NEEDS_FFMPEG";

fn has_ffmpeg() -> bool {
    let has_it = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !has_it {
        assert!(
            std::env::var_os(NEEDS_FFMPEG).is_none(),
            "ffmpeg is missing"
        );
        println!("skipped: ffmpeg is missing");
    }
    has_it
}

/// A sandbox, a storyboard, and its folder.
async fn storyboard(ffmpeg: &str) -> (Sandbox, Storyboard, TempDir) {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let storyboard = Storyboard {
        client: client(sandbox.base_url(), &clock).build().unwrap(),
        folder: folder.path().join("clips"),
        ffmpeg: ffmpeg.into(),
    };
    (sandbox, storyboard, folder)
}

fn shots() -> [String; 3] {
    ["A cat wakes up", "It climbs the stairs", "It sleeps"].map(str::to_owned)
}

#[tokio::test]
async fn storyboard_continues_each_clip_with_its_last_frame() {
    if !has_ffmpeg() {
        return;
    }
    let (sandbox, storyboard, _folder) = storyboard("ffmpeg").await;
    // A later run continues, and pays for what is missing.
    let first = storyboard.make(&shots()[..2]).await.unwrap();
    assert_eq!(sandbox.charges(), 2);
    let all = storyboard.make(&shots()).await.unwrap();
    assert_eq!((&all[..2], all.len()), (&first[..], 3));
    let tasks = sandbox.tasks();
    assert_eq!(tasks.len(), 3);
    assert!(tasks[0].request().get("image_url").is_none());
    for (number, task) in (1..).zip(&tasks[1..]) {
        let frame = storyboard.folder.join(format!("shot-{number}.png"));
        let uploaded = sandbox.uploads().into_iter();
        let uploaded = uploaded.filter(|upload| {
            let url = task.request()["image_url"].as_str().unwrap();
            url.contains(upload.id())
        });
        let lengths: Vec<_> = uploaded.map(|upload| upload.length().unwrap()).collect();
        assert_eq!(lengths, [fs::metadata(frame).unwrap().len()], "{number}");
    }
}

#[tokio::test]
async fn storyboard_without_ffmpeg_pays_for_nothing() {
    let (sandbox, storyboard, folder) = storyboard("no-such-ffmpeg").await;
    let error = storyboard.make(&shots()).await.unwrap_err().to_string();
    assert!(
        error.starts_with("ffmpeg cannot be run, install it"),
        "{error}"
    );
    assert_eq!(sandbox.charges(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A sandbox in real time whose tasks are completed at once, and a bucket.
struct WebhookBench {
    sandbox: Sandbox,
    client: Client,
    bucket: Server,
}

impl WebhookBench {
    async fn new() -> Self {
        let sandbox = Sandbox::builder().task_time(Duration::ZERO);
        let sandbox = sandbox.start().await.unwrap();
        let key = kling_omni::ApiKey::new(sandbox.api_key()).unwrap();
        let client = Client::builder().api_key(key).base_url(sandbox.base_url());
        Self {
            client: client.build().unwrap(),
            sandbox,
            bucket: Server::start().await,
        }
    }

    /// Starts the program, and returns its URL and the URLs of the objects that it saves.
    async fn start(&self) -> (String, UnboundedReceiver<String>) {
        let secret = Secret::new(self.sandbox.webhook_secret()).unwrap();
        let inbox = Inbox {
            client: self.client.clone(),
            receiver: WebhookReceiver::new(secret),
            store: VideoStore::from_s3(self.bucket.settings()),
            folder: "s3://clips/made".to_owned(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = format!("http://{}{}", listener.local_addr().unwrap(), inbox::PATH);
        let router = inbox.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (saved, objects) = mpsc::unbounded_channel();
        tokio::spawn(inbox.run(saved));
        (hook, objects)
    }

    /// Creates a task, and returns the URL of the object of its video.
    async fn create(&self, hook: Option<&str>) -> String {
        let mut request = TextToVideo::builder().prompt("It rains").duration(3);
        if let Some(hook) = hook {
            request = request.webhook_url(hook);
        }
        let task = self.client.create(request.build().unwrap()).await.unwrap();
        format!("s3://clips/made/{}.mp4", task.id())
    }
}

#[tokio::test]
async fn delivered_video_is_saved_in_the_bucket() {
    let bench = WebhookBench::new().await;
    // What was completed while the program was not running is saved, too.
    let missed = bench.create(None).await;
    let (hook, mut objects) = bench.start().await;
    assert_eq!(objects.recv().await, Some(missed));
    for _ in 0..3 {
        let delivered = bench.create(Some(&hook)).await;
        assert_eq!(objects.recv().await, Some(delivered));
    }
    assert_eq!(bench.bucket.objects().len(), 4);
    // A later start finds all objects.
    let (hook, mut objects) = bench.start().await;
    let delivered = bench.create(Some(&hook)).await;
    assert_eq!(objects.recv().await, Some(delivered));
    assert_eq!(bench.bucket.objects().len(), 5);
    assert!(bench.bucket.parts().is_empty());
}
