//! Snapshots of error texts.

use std::fmt::Write as _;
use std::time::Duration;

use crate::snapshots;
use kling_omni::request::{AspectRatio, Element, ShotType};
use kling_omni::upload::FileSource;
use kling_omni::validation::ValidationError;
use kling_omni::{Client, Error, TextToVideo, Tier, VideoReference};
use kling_omni_api::limits::video_reference_request::{
    CFG_SCALE, DURATION, NEGATIVE_PROMPT, PROMPT,
};
use kling_omni_api::limits::video_request::{self, ELEMENTS, MULTI_PROMPT};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{ClosedPort, Fake, Reply};
use kling_omni_test_support::setup::{SHORT, client, sandbox, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;

/// Appends an error: its kind, its charge, whether it is retryable, its text, and its help.
fn append_error(text: &mut String, case: &str, error: &Error) {
    let (kind, charged) = (error.kind(), error.charged());
    let retryable = match error.is_retryable() {
        true => ", retryable",
        false => "",
    };
    writeln!(
        text,
        "# {case} ({kind:?}, charged: {charged}{retryable})\n{error}"
    )
    .unwrap();
    if let Some(help) = error.help() {
        writeln!(text, "help: {help}").unwrap();
    }
}

fn too_long() -> String {
    let limits = [PROMPT, NEGATIVE_PROMPT, video_request::PROMPT];
    let longest = limits.iter().filter_map(|field| field.max_length).max();
    "x".repeat(2 * longest.unwrap())
}

fn too_many_seconds() -> u32 {
    let lengths = DURATION.values.iter().map(|value| value.parse::<u32>());
    4 * lengths.map(Result::unwrap).max().unwrap()
}

/// The number of violated rules. A changed limit must not make a part of the request valid.
fn violated_rules(error: &ValidationError) -> usize {
    let findings = error.findings().iter();
    findings.filter(|finding| finding.is_error()).count()
}

#[test]
fn validation() {
    let long = too_long();
    let cases = [
        (
            "everything wrong at once",
            valid_request()
                .prompt(&long)
                .reference_video("dance.mp4")
                .start_frame("ftp://example.com/stage.png?token=secret")
                .duration(too_many_seconds())
                .cfg_scale(CFG_SCALE.maximum.unwrap() + 7.5)
                .negative_prompt(&long)
                .webhook_url("https://"),
        ),
        (
            "URLs without a host",
            valid_request()
                .reference_video("https:/example.com/dance.mp4")
                .start_frame("http:example.com/stage.png")
                .webhook_url("http:///hook"),
        ),
        (
            "URLs that need escaping",
            valid_request()
                .reference_video("https://example.com/my dance.mp4?token=secret")
                .start_frame("https://example.com/büh[ne.png"),
        ),
        (
            "a field that only this tier requires",
            VideoReference::builder()
                .prompt("A river")
                .tier(Tier::Standard),
        ),
        ("no number", valid_request().cfg_scale(f64::NAN)),
        (
            "warnings alone, denied",
            VideoReference::builder()
                .prompt("Like @video1 and @Video2, then @Video2 again")
                .reference_video("https://example.com/dance.webm")
                .start_frame("https://example.com/stage.gif")
                .cfg_scale(1.5)
                .deny_warnings(true),
        ),
        (
            "nothing to go by, denied",
            VideoReference::builder()
                .aspect_ratio(AspectRatio::Auto)
                .deny_warnings(true),
        ),
    ];
    let mut text = String::new();
    for (case, builder) in cases {
        let error = builder.build().expect_err(case);
        if case == "everything wrong at once" {
            // Of eight fields, only the aspect ratio cannot be wrong.
            assert_eq!(violated_rules(&error), 7);
        }
        append_error(&mut text, case, &error.into());
    }
    let mut snapshots = snapshots("errors");
    snapshots.check("validation", &text);
    snapshots.finish();
}

#[test]
fn validation_of_text() {
    let image = "https://example.com/one.png";
    let shots = MULTI_PROMPT.max_items.unwrap();
    let too_many_shots = (0..=shots).fold(TextToVideo::builder(), |all, n| {
        all.shot(format!("Shot {n}"))
    });
    let cases = [
        (
            "everything wrong at once",
            too_many_shots
                .prompt(too_long())
                .start_frame("stage.png")
                .first_frame("https://example.com/my stage.png?token=secret")
                .end_frame("ftp://example.com/curtain.png?token=secret")
                .reference_image(image)
                .reference_image("paper.png")
                .element(
                    Element::new()
                        .frontal_image("puppet.png")
                        .reference_image(image),
                )
                .element(
                    Element::new()
                        .reference_image(image)
                        .reference_image("side.png"),
                )
                .duration(too_many_seconds())
                .webhook_url("https://"),
        ),
        ("nothing to show", TextToVideo::builder().start_frame(image)),
        (
            "too many images and elements together",
            (0..=ELEMENTS.max_items.unwrap() / 2).fold(
                TextToVideo::builder().prompt("A lake"),
                |all, _| {
                    let element = Element::new().frontal_image(image);
                    all.reference_image(image).element(element)
                },
            ),
        ),
        (
            "warnings alone, denied",
            TextToVideo::builder()
                .prompt(" ")
                .shot("@element1 and @Element2 like @Image")
                .shot("")
                .shot("@Video1")
                .end_frame(image)
                .element(Element::new())
                .aspect_ratio(AspectRatio::Auto)
                .deny_warnings(true),
        ),
        (
            "frames and references that do not fit, denied",
            TextToVideo::builder()
                .prompt("A lake")
                .shot_type(ShotType::Customize)
                .start_frame("https://example.com/one.gif")
                .first_frame(image)
                .reference_image(image)
                .deny_warnings(true),
        ),
    ];
    let mut text = String::new();
    for (case, builder) in cases {
        let error = builder.build().expect_err(case);
        if case == "everything wrong at once" {
            assert_eq!(violated_rules(&error), 11);
        }
        append_error(&mut text, case, &error.into());
    }
    let mut snapshots = snapshots("errors");
    snapshots.check("validation-of-text", &text);
    snapshots.finish();
}

#[test]
fn request_files() {
    let mut text = String::new();
    for json in [
        r#"{"prompt": "A river", "duration": "8", "prompt_typo": 1}"#,
        r#"{"prompt": "A river", "duration": "eight"}"#,
        r#"{"prompt": "A river", "duration": 8.5}"#,
        r#"{"prompt": "A river", "aspect_ratio": "4:3"}"#,
        r#"{"prompt": "A river", "duration": 99, "cfg_scale": -1}"#,
        r#"["A river"]"#,
    ] {
        let error = serde_json::from_str::<VideoReference>(json).expect_err(json);
        writeln!(text, "# {json}\n{error}\n").unwrap();
    }
    let mut snapshots = snapshots("errors");
    snapshots.check("request-file", &text);
    snapshots.finish();
}

#[tokio::test]
async fn create() {
    let page = "<html><body>Sorry</body></html>";
    let mut text = String::new();
    for (case, reply) in [
        (
            "wrong key",
            Reply::json(401, r#"{"message":"Invalid API key"}"#),
        ),
        (
            "no credits",
            Reply::json(402, r#"{"message":"Insufficient credits"}"#),
        ),
        (
            "not allowed",
            Reply::json(403, r#"{"message":"Not part of this plan"}"#),
        ),
        (
            "plan limit",
            Reply::json(
                429,
                r#"{"message":"Free trial usage limit reached. Upgrade to continue"}"#,
            ),
        ),
        (
            "fields refused",
            Reply::json(
                400,
                r#"{"message":"Invalid","invalid_params":[{"field":"duration","reason":"is too long"}]}"#,
            ),
        ),
        (
            "a fraction of a second to wait",
            Reply::http(429, &[("retry-after", "292.05")], ""),
        ),
        (
            "refused",
            Reply::json(
                400,
                r#"{"message":"Your request did not validate","invalid_params":[{"name":"duration","reason":"is too long"},{"name":"prompt","reason":"is empty"}]}"#,
            ),
        ),
        ("no route", Reply::json(404, r#"{"message":"Not found"}"#)),
        (
            "rate limit",
            Reply::http(429, &[("retry-after", "3600")], ""),
        ),
        ("server", Reply::http(503, &[], page)),
        ("no JSON", Reply::http(200, &[], page)),
        ("another shape", Reply::json(200, r#"{"task":1}"#)),
        ("lost", Reply::Drop),
        ("slow", Reply::hang()),
    ] {
        let fake = Fake::start(vec![reply]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock)
            .attempt_timeout(SHORT)
            .build()
            .unwrap();
        let error = client
            .create(valid_request().build().unwrap())
            .await
            .expect_err(case);
        append_error(&mut text, case, &error);
    }
    let closed = ClosedPort::new();
    let url = closed.url();
    let unreachable = client(&url, &VirtualClock::new()).build().unwrap();
    let error = unreachable
        .create(valid_request().build().unwrap())
        .await
        .unwrap_err();
    append_error(&mut text, "unreachable", &error);
    let text = text.replace(&url, "http://[host]");
    let mut snapshots = snapshots("errors");
    snapshots.check("create", &text);
    snapshots.finish();
}

#[tokio::test]
async fn wait() {
    let mut text = String::new();
    let state = |status| Reply::json(200, &task("046b6c7f", status, &[]));
    for (case, reply) in [
        (
            "failed",
            Reply::json(
                200,
                r#"{"data":{"task_id":"046b6c7f","status":"FAILED","generated":[],"error":"The reference video could not be read"}}"#,
            ),
        ),
        ("failed without a reason", state("FAILED")),
        ("no result", state("COMPLETED")),
        ("time is up", state("IN_PROGRESS")),
        ("unknown status", state("PAUSED")),
        ("no status received", Reply::Drop),
        (
            "not found",
            Reply::json(404, r#"{"message":"Task not found"}"#),
        ),
    ] {
        let fake = Fake::start(vec![reply]).await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let wait = client
            .task("046b6c7f")
            .wait()
            .timeout(Duration::from_secs(900));
        append_error(&mut text, case, &wait.await.expect_err(case));
    }
    let mut snapshots = snapshots("errors");
    snapshots.check("wait", &text);
    snapshots.finish();
}

#[tokio::test]
async fn download() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken.mp4");
    std::fs::write(&taken, "").unwrap();
    let mut text = String::new();
    for (case, reply, path) in [
        ("expired", Reply::http(403, &[], ""), "clip.mp4"),
        ("broken host", Reply::http(500, &[], ""), "clip.mp4"),
        (
            "no MP4",
            Reply::http(200, &[], "<html>Sorry</html>"),
            "clip.mp4",
        ),
        (
            "cut short",
            Reply::cut(200, 9_000, &mp4(8_000)[..4_044]),
            "clip.mp4",
        ),
        (
            "stalled",
            Reply::slow(200, 9_000, &mp4(8_000)[..4_044]),
            "clip.mp4",
        ),
        (
            "no video in it",
            Reply::http(200, &[], &mp4(0)[..36]),
            "clip.mp4",
        ),
        (
            "an hour to wait",
            Reply::http(503, &[("retry-after", "3600")], ""),
            "clip.mp4",
        ),
        (
            "led in circles",
            Reply::http(302, &[("location", "/again")], ""),
            "clip.mp4",
        ),
        ("file exists", Reply::Drop, "taken.mp4"),
        ("no folder", Reply::Drop, "missing/clip.mp4"),
    ] {
        let host = Fake::start(vec![reply]).await;
        let url = format!(
            "{}/kling_a.mp4?token=exp=1799999000~hmac=00",
            host.base_url()
        );
        let api = Fake::start(vec![Reply::json(
            200,
            &task("046b6c7f", "COMPLETED", &[&url]),
        )])
        .await;
        let clock = VirtualClock::new();
        let client = client(api.base_url(), &clock)
            .read_timeout(SHORT)
            .build()
            .unwrap();
        let video = client.task("046b6c7f").wait().await.unwrap();
        let error = video.save(folder.path().join(path)).await.expect_err(case);
        append_error(&mut text, case, &error);
    }
    let text = text.replace(&*folder.path().to_string_lossy(), "[folder]");
    let mut snapshots = snapshots("errors");
    snapshots.check("download", &text);
    snapshots.finish();
}

#[tokio::test]
async fn upload() {
    let mp4 = || FileSource::bytes("clip", "video/mp4");
    let mut text = String::new();
    for (case, fault, file) in [
        ("no such file", "", FileSource::path("clips/none.mov")),
        ("no known kind", "", FileSource::path("clips/dance")),
        ("empty", "", FileSource::bytes("", "video/mp4")),
        ("wrong kind", "", mp4().content_type("video/x-msvideo")),
        (
            "too long",
            "",
            FileSource::bytes([0; 101].as_slice(), "video/mp4"),
        ),
        ("key without uploads", "upload:403", mp4()),
        ("wrong key", "upload:401", mp4()),
        ("service without uploads", "upload:404", mp4()),
        ("no usable place", "upload:null=upload_url", mp4()),
        ("storage refuses", "upload:missing=headers", mp4()),
        ("storage refuses without a word", "storage:403-html", mp4()),
        ("places always expired", "upload:expired-url", mp4()),
        ("storage fails", "storage:503", mp4()),
        ("storage is busy for long", "storage:429=3600", mp4()),
        ("connection breaks", "storage:cut", mp4()),
        ("no answer", "storage:hang", mp4()),
    ] {
        let clock = VirtualClock::new();
        let mut builder = sandbox(&clock).seed(1).max_upload_size(100);
        if !fault.is_empty() {
            builder = builder.fault(fault.parse().unwrap());
        }
        let sandbox = builder.start().await.unwrap();
        let client = client(sandbox.base_url(), &clock).attempt_timeout(SHORT);
        let upload = client.build().unwrap().upload(file);
        append_error(&mut text, case, &upload.await.expect_err(case));
    }
    let mut snapshots = snapshots("errors");
    snapshots.check("upload", &hide_columns(&text));
    snapshots.finish();
}

/// Hides positions in responses: serde_json writes keys in another order if any crate asks for it.
fn hide_columns(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    let parts = text
        .split(" column ")
        .map(|part| part.trim_start_matches(is_digit));
    parts.collect::<Vec<_>>().join(" column …")
}

#[test]
fn client_builder() {
    let mut text = String::new();
    for (case, url) in [
        ("no URL", "example.com"),
        ("no web address", "ftp://example.com"),
        ("with a password", "https://me:secret@example.com"),
    ] {
        let builder = client(url, &VirtualClock::new());
        append_error(&mut text, case, &builder.build().expect_err(case));
    }
    append_error(&mut text, "no key", &Client::builder().build().unwrap_err());
    for (case, key) in [("empty key", " "), ("odd key", "abc def")] {
        append_error(&mut text, case, &kling_omni::ApiKey::new(key).unwrap_err());
    }
    let mut snapshots = snapshots("errors");
    snapshots.check("set-up", &text);
    snapshots.finish();
}
