//! Requests from files, standard input and options.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Service, Snapshots};

const YAML: &str = "\
# what the puppet does
prompt: The dancer of @Video1 as a paper puppet
video_url: https://example.com/dance.mp4
duration: 8
aspect_ratio: 9:16
cfg_scale: 0
";

const JSON: &str = r#"{
	"prompt": "The dancer of @Video1 as a paper puppet",
	"video_url": "https:\/\/example.com\/dance.mp4",
	"duration": "8",
	"aspect_ratio": "9:16",
	"cfg_scale": 0
}"#;

fn body() -> Value {
    json!({
        "prompt": "The dancer of @Video1 as a paper puppet",
        "video_url": "https://example.com/dance.mp4",
        "duration": "8",
        "aspect_ratio": "9:16",
        "cfg_scale": 0.0,
    })
}

#[test]
fn is_read_from_a_file_or_standard_input() {
    let service = Service::slow();
    for (number, text) in [YAML, JSON].into_iter().enumerate() {
        fs::write(service.folder().join("request"), text).unwrap();
        let run = "generate --no-wait --request";
        service.program(run).arg("request").run().expect(0);
        service.program(run).arg("-").stdin(text).run().expect(0);
        assert_eq!(service.bodies()[2 * number..], [body(), body()]);
    }
}

#[test]
fn is_the_same_from_options() {
    let service = Service::slow();
    service
        .program("generate --no-wait -d 8 -a 9:16 --cfg-scale 0 --video https://example.com/dance.mp4 -p")
        .arg("The dancer of @Video1 as a paper puppet")
        .run()
        .expect(0);
    assert_eq!(service.bodies(), [body()]);
}

#[test]
fn options_override_the_file() {
    let service = Service::slow();
    let expected = json!({
        "prompt": "Puppet of @Video1",
        "video_url": "https://example.com/v.mov",
        "image_url": "https://example.com/i.png",
        "duration": "15",
        "aspect_ratio": "auto",
        "cfg_scale": 1.5,
        "negative_prompt": "text",
        "webhook_url": "https://example.com/hook",
    });
    let file: String = expected
        .as_object()
        .unwrap()
        .keys()
        .map(|name| match name.as_str() {
            "duration" => "duration: 3\n".to_owned(),
            "cfg_scale" => "cfg_scale: 0.1\n".to_owned(),
            "aspect_ratio" => "aspect_ratio: 1:1\n".to_owned(),
            name if name.ends_with("_url") => format!("{name}: https://example.com/old\n"),
            name => format!("{name}: old\n"),
        })
        .collect();
    service
        .program(
            "generate --no-wait -r - --video https://example.com/v.mov --image https://example.com/i.png -d 15 \
             -a auto --cfg-scale 1.5 --negative-prompt text --webhook-url https://example.com/hook -p",
        )
        .arg("Puppet of @Video1")
        .stdin(file)
        .run()
        .expect(0);
    assert_eq!(service.bodies(), [expected]);
}

#[test]
fn unset_fields_are_not_sent() {
    let service = Service::slow();
    service
        .program("generate --no-wait -p puppet")
        .run()
        .expect(0);
    assert_eq!(service.bodies(), [json!({"prompt": "puppet"})]);
}

#[test]
fn tier_is_read_from_the_file() {
    let service = Service::slow();
    let ended = service
        .program("generate --dry-run --json -r -")
        .stdin(format!("{YAML}tier: standard"))
        .run()
        .expect(0);
    assert_eq!(ended.json()["tier"], "standard");
    assert_eq!(ended.json()["request"], body());
}

#[test]
fn unchecked_request_is_sent_unchanged() {
    let mut snapshots = Snapshots::default();
    let service = Service::slow();
    // The sandbox validates the body, so its error shows that the request was sent.
    let ended = service
        .program("generate --no-wait --mode reference --unchecked -r - -p puppet")
        .stdin("duration: 20\nnew_field: [1]\nprompt: old\ntier: standard\n")
        .run()
        .expect(2);
    snapshots.check("unchecked", &ended);
    let requests = service.requests();
    assert_eq!(
        requests[0].operation_id(),
        Some("createReferenceToVideoStd")
    );
    assert_eq!(
        requests[0].json(),
        Some(json!({"duration": 20, "new_field": [1], "prompt": "puppet"}))
    );
}

#[test]
fn dry_run_prints_the_request_and_sends_nothing() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let ended = service
        .program("generate --dry-run -d 8 -p")
        .arg("A puppet like @Video1")
        .run()
        .expect(0);
    snapshots.check("dry-run", &ended);
    let ended = service
        .program("generate --dry-run --json -d 8 --cfg-scale 0 -p")
        .arg("A puppet like @Video1")
        .run()
        .expect(0);
    snapshots.check("dry-run-json", &ended);
    let ended = service
        .program("generate --dry-run --route reference-to-video -p river")
        .run()
        .expect(2);
    snapshots.check("dry-run-route", &ended);
    assert_eq!(service.requests().len(), 0);
    assert_eq!(service.files(), [""; 0]);
}

#[test]
fn deny_warnings_rejects_warnings() {
    let mut snapshots = Snapshots::default();
    let service = Service::slow();
    let run = "generate --no-wait --video https://example.com/dance.mp4 -p puppet";
    let ended = service
        .program(&format!("{run} --deny-warnings"))
        .run()
        .expect(2);
    snapshots.check("deny-warnings", &ended);
    assert_eq!(service.charges(), 0);

    let ended = service.program(run).run().expect(0);
    assert!(
        ended.stderr.contains("warning: prompt: does not mention"),
        "{ended}"
    );
    assert_eq!(service.charges(), 1);
}
