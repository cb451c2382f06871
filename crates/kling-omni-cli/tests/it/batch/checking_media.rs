//! The options about images and videos, which `generate` has, too.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{RUN, about, counts, run};
use crate::support::{Ended, Fake, Program, Service, copy_fixtures, fixture, response};

/// A service, and a manifest of one row with a reference video.
fn service(video: &str) -> Service {
    let service = Service::quick();
    copy_fixtures(service.folder(), &["dance.mp4", "long.mp4"]);
    let row = json!({"id": "dance", "prompt": "@Video1 dances", "video_url": video});
    fs::write(service.folder().join("clips.jsonl"), row.to_string()).unwrap();
    service
}

fn check(service: &Service, options: &str) -> Ended {
    let line = format!("batch check clips.jsonl {options}");
    service.program(&line).run()
}

/// Configures the bucket `clips`.
#[cfg(feature = "object-store")]
fn with_bucket(program: Program, bucket: &Fake) -> Program {
    program
        .env("AWS_ENDPOINT", bucket.base_url())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIDcanary")
        .env("AWS_SECRET_ACCESS_KEY", "canary-of-a-bucket")
}

#[cfg(feature = "object-store")]
#[test]
fn files_are_uploaded_to_a_bucket() {
    let service = service("dance.mp4");
    let bytes = fs::metadata(fixture("dance.mp4")).unwrap().len();
    let requests = AtomicUsize::new(0);
    // The file is looked for, uploaded, and looked for again.
    let bucket = Fake::new(move |_, _| {
        let headers = [
            "etag: \"1\"",
            "last-modified: Mon, 30 Nov 2026 12:00:00 GMT",
        ];
        match requests.fetch_add(1, Ordering::SeqCst) {
            0 => response("404 Not Found", &[], b""),
            1 => response("200 OK", &headers, b""),
            _ => response("200 OK", &headers, &vec![0; bytes as usize]),
        }
    });
    let program = service.program(RUN).arg("--upload").arg("s3://clips/batch");
    let ended = with_bucket(program, &bucket).run().expect(0);
    assert!(ended.stderr.contains("batch resume"), "{ended}");
    assert!(
        ended.stderr.contains("--upload s3://clips/batch"),
        "{ended}"
    );
    let methods: Vec<_> = (0..3)
        .map(|_| bucket.request().method().to_owned())
        .collect();
    assert_eq!(methods, ["HEAD", "PUT", "HEAD"]);
    let body = &service.bodies()[0];
    let url = body["video_url"].as_str().unwrap();
    let folder = format!("{}/clips/batch/", bucket.base_url());
    assert!(
        url.starts_with(&folder) && url.contains("X-Amz-Signature="),
        "{url}"
    );
    assert!(service.uploads().is_empty(), "nothing goes to the service");
    assert_eq!(service.charges(), 1);
}

#[test]
fn files_are_refused_if_they_are_uploaded_nowhere() {
    let service = service("dance.mp4");
    let problem = "video_url: local file dance.mp4 cannot be used with --upload none";
    for ended in [
        run(&service, "--upload none"),
        check(&service, "--upload none"),
    ] {
        assert!(ended.stderr.contains(problem), "{ended}");
        ended.expect(2);
    }
    assert_eq!(service.requests().len(), 0);
    // A batch that exists already.
    service.inject("upload:500".parse().unwrap());
    let mut running = service.program(RUN).start();
    running.until("to resume");
    drop(running);
    service.clear_faults();
    let ended = about(&service, "resume --yes --upload none").expect(2);
    assert!(
        ended.stderr.contains("item \"dance\", video_url"),
        "{ended}"
    );
    about(&service, "resume --yes --poll-interval 0.1").expect(0);
    assert_eq!(service.charges(), 1);
}

#[test]
fn files_are_not_inspected_if_asked() {
    let service = service("long.mp4");
    check(&service, "").expect(9);
    check(&service, "--no-preflight").expect(0);
    run(&service, "").expect(2);
    assert_eq!(service.charges(), 0);
    run(&service, "--no-preflight").expect(0);
    assert_eq!(service.charges(), 1);
    assert_eq!(counts(&service), json!({"saved": 1}));
}

#[test]
fn urls_are_inspected_if_asked() {
    let files = Fake::of_file("long.mp4");
    let service = service(&format!("{}/long.mp4", files.base_url()));
    let inspect = "--check-urls --allow-private-networks";
    check(&service, "").expect(0);
    check(&service, inspect).expect(9);
    run(&service, inspect).expect(2);
    assert_eq!(service.charges(), 0);
    run(&service, "").expect(0);
    assert_eq!(service.charges(), 1);
}
