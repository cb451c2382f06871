//! Errors: their texts, their JSON and their exit codes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kling_omni_api::limits::list_reference_to_video_tasks::PAGE_SIZE;
use kling_omni_api::limits::{reference_to_video_request, video_reference_request};
use kling_omni_test_support::fake::ClosedPort;

use crate::support::{Fake, Program, Service, Snapshots, response};

/// Returns a duration below the minimum, a prompt above the maximum length, and numbers below and above their range. They are
/// derived from the limits, so they stay invalid when the limits change.
fn beyond_limits() -> (u32, String, f64, f64) {
    let routes = [
        video_reference_request::FIELDS,
        reference_to_video_request::FIELDS,
    ];
    let find = |name: &str| {
        let fields = routes.iter().copied().flatten();
        fields
            .filter(move |field| field.name == name)
            .collect::<Vec<_>>()
    };
    let lengths = find("duration").into_iter().flat_map(|field| field.values);
    let shortest: u32 = lengths.map(|value| value.parse().unwrap()).min().unwrap();
    let longest = find("prompt")
        .into_iter()
        .filter_map(|field| field.max_length);
    let least = find("cfg_scale")
        .into_iter()
        .filter_map(|field| field.minimum);
    let most = find("cfg_scale")
        .into_iter()
        .filter_map(|field| field.maximum);
    (
        shortest - 1,
        "x".repeat(longest.max().unwrap() + 500),
        least.reduce(f64::min).unwrap() - 1.0,
        most.reduce(f64::max).unwrap() + 7.0,
    )
}

#[test]
fn usage_errors_send_no_request() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let (too_short, long, too_low, _) = beyond_limits();
    let many_rules = format!(
        "generate -d {too_short} --cfg-scale {too_low} --video ftp://example.com/dance.mp4 --image ftp://example.com/a?token=secret -p"
    );
    let page_size = PAGE_SIZE.maximum.unwrap_or(100.0) * 10.0;
    let page_too_long = format!("list --page-size {page_size}");
    for (name, line, words) in [
        ("empty-request", "generate", &[][..]),
        ("unknown-option", "generate --prompts x", &[]),
        ("unknown-ratio", "generate -p x -a 4:3", &[]),
        ("invalid-time", "generate -p x --timeout soon", &[]),
        (
            "no-wait-and-output",
            "generate -p x --no-wait -o x.mp4",
            &[],
        ),
        (
            "sandbox-and-no-wait",
            "generate -p x --no-wait --sandbox",
            &[],
        ),
        (
            "fault-without-sandbox",
            "generate -p x --fault create:drop@1",
            &[],
        ),
        (
            "invalid-fault",
            "generate -p x --sandbox --fault create:dorp",
            &[],
        ),
        (
            "sandbox-and-base-url",
            "generate -p x --sandbox --base-url http://127.0.0.1:1",
            &[],
        ),
        ("several-errors", &many_rules, &[long.as_str()]),
        ("page-too-long", &page_too_long, &[]),
        ("no-task-id", "status", &[]),
        ("invalid-task-id", "status ..", &[]),
        ("base-url-invalid", "list --base-url example.com", &[]),
    ] {
        let mut program = service.program(line);
        for word in words {
            program = program.arg(word);
        }
        let ended = program.run().expect(2);
        let shown = ended.to_string().replace(&long, "xxx…");
        if name == "several-errors" {
            assert!(shown.contains("5 errors"), "{shown}");
        }
        snapshots.check(format!("usage-{name}"), &shown);
    }
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn usage_errors_are_printed_as_json() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let (too_short, _, _, too_high) = beyond_limits();
    let rules = format!("generate --json -d {too_short} --cfg-scale {too_high} -p @Video2");
    for (name, line) in [("option", "generate --json --prompts x"), ("rules", &rules)] {
        let ended = service.program(line).run().expect(2);
        assert_eq!(ended.json()["error"]["exit_code"], 2);
        snapshots.check(format!("json-{name}"), &ended);
    }
}

#[test]
fn invalid_request_files_are_rejected_with_position() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    for (name, content) in [
        ("broken-yaml", &b"prompt: [a\n"[..]),
        ("unquoted", b"prompt: @Video1 dances\n"),
        ("unknown-field", b"prompt: x\nprompts: y\n"),
        ("twice", b"prompt: x\nprompt: y\n"),
        ("wrong-type", b"prompt: x\nduration: long\n"),
        (
            "unknown-ratio",
            b"{\"prompt\": \"x\", \"aspect_ratio\": \"4:3\"}",
        ),
        ("list", b"- prompt: x\n"),
        ("empty", b""),
        ("not-text", b"prompt: \xff\n"),
    ] {
        fs::write(service.folder().join("request.yaml"), content).unwrap();
        let ended = service.program("generate -r request.yaml").run().expect(2);
        snapshots.check(format!("file-{name}"), &ended);
    }
    let ended = service
        .program("generate -r elsewhere.yaml")
        .run()
        .expect(7);
    snapshots.check("file-missing", &ended);
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn missing_and_invalid_keys_send_no_request() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let program =
        |line| Program::new(service.folder(), line).env("KLING_OMNI_BASE_URL", service.base_url());
    for (name, program) in [
        ("none", program("generate -p x")),
        ("none-for-list", program("list")),
        ("empty", program("list").env("FREEPIK_API_KEY", "")),
        (
            "with-blanks",
            program("list").env("FREEPIK_API_KEY", "two words"),
        ),
        (
            "with-blanks-for-the-host",
            program("list --host magnific").env("MAGNIFIC_API_KEY", "two words"),
        ),
    ] {
        let ended = program.run().expect(3);
        snapshots.check(format!("key-{name}"), &ended);
    }
    assert_eq!(service.requests().len(), 0);

    let ended = program("generate -p x")
        .env("FREEPIK_API_KEY", "another-key")
        .run()
        .expect(3);
    snapshots.check("key-refused", &ended);
}

#[test]
fn tasks_without_a_video_have_a_reason() {
    let mut snapshots = Snapshots::default();
    let quick = Service::quick();
    let expired = Service::start(|builder| {
        builder
            .task_time(Duration::ZERO)
            .result_lifetime(Duration::ZERO)
    });
    for (name, service, prompt) in [
        ("failed", &quick, "[sandbox:fail=no light]"),
        ("empty", &quick, "[sandbox:empty]"),
        ("expired", &expired, "puppet"),
    ] {
        let ended = service
            .program("generate --json --poll-interval 0.1 -p")
            .arg(prompt)
            .run()
            .expect(4);
        snapshots.check(format!("no-video-{name}"), &ended);
        assert_eq!(service.files(), [""; 0]);
    }
}

#[test]
fn error_responses_have_exit_codes() {
    let mut snapshots = Snapshots::default();
    let problem =
        r#"{"message":"Not valid","invalid_params":[{"name":"prompt","reason":"is rude"}]}"#;
    for (name, line, status, headers, body, code) in [
        (
            "bad-request",
            "generate -p x",
            "400 Bad Request",
            &[][..],
            problem,
            2,
        ),
        (
            "no-credits",
            "generate -p x",
            "402 Payment Required",
            &[],
            "",
            3,
        ),
        (
            "forbidden",
            "generate -p x",
            "403 Forbidden",
            &[],
            r#"{"message":"No access"}"#,
            3,
        ),
        (
            "no-such-task",
            "wait 1c1d8f0a",
            "404 Not Found",
            &[],
            r#"{"message":"Task not found"}"#,
            2,
        ),
        (
            "limited",
            "generate -p x",
            "429 Too Many Requests",
            &["x-ratelimit-reset: 3600"],
            "",
            6,
        ),
        (
            "plan-limited",
            "generate -p x",
            "429 Too Many Requests",
            &["retry-after: 1"],
            r#"{"message":"Free trial usage limit reached. Upgrade to continue."}"#,
            3,
        ),
        (
            "limited-for-a-fraction",
            "generate -p x",
            "429 Too Many Requests",
            &["retry-after: 292.05"],
            "",
            6,
        ),
        (
            "odd-text",
            "generate -p x --json",
            "400 Bad Request",
            &[],
            r#"{"message":"a\u202eb\u2066c\u2028d\u200be\u001b[31mf, no /x.mp4?X-Amz-Signature=S1&sig=S2",
                "invalid_params":[{"field":"prompt","reason":"sig=S3"}]}"#,
            2,
        ),
        (
            "down",
            "generate -p x",
            "503 Service Unavailable",
            &[],
            "<html>down</html>",
            8,
        ),
        (
            "not-json",
            "generate -p x",
            "200 OK",
            &[],
            "<html>welcome</html>",
            8,
        ),
        (
            "moved",
            "list",
            "301 Moved Permanently",
            &["location: http://example.com/"],
            "",
            1,
        ),
    ] {
        let fake = Fake::always(status, headers, body);
        let ended = fake.program(line).arg("--max-retries=0").run().expect(code);
        snapshots.check(format!("response-{name}"), &ended);
    }
}

#[test]
fn unreachable_service_is_a_network_error() {
    let closed = ClosedPort::new();
    let ended = Program::new(
        Path::new("."),
        "generate --json --max-retries 1 -p x --base-url",
    )
    .arg(&closed.url())
    .key()
    .run()
    .expect(6);
    assert_eq!(ended.json()["error"]["charged"], "no");
    let shown = ended.to_string();
    assert!(shown.contains("after 2 attempts"), "{shown}");
}

#[test]
fn corrupt_result_is_not_kept() {
    let mut snapshots = Snapshots::default();
    let fake = Fake::new(|base_url, path| {
        if path.ends_with(".mp4") {
            return response("200 OK", &[], b"<html>sorry</html>");
        }
        let task = format!(
            r#"{{"data":{{"task_id":"7","status":"COMPLETED","generated":["{base_url}/7.mp4"]}}}}"#
        );
        response(
            "200 OK",
            &["content-type: application/json"],
            task.as_bytes(),
        )
    });
    let ended = fake.program("generate -p x").run().expect(6);
    snapshots.check("corrupt-result", &ended);
    assert_eq!(fake.folder().read_dir().unwrap().count(), 0);
}
