//! `generate` with local files: inspected, uploaded, and replaced by URLs.

use std::fs;

use kling_omni_sandbox::Host;
use serde_json::{Value, json};

use crate::support::{Fake, KEY, Service, Snapshots, copy_fixtures, fixture};

const FILES: [&str; 4] = ["dance.mp4", "long.mp4", "slow.mp4", "stage.png"];

/// Starts a service, and copies the fixtures to its folder.
fn service() -> Service {
    let service = Service::quick();
    copy_fixtures(service.folder(), &FILES);
    service
}

/// Returns the content types and sizes of the stored files.
#[track_caller]
fn stored(service: &Service) -> Vec<(String, u64)> {
    let uploads = service.uploads();
    let one = |upload: &kling_omni_sandbox::UploadRecord| {
        let length = upload.length().expect("the file arrived");
        (upload.content_type().to_owned(), length)
    };
    let mut all: Vec<_> = uploads.iter().map(one).collect();
    all.sort();
    all
}

fn length(name: &str) -> u64 {
    fs::metadata(fixture(name)).unwrap().len()
}

#[test]
fn are_uploaded_and_replaced_by_urls() {
    let mut snapshots = Snapshots::default();
    let service = service();
    let line = "generate -p @Video1 --video dance.mp4 --image stage.png -o puppet.mp4";
    let ended = service.program(line).run().expect(0);
    snapshots.check("files", &ended);
    let expected = [("image/png", "stage.png"), ("video/mp4", "dance.mp4")];
    let expected = expected.map(|(kind, name)| (kind.to_owned(), length(name)));
    assert_eq!(stored(&service), expected);
    let body = &service.bodies()[0];
    for field in ["video_url", "image_url"] {
        let url = body[field].as_str().unwrap();
        assert!(url.starts_with(service.result_base_url()), "{field}: {url}");
    }
    assert_eq!(service.charges(), 1);
    let requests = service.requests();
    let puts: Vec<_> = requests
        .iter()
        .filter(|request| request.host() == Host::Storage)
        .collect();
    assert_eq!(puts.len(), 2);
    for put in puts {
        let headers = put.headers().iter();
        let mut shown = headers.map(|(name, value)| format!("{name}: {value:?}"));
        assert!(!shown.any(|header| header.contains("api-key") || header.contains(KEY)));
    }
}

#[test]
fn are_accepted_for_every_image() {
    let service = service();
    let url = "https://example.com/one.png";
    fs::copy(fixture("stage.png"), service.folder().join("left.png")).unwrap();
    service
        .program("generate --no-wait -p @Element1 --image stage.png --end-image stage.png")
        .arg("--reference-image")
        .arg("left.png")
        .arg("--reference-image")
        .arg(url)
        .arg("--element")
        .arg(&format!("stage.png {url}"))
        .run()
        .expect(0);
    let body = &service.bodies()[0];
    let uploaded = service.result_base_url();
    for at in [
        "/image_url",
        "/end_image_url",
        "/image_urls/0",
        "/elements/0/frontal_image_url",
    ] {
        let sent = body.pointer(at).and_then(Value::as_str).unwrap();
        assert!(sent.starts_with(uploaded), "{at}: {sent}");
    }
    for at in ["/image_urls/1", "/elements/0/reference_image_urls/0"] {
        assert_eq!(body.pointer(at), Some(&json!(url)), "{at}");
    }
}

#[test]
fn override_the_request_file() {
    let service = service();
    let request =
        "{\"prompt\": \"@Video1\", \"video_url\": \"https://example.com/v.mp4\", \"duration\": 4}";
    let line = "generate --no-wait -r - --video dance.mp4";
    service.program(line).stdin(request).run().expect(0);
    let body = &service.bodies()[0];
    assert_eq!(body["duration"], "4");
    let sent = body["video_url"].as_str().unwrap();
    assert!(sent.starts_with(service.result_base_url()), "{sent}");
}

#[test]
fn with_errors_send_no_request() {
    let mut snapshots = Snapshots::default();
    let service = service();
    for (name, line, code) in [
        ("too-long", "--video long.mp4 --image stage.png", 2),
        ("too-long-json", "--video long.mp4 --json", 2),
        ("swapped", "--video stage.png --image dance.mp4", 2),
        ("too-long-dry-run", "--video long.mp4 --dry-run", 2),
        ("warnings-denied", "--video slow.mp4 --deny-warnings", 2),
        ("missing", "--video dence.mp4", 7),
        ("no-scheme", "--video example.com/dance.mp4 --json", 7),
        ("missing-element", "--element missing.png", 7),
        ("upload-none", "--video dance.mp4 --upload none", 2),
        ("upload-elsewhere", "--video dance.mp4 --upload there", 2),
        ("unchecked", "--video dance.mp4 --unchecked", 2),
        (
            "too-long-journal",
            "--video long.mp4 --journal dance.journal",
            2,
        ),
    ] {
        let line = format!("generate -p @Video1 {line}");
        let ended = service.program(&line).run().expect(code);
        snapshots.check(format!("files-{name}"), &ended);
    }
    let file = "prompt: '@Video1'\nvideo_url: dance.mp4";
    let ended = service.program("generate -r -").stdin(file).run().expect(2);
    snapshots.check("files-in-a-request-file", &ended);
    assert_eq!(service.charges(), 0);
    assert_eq!(service.requests().len(), 0);
    assert_eq!(service.files(), FILES);
}

#[test]
fn with_warnings_are_sent() {
    let mut snapshots = Snapshots::default();
    let service = service();
    for (name, line) in [
        ("warning", "--video slow.mp4 --no-wait"),
        ("no-preflight", "--video long.mp4 --no-wait --no-preflight"),
        ("dry-run", "--video slow.mp4 --dry-run"),
        ("dry-run-json", "--video slow.mp4 --dry-run --json"),
    ] {
        let line = format!("generate -p @Video1 {line}");
        let ended = service.program(&line).run().expect(0);
        snapshots.check(format!("files-{name}"), &ended);
    }
    assert_eq!(service.charges(), 2);
}

#[test]
fn are_needed_until_the_task_is_created() {
    let service = service();
    let options = "-p @Video1 --video dance.mp4 -o puppet.mp4";
    service.inject("create:400@1".parse().unwrap());
    let state = format!("generate {options} --max-retries 0 --journal puppet.journal");
    let lost = service.program(&state).run();
    assert_ne!(lost.code, Some(0), "{lost}");
    assert_eq!(service.charges(), 0);
    let resume = "generate --resume puppet.journal";
    let other = options.replace("dance.mp4", "slow.mp4");
    let other = service.program(&format!("{resume} {other}"));
    other.run().expect(2);
    let again = service.program(&format!("{resume} {options}"));
    again.run().expect(0);
    assert_eq!(service.charges(), 1);
    // The video is saved, so the local file is not needed.
    fs::remove_file(service.folder().join("dance.mp4")).unwrap();
    let over = service.program(&format!("{resume} {options}"));
    over.run().expect(0);
}

#[test]
fn behind_urls_are_inspected_on_request() {
    let fake = Fake::of_file("long.mp4");
    let service = service();
    let url = format!("{}/long.mp4?token=needle", fake.base_url());
    for (options, code, found) in [
        ("", 0, None),
        ("--check-urls", 0, Some("[inspection-incomplete]")),
        (
            "--check-urls --allow-private-networks",
            2,
            Some("[video-too-long]"),
        ),
    ] {
        let line = format!("generate -p @Video1 --dry-run {options} --video {url}");
        let ended = service.program(&line).run().expect(code);
        let has_finding = ended.stderr.contains("[inspection-") || ended.stderr.contains("[video-");
        assert_eq!(has_finding, found.is_some(), "{ended}");
        assert!(
            found.is_none_or(|code| ended.stderr.contains(code)),
            "{ended}"
        );
        assert!(!ended.stderr.contains("needle"), "{ended}");
    }
    assert_eq!(fake.request().method(), "GET");
}

#[cfg(unix)]
#[test]
fn upload_is_interruptible() {
    let mut snapshots = Snapshots::default();
    let fake = Fake::new(|_, _| Vec::new());
    copy_fixtures(fake.folder(), &FILES);
    let line = "generate -p @Video1 --video dance.mp4 --json";
    let running = fake.program(line).start();
    assert!(fake.arrival().contains("/uploads/"));
    running.interrupt();
    let ended = running.end().expect(130);
    snapshots.check("interrupt-upload", &ended);
}
