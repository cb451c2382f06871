//! `download`: sidecar, lost connections, full disks, time limits.

use std::fs;

use kling_omni_test_support::clip::mp4;
use serde_json::Value;

use crate::support::{Fake, Service, Snapshots, response};

#[test]
fn sidecar_has_the_request() {
    let service = Service::quick();
    let line = "generate --json --sidecar -d 3 --poll-interval 0.1 -o clip.mp4 -p puppet \
        --video https://example.com/dance.mp4?sig=secret";
    let result = service.program(line).run().expect(0).json();
    assert_eq!(service.files(), ["clip.mp4", "clip.mp4.json"]);
    assert_eq!(result["sidecar"], "clip.mp4.json");
    let text = fs::read_to_string(service.folder().join("clip.mp4.json")).unwrap();
    for secret in ["secret", "hmac", "token"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let sidecar: Value = serde_json::from_str(&text).unwrap();
    for field in ["task_id", "bytes", "sha256"] {
        assert_eq!(sidecar[field], result[field], "{field}");
    }
    assert_eq!(sidecar["request"]["prompt"], "puppet");
    assert_eq!(sidecar["request"]["duration"], "3");

    // An existing file of either name is an error.
    let id = result["task_id"].as_str().unwrap();
    fs::remove_file(service.folder().join("clip.mp4")).unwrap();
    let again = |options: &str| {
        let line = format!("download --sidecar -o clip.mp4 {options} {id}");
        service.program(&line).run()
    };
    let refused = again("").expect(7);
    assert!(
        refused.stderr.contains("clip.mp4.json already exists"),
        "{refused}"
    );
    again("--overwrite").expect(0);
    let text = fs::read_to_string(service.folder().join("clip.mp4.json")).unwrap();
    let sidecar: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sidecar["request"], Value::Null);
    assert_eq!(sidecar["sha256"], result["sha256"]);
}

#[test]
fn retries_are_reported() {
    let mut snapshots = Snapshots::default();
    let asked = std::cell::Cell::new(0);
    let fake = Fake::new(move |base_url, path| {
        if !path.ends_with(".mp4") {
            let task = format!(
                r#"{{"data":{{"task_id":"7","status":"COMPLETED","generated":["{base_url}/7.mp4"]}}}}"#
            );
            return response(
                "200 OK",
                &["content-type: application/json"],
                task.as_bytes(),
            );
        }
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => response("503 Service Unavailable", &[], b"<html>down</html>"),
            _ => response("200 OK", &[], &mp4(0)),
        }
    });
    let ended = fake.program("download 7").run().expect(0);
    snapshots.check("download-interrupted", &ended);
}

/// A limit on file sizes stands in for a full disk: the same call fails, and root is not exempt.
#[cfg(target_os = "linux")]
#[test]
fn full_disk_leaves_no_file() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let id = service.task("puppet");
    let ended = service
        .program("download -o clip.mp4")
        .arg(&id)
        .max_file_size(64 * 1024)
        .run()
        .expect(7);
    snapshots.check("download-no-room", &ended);
    assert_eq!(service.files(), [""; 0]);
}

/// `--timeout` covers the task and its video.
#[test]
fn timeout_covers_the_download() {
    let fake = Fake::new(|base_url, path| {
        if path.ends_with(".mp4") {
            return b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n\0\0\0\x10ftypisom".to_vec();
        }
        let task = format!(
            r#"{{"data":{{"task_id":"7","status":"COMPLETED","generated":["{base_url}/7.mp4"]}}}}"#
        );
        let headers = ["content-type: application/json"];
        response("200 OK", &headers, task.as_bytes())
    });
    let ended = fake.program("wait 7 --timeout 1").run().expect(5);
    assert!(ended.stderr.contains("timed out after"), "{ended}");
    assert!(ended.stderr.contains("kling-omni download 7"), "{ended}");
    assert!(ended.stderr.contains("charged: yes"), "{ended}");
    assert_eq!(std::fs::read_dir(fake.folder()).unwrap().count(), 0);
}
