//! `doctor`: a healthy set-up, and those with something broken.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use kling_omni_test_support::fake::ClosedPort;

use crate::support::{Ended, Fake, KEY, Program, Service, Snapshots, response};

const SECRET: &str = "KLING_OMNI_WEBHOOK_SECRET";

/// A run in a folder with a state folder, and everything that `doctor` checks in order.
fn doctor(service: &Service, options: &str) -> Program {
    service
        .program(&format!("doctor {options}"))
        .env("XDG_STATE_HOME", service.folder().to_str().unwrap())
        .env(SECRET, "hex:0123456789abcdef0123456789abcdef")
}

/// The output without the folder and the platform.
fn shown(ended: &Ended, folder: &Path) -> String {
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    ended
        .to_string()
        .replace(folder.to_str().unwrap(), "[folder]")
        .replace(&platform, "[platform]")
}

/// The lines that are not ok.
fn faulty(ended: &Ended) -> Vec<&str> {
    let lines = ended.stdout.lines();
    lines.filter(|line| !line.starts_with("ok ")).collect()
}

#[test]
fn healthy_set_up_is_ok() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let ended = doctor(&service, "").run().expect(0);
    assert_eq!(faulty(&ended), [""; 0], "{ended}");
    snapshots.check("doctor", shown(&ended, service.folder()));
    // Nothing is created, uploaded or left.
    assert_eq!(service.files(), [""; 0]);
    assert_eq!((service.charges(), service.uploads().len()), (0, 0));

    let found = doctor(&service, "--json").run().expect(0).json();
    assert_eq!(found["problems"], serde_json::json!([]), "{found}");
    assert_eq!(found["clock_ahead_seconds"], 0, "{found}");
    assert_eq!(found["base_url"], service.base_url(), "{found}");
    let subjects = found["checks"].as_array().unwrap().iter();
    let subjects: Vec<_> = subjects
        .map(|check| check["subject"].as_str().unwrap())
        .collect();
    let expected = [
        "program", "proxy", "key", "service", "uploads", "webhook", "output", "state",
    ];
    assert_eq!(subjects, expected, "{found}");
}

#[test]
fn each_broken_part_has_its_line_and_exit_code() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    let folder = service.folder();
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let below_file = file.join("clips");
    let cases: [(&str, Program, i32, usize); 8] = [
        (
            "key-missing",
            doctor(&service, "").env("FREEPIK_API_KEY", ""),
            3,
            1,
        ),
        (
            "key-wrong",
            doctor(&service, "").env("FREEPIK_API_KEY", "FPSX-wrong"),
            3,
            1,
        ),
        ("output-missing", doctor(&service, "-o not/there"), 7, 1),
        (
            "output-below-a-file",
            doctor(&service, "-o file/clips"),
            7,
            1,
        ),
        (
            "state-below-a-file",
            doctor(&service, "").env("XDG_STATE_HOME", below_file.to_str().unwrap()),
            7,
            1,
        ),
        (
            "state-unknown",
            doctor(&service, "").env("XDG_STATE_HOME", ""),
            0,
            1,
        ),
        (
            "webhook-secret-broken",
            doctor(&service, "").env(SECRET, "hex:7g"),
            3,
            1,
        ),
        (
            "proxy-unusable",
            doctor(&service, "").env("http_proxy", "http://user:needle@"),
            2,
            2,
        ),
    ];
    for (name, program, code, lines) in cases {
        let ended = program.run().expect(code);
        assert_eq!(faulty(&ended).len(), lines, "{name}: {ended}");
        assert!(!ended.stdout.contains("needle"), "{ended}");
        snapshots.check(format!("doctor-{name}"), shown(&ended, folder));
    }
    assert_eq!(service.files(), ["file"]);
    assert_eq!(service.charges(), 0);
}

#[test]
fn unreachable_service_is_explained() {
    let service = Service::quick();
    let port = ClosedPort::new();
    let closed = port.url();
    let page = Fake::always("200 OK", &["content-type: text/html"], "<p>a page</p>");
    let not_found = Fake::always("404 Not Found", &[], "nothing here");
    let https = service.base_url().replace("http:", "https:");
    let refused = "refused";
    let not_the_api = "check whether the base URL is that of the API";
    let cases: [(&str, &str, &[&str]); 6] = [
        (
            &closed,
            "",
            &[refused, "check the network, the base URL and any proxy"],
        ),
        (
            "http://needle.invalid",
            "",
            &["http://needle.invalid/: ", "dns error"],
        ),
        (&https, "", &["InvalidContentType"]),
        (
            service.base_url(),
            &closed,
            &[refused, "check the proxy above"],
        ),
        (page.base_url(), "", &[page.base_url(), not_the_api]),
        (
            not_found.base_url(),
            "",
            &[not_found.base_url(), not_the_api],
        ),
    ];
    for (url, proxy, expected) in cases {
        let program = doctor(&service, &format!("--base-url {url}")).env("http_proxy", proxy);
        let ended = program.run();
        assert_eq!(ended.stderr, "", "{ended}");
        let faulty = faulty(&ended);
        let [key, line] = faulty[..] else {
            panic!("{ended}");
        };
        assert!(key.starts_with("warning  key"), "{ended}");
        assert!(line.starts_with("broken   service"), "{ended}");
        for part in expected {
            assert!(line.contains(part), "{part}: {ended}");
        }
    }
}

#[test]
fn clock_that_is_off_by_minutes_is_broken() {
    let (behind, ahead) = (
        " behind that of the service; synchronize",
        " ahead of that of the service; synchronize",
    );
    for (offset, is_ahead, code, expected) in [
        (330, true, 1, ["this machine is 5m", behind]),
        (7_230, false, 1, ["this machine is 2h", ahead]),
        (20, true, 0, ["ok       service", "s ahead"]),
    ] {
        let offset = Duration::from_secs(offset);
        let now = SystemTime::now();
        let date = if is_ahead { now + offset } else { now - offset };
        let date = format!("date: {}", httpdate::fmt_http_date(date));
        let service = Fake::new(move |_, path| {
            let body: &[u8] = match path.contains("uploads") {
                true => br#"{"files":[]}"#,
                false => br#"{"data":[]}"#,
            };
            response("200 OK", &[&date, "content-type: application/json"], body)
        });
        let ended = service.program("doctor").run().expect(code);
        for part in expected {
            assert!(ended.stdout.contains(part), "{part}: {ended}");
        }
    }
}

#[test]
fn key_that_may_not_upload_is_a_warning() {
    let service = Service::quick();
    for fault in ["listUploads:403", "listUploads:404"] {
        service.inject(format!("{fault}@1").parse().unwrap());
        let ended = doctor(&service, "").run().expect(0);
        let [line] = faulty(&ended)[..] else {
            panic!("{ended}");
        };
        assert!(line.starts_with("warning  uploads"), "{line}");
        assert!(line.contains("--upload"), "{line}");
        service.clear_faults();
    }
}

#[test]
fn proxies_are_shown_without_credentials() {
    let service = Service::quick();
    let ended = doctor(&service, "")
        .env("HTTPS_PROXY", "http://user:needle@proxy.example:8080/path")
        .env("all_proxy", "socks5h://user:needle@socks.example:1080")
        .env("NO_PROXY", "127.0.0.1")
        .run()
        .expect(0);
    let expected = "HTTPS_PROXY=http://proxy.example:8080, all_proxy=socks5h://socks.example:1080, NO_PROXY=127.0.0.1";
    assert!(ended.stdout.contains(expected), "{ended}");
    assert!(!ended.stdout.contains("needle"), "{ended}");
}

#[test]
fn sandbox_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Program::new(folder.path(), "doctor --sandbox").env("FREEPIK_API_KEY", KEY);
    let ended = ended.run().expect(2);
    assert!(
        ended.stderr.contains("--sandbox cannot be used here"),
        "{ended}"
    );
}
