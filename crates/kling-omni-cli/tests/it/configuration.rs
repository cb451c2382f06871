//! Settings from the environment, and misplaced values, which are never printed.

use crate::support::{Program, Service};

#[test]
fn empty_variables_count_as_unset() {
    let service = Service::slow();
    for name in [
        "KLING_OMNI_TASK_DURATIONS",
        "MAGNIFIC_API_KEY",
        "HTTP_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "NO_PROXY",
        "TERM",
        "NO_COLOR",
    ] {
        service.program("list").env(name, "").run().expect(0);
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["KLING_OMNI_WEBHOOK_SECRET", "MINE"] {
        let option = if name == "MINE" {
            "--secret-env MINE"
        } else {
            ""
        };
        let listen = Program::new(folder.path(), &format!("listen {option}"));
        let ended = listen.env(name, "").run().expect(3);
        assert!(ended.stderr.contains("is not set"), "{ended}");
    }
    let both = Program::new(folder.path(), "list").env("FREEPIK_API_KEY", "");
    let ended = both.env("KLING_OMNI_BASE_URL", "").run().expect(3);
    assert!(ended.stderr.contains("no API key"), "{ended}");
    // The other key is used and the empty base URL is ignored: only the settings of the bucket are missing.
    let bucket = Program::new(
        folder.path(),
        "generate --dry-run -p cat --upload s3://bucket",
    )
    .env("AWS_ENDPOINT", "")
    .env("AWS_REGION", "")
    .env("AWS_ACCESS_KEY_ID", "");
    bucket.run().expect(0);
}

#[test]
fn misplaced_values_are_not_printed() {
    let service = Service::slow();
    let id = "needle0123456789abcdef";
    for (line, value) in [
        ("listen --secret-env", id),
        ("listen --secret-env", "whsec_needle"),
        ("listen --secret-env", "a=needle"),
        (
            "listen --forward http://127.0.0.1:9 --forward-secret-env",
            id,
        ),
        ("listen --forward", "http://u:needle@h/?t=needle"),
        ("listen --forward", "needle"),
        ("listen --until", id),
        ("listen --port", id),
        ("listen --address", id),
        ("listen --exit-after", id),
        ("listen --timeout", id),
        ("listen --secret-file", "https://u:needle@h/?t=needle"),
        ("listen --secret-file", "whsec_needle"),
        (
            "listen --forward http://127.0.0.1:9 --forward-secret-file",
            id,
        ),
        ("listen --webhook-secret", id),
        ("listen", id),
        ("generate --upload", "s3://AKID:needle@bucket"),
        ("generate --upload", "s3://bucket?sig=needle"),
        ("generate --upload", "https://u:needle@bucket"),
        ("generate --upload", id),
        ("generate --mode", id),
        ("generate --duration", id),
        ("generate --fault", "needle:drop"),
        ("generate --fault", "create:drop@needle"),
        ("generate --fault", "webhook:rotated=needle needle~2"),
        ("generate --fault", "create:needle"),
        ("generate --fault", "create:503=30~needle"),
        ("generate --fault", "create#needle:drop"),
        ("generate --request", "https://u:needle@h/r.json?t=needle"),
        ("generate --resume", "https://u:needle@h/r.json?t=needle"),
        ("generate -p cat --image", "ftp://u:needle@h/?t=needle"),
        ("generate -p cat --video", "https://u:needle@h:x/?t=needle"),
        ("generate -p cat --video", "h.example/a.mp4?sig=needle"),
        ("generate -p cat --image", "u:needle@h.example/a.png"),
        ("check", "u:needle@h.example/a.png?sig=needle"),
        (
            "generate -p cat --webhook-url",
            "ftp://u:needle@h/?t=needle",
        ),
        ("generate --nonsense", "https://u:needle@h"),
        ("generate -p cat", id),
        ("generate", "--needle0123"),
        ("generate", "--audio=needle"),
        ("generate", "--json=needle"),
        ("list --base-url", "http://u:needle@h"),
        ("list --base-url", "needle needle"),
        ("list --page", id),
        ("list --max-retries", "-needle7"),
        ("list --host", id),
        ("list --task-durations", "https://u:needle@h/?t=needle"),
        ("check", "ftp://u:needle@h/?t=needle"),
        ("completions", id),
        ("", "sk-needle-7"),
        ("", "https://u:needle@h"),
    ] {
        for json in [false, true] {
            let mut program = service.program(line).arg(value);
            if json {
                program = program.arg("--json");
            }
            let ended = program.run();
            assert_ne!(ended.code, Some(101), "{ended}");
            let shown = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!shown.contains("needle"), "{ended}");
        }
    }
}

#[test]
fn malformed_secrets_are_rejected_before_listening() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "\"whsec_c2Vj\"",
        "'whsec_c2Vj'",
        "whsec_c2Vj\"",
        "\u{201c}needle\u{201d}",
        "v1,whsec_c2Vj",
        "v1,needle",
        "V1a,needle",
        "v1=needle",
        "whsec_needle*",
        "WHSEC_c2Vj",
        "whsec_whsec_c2Vj",
        "SECRET=whsec_c2Vj",
        "Bearer needle",
        "nee dle",
        "needle\nneedle",
        "needle\u{200b}",
        "hex:needle",
        "hex:abc",
        "hex:",
    ] {
        let listen = Program::new(folder.path(), "listen");
        let ended = listen
            .env("KLING_OMNI_WEBHOOK_SECRET", text)
            .run()
            .expect(3);
        assert!(
            ended.stderr.contains("KLING_OMNI_WEBHOOK_SECRET: "),
            "{ended}"
        );
        for part in ["needle", "c2Vj"] {
            assert!(!ended.stderr.contains(part), "{ended}");
        }
    }
}
