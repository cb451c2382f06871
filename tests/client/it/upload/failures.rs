//! Failed uploads: retries, errors, and the other uploads of the same call.

use std::time::Duration;

use kling_omni::upload::FileSource;
use kling_omni::{Charged, ErrorKind};
use kling_omni_sandbox::Host;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{SHORT, client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::net::TcpListener;

use super::{LONG, at, content};

fn clip() -> FileSource {
    FileSource::bytes(content(1, LONG), "video/mp4")
}

/// The faults, the result, the number of requests for upload URLs, and the number of uploads of the file.
type Case = (&'static [&'static str], Result<(), ErrorKind>, usize, usize);

#[tokio::test]
async fn transient_failures_are_retried() {
    use ErrorKind::{
        Authentication, NotFound, Permission, RateLimited, Server, Transport, UnexpectedResponse,
        Upload,
    };
    let cases: &[Case] = &[
        (&[], Ok(()), 1, 1),
        (&["storage:lost@1"], Ok(()), 1, 2),
        (&["storage:cut@1-2"], Ok(()), 1, 3),
        (&["storage:cut=1000@1"], Ok(()), 1, 2),
        (&["storage:drop@1"], Ok(()), 1, 2),
        (&["storage:503@1"], Ok(()), 1, 2),
        (&["storage:502-html@1"], Ok(()), 1, 2),
        (&["storage:accept-500@1"], Ok(()), 1, 2),
        (&["storage:408@1", "storage:429=20@2"], Ok(()), 1, 3),
        (&["storage:lost"], Err(Transport), 1, 4),
        (&["storage:cut"], Err(Transport), 1, 4),
        (&["storage:500"], Err(Server), 1, 4),
        (&["storage:429"], Err(RateLimited), 1, 4),
        (&["storage:429=121"], Err(RateLimited), 1, 1),
        (&["storage:403"], Err(Upload), 1, 1),
        (&["storage:404-html"], Err(Upload), 1, 1),
        (&["storage:redirect"], Err(Upload), 1, 1),
        // Requesting an upload URL is free, so it is retried.
        (&["upload:500@1"], Ok(()), 2, 1),
        (&["upload:drop@1"], Ok(()), 2, 1),
        (&["upload:cut=9@1"], Ok(()), 2, 1),
        (&["upload:truncate=9@1"], Ok(()), 2, 1),
        (&["upload:503"], Err(Server), 4, 0),
        (&["upload:401"], Err(Authentication), 1, 0),
        (&["upload:403"], Err(Permission), 1, 0),
        (&["upload:404"], Err(NotFound), 1, 0),
        (
            &["upload:missing=upload_url"],
            Err(UnexpectedResponse),
            1,
            0,
        ),
        (&["upload:missing=files"], Err(UnexpectedResponse), 1, 0),
        (&["upload:null=files"], Err(UnexpectedResponse), 1, 0),
        (&["upload:missing=headers"], Err(Upload), 1, 1),
        // A new upload URL replaces an expired one.
        (&["upload:expired-url@1"], Ok(()), 2, 2),
        (&["upload:expired-url"], Err(Upload), 4, 4),
        (&["storage:503=115@1", "storage:503=10@2"], Ok(()), 2, 3),
        // An upload URL without a known expiry is used for one attempt.
        (&["upload:missing=expires_in"], Ok(()), 1, 1),
        (
            &["upload:missing=expires_in", "storage:500@1"],
            Ok(()),
            2,
            2,
        ),
    ];
    for (faults, end, asked, sent) in cases {
        let clock = VirtualClock::new();
        let builder = faults.iter().fold(sandbox(&clock), |builder, fault| {
            builder.fault(fault.parse().unwrap())
        });
        let sandbox = builder.start().await.unwrap();
        let client = client(sandbox.base_url(), &clock).build().unwrap();
        let outcome = client.upload(clip()).await;
        let uploads = sandbox.uploads();
        match (&outcome, end) {
            (Ok(_), Ok(())) => {
                assert_eq!(
                    uploads.last().unwrap().length(),
                    Some(LONG as u64),
                    "{faults:?}"
                );
            }
            (Err(error), Err(kind)) => {
                assert_eq!(error.kind(), *kind, "{faults:?} {error}");
                assert_eq!(error.charged(), Charged::No, "{faults:?} {error}");
                let text = error.summary();
                assert!(text.contains("a file in memory"), "{text}");
                assert!(
                    uploads.iter().all(|one| one.length().is_none()),
                    "{faults:?}"
                );
                let passes = matches!(kind, Transport | Server | RateLimited);
                if *sent > 0 && *sent < 4 && !passes {
                    assert!(
                        error.help().unwrap().contains("your own bucket"),
                        "{error:?}"
                    );
                }
            }
            _ => panic!("{faults:?}: {outcome:?}"),
        }
        let seen = (
            at(&sandbox, Host::Api).len(),
            at(&sandbox, Host::Storage).len(),
        );
        assert_eq!(seen, (*asked, *sent), "{faults:?}");
        assert_eq!(sandbox.charges(), 0);
    }
}

#[tokio::test]
async fn key_without_uploads_has_help() {
    for (fault, said) in [
        ("upload:403", "this key most likely cannot use uploads"),
        ("upload:404", "this host most likely has no uploads"),
    ] {
        let clock = VirtualClock::new();
        let sandbox = sandbox(&clock)
            .fault(fault.parse().unwrap())
            .start()
            .await
            .unwrap();
        let client = client(sandbox.base_url(), &clock).build().unwrap();
        let files = ["video/mp4", "image/png"].map(|kind| FileSource::bytes(content(1, 9), kind));
        let error = client.upload_all(files).await.unwrap_err();
        let names = "could not upload a file in memory, a file in memory: ";
        assert!(error.summary().starts_with(names), "{error}");
        assert!(error.help().unwrap().ends_with(said), "{error}");
    }
}

#[tokio::test]
async fn failure_cancels_other_uploads_and_keeps_completed_ones() {
    let clock = VirtualClock::new();
    let fault = "storage:403@2".parse().unwrap();
    let sandbox = sandbox(&clock).fault(fault).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let files = || (0..3).map(|seed| FileSource::bytes(content(seed, 10), "image/png"));
    client.upload_all(files()).await.unwrap_err();
    sandbox.clear_faults();
    client.upload_all(files()).await.unwrap();
    let came = sandbox
        .uploads()
        .iter()
        .filter(|one| one.length().is_some())
        .count();
    assert!((3..=5).contains(&came), "{came}");
}

/// The response of a service with an upload URL on `host`.
fn slot_on(host: &str) -> Reply {
    let place = serde_json::json!({"files": [{
        "file_id": "upl_1",
        "upload_url": format!("{host}/uploads/upl_1?X-Goog-Signature=aa"),
        "headers": {"Content-Type": "video/mp4", "Host": "h.example", "Content-Length": "1"},
        "expires_in": 120,
        "asset_url": "http://127.0.0.1:1/a?token=exp=9~hmac=aa",
    }]});
    Reply::json(200, &place.to_string())
}

#[tokio::test]
async fn unresponsive_storage_host_times_out() {
    // The host accepts connections and reads nothing.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deaf = (format!("http://{}", deaf.local_addr().unwrap()), deaf);
    let mute = Fake::start(vec![Reply::hang()]).await;
    for (host, length, told) in [
        (
            deaf.0.as_str(),
            16_000_000,
            "the storage host accepted no data for 0.5 s",
        ),
        (
            mute.base_url(),
            10,
            "no response from the storage host within the time limit",
        ),
    ] {
        let api = Fake::start(vec![slot_on(host)]).await;
        let clock = VirtualClock::new();
        let client = client(api.base_url(), &clock)
            .read_timeout(SHORT)
            .attempt_timeout(SHORT)
            .max_retries(0)
            .build()
            .unwrap();
        let file = FileSource::bytes(content(1, length), "video/mp4");
        let error = client.upload(file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
        assert!(error.summary().ends_with(told), "{error}");
        assert!(error.is_retryable());
    }
    // Headers that the URL and the file determine are not taken from the service.
    assert_eq!(mute.requests()[0].header("content-length"), Some("10"));
    assert_ne!(mute.requests()[0].header("host"), Some("h.example"));
}

#[tokio::test]
async fn invalid_upload_slots_are_rejected() {
    for (from, to) in [
        ("http://127.0.0.1:1/uploads", "ftp://127.0.0.1/uploads"),
        ("http://127.0.0.1:1/uploads", "/uploads"),
        ("http://127.0.0.1:1/a?", "a?"),
        ("video/mp4", "video\\n/mp4"),
        ("\"Content-Type\"", "\"Content Type\""),
    ] {
        let Reply::Bytes(bytes) = slot_on("http://127.0.0.1:1") else {
            panic!("no bytes");
        };
        let text = String::from_utf8(bytes).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(body.contains(from), "{body}");
        let api = Fake::start(vec![Reply::json(200, &body.replace(from, to))]).await;
        let clock = VirtualClock::new();
        let client = client(api.base_url(), &clock).build().unwrap();
        let error = client.upload(clip()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{to}: {error}");
        assert_eq!(error.request_id(), Some("ak-fake"), "{to}");
        assert!(clock.slept() < Duration::from_secs(1));
    }
}
