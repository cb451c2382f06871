//! What is done for each request, answer, delivery and file, over and over.

use std::hint::black_box;
use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

use criterion::{Criterion, criterion_group, criterion_main};
use kling_omni::VideoReference;
use kling_omni::polling::TaskState;
use kling_omni::preflight::probe::probe_bytes;
use kling_omni::request::AspectRatio;
use kling_omni::webhook::{Secret, Verifier};

const STATE: &str = r#"{
    "task_id": "8dbbc99e-8749-479f-b16a-bc6163200821",
    "status": "COMPLETED",
    "generated": ["https://cdn.example.com/v/8dbbc99e.mp4?token=exp=1800000000~hmac=5f1c2a9e5f1c2a9e5f1c2a9e"]
}"#;

fn request(criterion: &mut Criterion) {
    let made = || {
        let request = VideoReference::builder()
            .prompt("The dancer of @Video1 as a paper puppet on a moonlit stage")
            .reference_video("https://example.com/dance.mp4")
            .start_frame("https://example.com/stage.png")
            .duration(6)
            .aspect_ratio(AspectRatio::Portrait)
            .build()
            .expect("the request keeps all rules");
        serde_json::to_vec(&request).expect("a request is JSON")
    };
    criterion.bench_function("request: build, validate, serialise", |bencher| {
        bencher.iter(|| black_box(made()));
    });
}

fn status(criterion: &mut Criterion) {
    criterion.bench_function("status: read", |bencher| {
        bencher.iter(|| serde_json::from_str::<TaskState>(black_box(STATE)));
    });
}

fn webhook(criterion: &mut Criterion) {
    let secret = Secret::new("s3cret").expect("a secret");
    let headers = secret.headers("delivery", SystemTime::now(), STATE.as_bytes());
    let headers = headers.expect("the id fits a header");
    let verifier = Verifier::new(secret);
    criterion.bench_function("webhook: verify", |bencher| {
        bencher.iter(|| {
            let verified =
                verifier.verify(&headers, black_box(STATE.as_bytes()), SystemTime::now());
            verified.expect("the delivery is authentic")
        });
    });
}

fn probe(criterion: &mut Criterion) {
    let clip = fixture().expect("the fixture can be read");
    criterion.bench_function("clip: probe", |bencher| {
        bencher.iter(|| probe_bytes(black_box(&clip)));
    });
}

/// A small MP4 file.
fn fixture() -> io::Result<Vec<u8>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read(workspace.join("crates/media-probe/tests/fixtures/portrait.mp4"))
}

criterion_group!(hot, request, status, webhook, probe);
criterion_main!(hot);
