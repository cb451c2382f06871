//! The modes: how options and files choose one, and which requests are sent.

use kling_omni_api::limits::video_request::{IMAGE_URLS, MULTI_PROMPT};
use serde_json::{Value, json};

use crate::support::{Service, Snapshots};

const URL: &str = "https://example.com/one.png";

#[test]
fn options_choose_the_mode() {
    let service = Service::quick();
    for (options, mode, operation) in [
        ("-p river", "text", "createVideoPro"),
        (
            "-p river --image https://example.com/one.png",
            "text",
            "createVideoPro",
        ),
        ("--shot river --tier standard", "text", "createVideoStd"),
        (
            "-p river --mode reference",
            "reference",
            "createVideoReference",
        ),
        (
            "-p river --cfg-scale 1",
            "reference",
            "createVideoReference",
        ),
        (
            "-p river --route video-reference",
            "reference",
            "createVideoReference",
        ),
        (
            "-p @Video1 --video https://example.com/v.mp4 --tier standard",
            "reference",
            "createReferenceToVideoStd",
        ),
        (
            "-p @Video1 --video https://example.com/v.mp4 --image https://example.com/one.png",
            "reference",
            "createVideoReference",
        ),
        (
            "--video https://example.com/v.mp4 --image https://example.com/one.png --mode motion-control",
            "motion-control",
            "createMotionControlPro",
        ),
        (
            "--video https://example.com/v.mp4 --image https://example.com/one.png --character-orientation image \
             --tier standard",
            "motion-control",
            "createMotionControlStd",
        ),
    ] {
        let dry = service.program(&format!("generate --dry-run --json {options}"));
        assert_eq!(dry.run().expect(0).json()["mode"], mode, "{options}");
        let run = service.program(&format!("generate --no-wait {options}"));
        run.run().expect(0);
        let requests = service.requests();
        let sent = requests.last().and_then(|request| request.operation_id());
        assert_eq!(sent, Some(operation), "{options}");
    }
}

#[test]
fn text_options_override_the_file() {
    let service = Service::slow();
    let expected = json!({
        "multi_prompt": ["@Element1 wakes up", "@Element1 and @Image1 climb"],
        "image_url": URL,
        "end_image_url": URL,
        "image_urls": [URL],
        "elements": [{
            "frontal_image_url": URL,
            "reference_image_urls": ["https://example.com/l.png", "https://example.com/r.png"],
        }],
        "generate_audio": false,
        "duration": "12",
        "aspect_ratio": "1:1",
        "shot_type": "customize",
        "webhook_url": "https://example.com/hook",
    });
    let file = "
shot_type: customize
multi_prompt: [old, older]
image_url: https://example.com/old.png
end_image_url: https://example.com/old.png
image_urls: [https://example.com/old.png, https://example.com/older.png]
elements: [{frontal_image_url: https://example.com/old.png}]
generate_audio: true
duration: 3
webhook_url: https://example.com/old
";
    service
        .program("generate --no-wait -r - -d 12 -a 1:1 --audio=false --webhook-url https://example.com/hook")
        .arg("--shot")
        .arg("@Element1 wakes up")
        .arg("--shot")
        .arg("@Element1 and @Image1 climb")
        .arg("--image")
        .arg(URL)
        .arg("--end-image")
        .arg(URL)
        .arg("--reference-image")
        .arg(URL)
        .arg("--element")
        .arg(&format!("{URL} https://example.com/l.png  https://example.com/r.png"))
        .stdin(file)
        .run()
        .expect(0);
    service
        .program("generate --no-wait -p river --audio --start-image https://example.com/one.png")
        .run()
        .expect(0);
    let second = json!({"prompt": "river", "generate_audio": true, "start_image_url": URL});
    assert_eq!(service.bodies(), [expected, second]);
}

#[test]
fn options_of_different_modes_conflict() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    for (name, line, file) in [
        (
            "options",
            "generate --shot river --video https://example.com/v.mp4",
            "",
        ),
        ("route", "generate --shot river --route auto", ""),
        (
            "option-and-file",
            "generate --cfg-scale 1 -r -",
            "multi_prompt: [river]",
        ),
        (
            "text",
            "generate --mode text -p river --negative-prompt lake",
            "",
        ),
        (
            "reference",
            "generate --mode reference -r -",
            "image_urls: [https://example.com/i.png]",
        ),
        ("pages", "list --mode text --page 2", ""),
    ] {
        let ended = service.program(line).stdin(file).run().expect(2);
        snapshots.check(format!("modes-{name}"), &ended);
    }
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn invalid_text_requests_are_not_sent() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let shots = " --shot x".repeat(MULTI_PROMPT.max_items.unwrap() + 1);
    let most = IMAGE_URLS.max_items.unwrap();
    let images = " --reference-image https://example.com/one.png".repeat(most + 1);
    for (name, options) in [
        (
            "both-prompts",
            "-p river --shot lake --image https://example.com/one.png",
        ),
        ("five-images", &format!("-p river{images}")),
        ("seven-shots", &shots),
        ("no-prompt", "--image https://example.com/one.png"),
        (
            "end-alone",
            "-p river --end-image https://example.com/one.png --deny-warnings",
        ),
        ("no-number", "-p river --cfg-scale nan"),
        ("no-element", "-p river --element="),
    ] {
        let ended = service
            .program(&format!("generate {options}"))
            .run()
            .expect(2);
        snapshots.check(format!("text-{name}"), &ended);
    }
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn unchecked_request_uses_the_given_mode() {
    let service = Service::slow();
    let body = json!({"prompt": "river", "new_field": [1], "video_url": 7, "multi_prompt": []});
    let run = |options: &str| {
        let line = format!("generate --no-wait --unchecked -r - {options}");
        service.program(&line).stdin(body.to_string()).run()
    };
    run("").expect(2);
    assert_eq!(service.requests().len(), 0);
    run("--mode text").expect(0);
    let requests = service.requests();
    assert_eq!(requests[0].operation_id(), Some("createVideoPro"));
    assert_eq!(requests[0].json(), Some(body));
}

#[test]
fn tasks_of_both_modes_are_listed() {
    let service = Service::slow();
    let from_video = service.task("puppet");
    let from_text = service
        .program("generate --no-wait -p river")
        .run()
        .expect(0);
    let from_text = from_text.stdout.trim();
    let listed = |line: &str| {
        let ended = service.program(line).run().expect(0);
        let rows = ended.stdout.lines().map(serde_json::from_str::<Value>);
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let row = |id: &str, mode: &str| json!({"task_id": id, "status": "CREATED", "mode": mode});
    let rows = [row(&from_video, "reference"), row(from_text, "text")];
    assert_eq!(listed("list --json"), rows);
    assert_eq!(listed("list --json --all --page-size 1"), rows);
    assert_eq!(listed("list --json --page 1"), rows[..1]);
    assert_eq!(listed("list --json --mode reference"), rows[..1]);
    assert_eq!(listed("list --json --mode text"), rows[1..]);
    for id in [&from_video, from_text] {
        let ended = service.program("status").arg(id).run().expect(0);
        assert_eq!(ended.stdout, "CREATED\n");
    }
}
