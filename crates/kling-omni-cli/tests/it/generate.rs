//! `generate`: the output, the route and the key.

use std::time::Duration;

use kling_omni_sandbox::{Sandbox, VideoReferenceRoute};
use serde_json::json;

use crate::support::{Facts, Program, Service, Snapshots, facts};

#[test]
fn video_has_the_requested_duration_and_size() {
    let service = Service::quick();
    for (options, seconds, width, height) in [
        ("-d 3 -a 9:16", 3.0, 720, 1280),
        ("-d 4 -a 1:1", 4.0, 960, 960),
        ("", 5.0, 1280, 720),
    ] {
        let line = format!("generate -p puppet -o clip.mp4 --force --poll-interval 0.1 {options}");
        let ended = service.program(&line).run().expect(0);
        assert_eq!(ended.stdout, "clip.mp4\n");
        let expected = Facts {
            seconds,
            width,
            height,
        };
        assert_eq!(
            facts(&service.folder().join("clip.mp4")),
            expected,
            "{options}"
        );
    }
    assert_eq!(service.files(), ["clip.mp4"]);
}

#[test]
fn warns_of_a_video_that_differs_from_the_request() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    for rule in ["create:clip-seconds=4", "create:clip-size=720x1280"] {
        service.inject(rule.parse().unwrap());
    }
    let ended = service
        .program("generate -d 3 -a 16:9 --poll-interval 0.1 -p puppet -o clip.mp4")
        .run()
        .expect(0);
    assert_eq!(ended.stdout, "clip.mp4\n");
    snapshots.check("generate-differs", &ended);
    let ended = service
        .program("generate --json -d 3 -a 16:9 --poll-interval 0.1 -p puppet -o clip.mp4 --force --sidecar")
        .run()
        .expect(0);
    snapshots.check("generate-differs-json", &ended);
    let sidecar = std::fs::read_to_string(service.folder().join("clip.mp4.json")).unwrap();
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["findings"], ended.json()["findings"]);
}

#[test]
fn prints_progress_as_text() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let ended = service
        .program("generate -d 3 --poll-interval 0.1 --prompt")
        .arg("A dancer like @Video2")
        .run()
        .expect(0);
    let id = service.tasks()[0].id().to_owned();
    assert_eq!(ended.stdout, format!("{id}.mp4\n"));
    assert_eq!(service.files(), [format!("{id}.mp4")]);
    snapshots.check("generate", &ended);
}

#[test]
fn prints_one_json_object() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let ended = service
        .program("generate --json -d 3 --poll-interval 0.1 -p puppet -o clips/")
        .run()
        .expect(7);
    assert_eq!(ended.json()["error"]["kind"], "file");

    std::fs::create_dir(service.folder().join("clips")).unwrap();
    let ended = service
        .program("generate --json -d 3 --poll-interval 0.1 -p puppet -o clips/")
        .run()
        .expect(0);
    let result = ended.json();
    let id = service.tasks()[0].id().to_owned();
    let path = format!("clips/{id}.mp4");
    let bytes = std::fs::metadata(service.folder().join(&path))
        .unwrap()
        .len();
    let requests = service.requests();
    assert_eq!(
        result,
        json!({
            "task_id": id,
            "status": "COMPLETED",
            "path": path,
            "bytes": bytes,
            "sha256": result["sha256"],
            "sidecar": null,
            "request_id": requests[0].request_id(),
            "url_expires_at": result["url_expires_at"],
        })
    );
    snapshots.check("generate-json", &ended);
}

#[test]
fn no_wait_prints_the_id() {
    let mut snapshots = Snapshots::default();
    let service = Service::slow();
    let ended = service
        .program("generate -p puppet --no-wait")
        .run()
        .expect(0);
    assert_eq!(ended.stdout.trim(), service.tasks()[0].id());
    snapshots.check("generate-no-wait", &ended);

    let ended = service
        .program("generate -p puppet --no-wait --json")
        .run()
        .expect(0);
    let result = ended.json();
    assert_eq!(result["task_id"], service.tasks()[1].id());
    assert_eq!(result["status"], "CREATED");
    assert_eq!(service.requests().len(), 2);
}

#[test]
fn sandbox_needs_no_key_and_no_network() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    let ended = Program::new(
        folder.path(),
        "generate --sandbox -p puppet -d 3 -o clip.mp4",
    )
    // Proxies and the settings for the service are ignored.
    .env("http_proxy", "http://127.0.0.1:1")
    .env("KLING_OMNI_BASE_URL", "http://127.0.0.1:1")
    .env("SSL_CERT_FILE", "/nonexistent")
    .env("SSL_CERT_DIR", "/nonexistent")
    .run()
    .expect(0);
    assert_eq!(ended.stdout, "clip.mp4\n");
    assert_eq!(facts(&folder.path().join("clip.mp4")).seconds, 3.0);
    snapshots.check("generate-sandbox", &ended);
}

#[test]
fn route_is_selectable() {
    let video = "--video https://example.com/dance.mp4";
    for (options, gone, operations) in [
        ("", false, &["createVideoReference"][..]),
        (
            "",
            true,
            &["createVideoReference", "createReferenceToVideoPro"],
        ),
        (
            "--route reference-to-video",
            false,
            &["createReferenceToVideoPro"],
        ),
        ("--tier standard", false, &["createReferenceToVideoStd"]),
    ] {
        let service = Service::start(|builder| {
            let route = match gone {
                true => VideoReferenceRoute::Gone,
                false => VideoReferenceRoute::Available,
            };
            builder
                .task_time(Duration::from_secs(3600))
                .video_reference(route)
        });
        let line = format!("generate -p @Video1 {video} --no-wait {options}");
        service.program(&line).run().expect(0);
        let requests = service.requests();
        let asked: Vec<_> = requests
            .iter()
            .filter_map(|request| request.operation_id())
            .collect();
        assert_eq!(asked, operations, "{options}");
    }
}

#[test]
fn host_selects_the_key_header() {
    const OTHER: &str = "MGNF-c0ffee-do-not-print";
    for (options, keys, header, key) in [
        ("", "both", "x-freepik-api-key", "first"),
        ("", "magnific", "x-magnific-api-key", "second"),
        ("--host magnific", "both", "x-magnific-api-key", "second"),
        ("--host magnific", "freepik", "x-magnific-api-key", "first"),
        ("--host freepik", "magnific", "x-freepik-api-key", "second"),
    ] {
        let service = Service::start(|builder: kling_omni_sandbox::SandboxBuilder| {
            builder.api_keys([crate::support::KEY, OTHER])
        });
        let mut program = Program::new(service.folder(), &format!("list {options}"))
            .arg("--base-url")
            .arg(service.base_url());
        if keys != "magnific" {
            program = program.key();
        }
        if keys != "freepik" {
            program = program.env("MAGNIFIC_API_KEY", OTHER);
        }
        program.run().expect(0);
        let requests = service.requests();
        let expected = if key == "first" {
            crate::support::KEY
        } else {
            OTHER
        };
        assert_eq!(requests[0].headers()[header], expected, "{options} {keys}");
    }
}

#[test]
fn log_has_operations_and_no_secrets() {
    let service = Service::quick();
    let ended = service
        .program("-vvv generate --mode reference -d 3 --poll-interval 0.1 -p puppet --webhook-url http://127.0.0.1:9/x?token=hmac=00")
        .run()
        .expect(0);
    assert!(ended.stderr.contains("create_video_reference"), "{ended}");
    assert!(
        ended.stderr.contains("get_reference_to_video_task"),
        "{ended}"
    );
}

#[test]
fn sandbox_counts_charges() {
    // The tests that check for no charge depend on this.
    let service = Service::quick();
    assert_eq!(Sandbox::charges(&service), 0);
    service.task("puppet");
    assert_eq!(service.charges(), 1);
}
