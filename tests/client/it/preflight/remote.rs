//! Preflight of files behind URLs, with range requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{StatusCode, header};
use kling_omni::VideoReference;
use kling_omni::preflight::{MediaChecks, PreflightReport};
use kling_omni_test_support::media::Film;
use tokio::net::TcpListener;

use super::{codes, offline};

/// The behaviour of the server of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerBehavior {
    /// Supports ranges.
    Ranges,
    /// Ignores ranges and sends the entire file.
    Whole,
    /// The same, without a length.
    Unmeasured,
    /// Returns another range than the requested one.
    Shifted,
    /// The file grows with each request.
    Growing,
    /// Declares more bytes than it sends.
    Short,
    Compressed,
    Missing,
    /// Redirects to itself in a loop.
    Circle,
    /// Redirects to a name in its own network.
    Inward,
    /// Never responds.
    Silent,
}

/// A file with zeros in the middle.
struct File {
    before: Vec<u8>,
    zeros: usize,
    after: Vec<u8>,
}

impl File {
    fn first(film: Film) -> Self {
        Self {
            before: film.mp4(),
            zeros: 0,
            after: Vec::new(),
        }
    }

    fn last(film: Film) -> Self {
        let (before, after) = film.index_last();
        Self {
            before,
            zeros: film.media,
            after,
        }
    }

    fn length(&self) -> usize {
        self.before.len() + self.zeros + self.after.len()
    }

    fn part(&self, first: usize, end: usize) -> Vec<u8> {
        let after = self.before.len() + self.zeros;
        (first..end.min(self.length()))
            .map(|at| match at {
                at if at < self.before.len() => self.before[at],
                at if at >= after => self.after[at - after],
                _ => 0,
            })
            .collect()
    }
}

/// The requests to the server, and the number of bytes that it sent.
#[derive(Default)]
struct Traffic {
    requests: Vec<String>,
    headers: Vec<String>,
    bytes: usize,
}

async fn serve(file: File, manner: ServerBehavior) -> (SocketAddr, Arc<Mutex<Traffic>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let traffic = Arc::new(Mutex::new(Traffic::default()));
    let seen = Arc::clone(&traffic);
    let file = Arc::new(file);
    let router = Router::new().fallback(async move |request: Request| {
        let range = request.headers().get(header::RANGE);
        let range = range.map_or("", |range| range.to_str().unwrap()).to_owned();
        let count = {
            let mut seen = seen.lock().unwrap();
            seen.requests.push(format!("{} {range}", request.method()));
            let names = request.headers().keys().map(|name| name.to_string());
            seen.headers.extend(names);
            seen.requests.len()
        };
        if manner == ServerBehavior::Silent {
            std::future::pending::<()>().await;
        }
        let response = respond(&file, manner, &range, count);
        let (parts, body) = response.into_parts();
        seen.lock().unwrap().bytes += body.len();
        Response::from_parts(parts, Body::from(body))
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, traffic)
}

fn respond(
    file: &File,
    manner: ServerBehavior,
    range: &str,
    count: usize,
) -> http::Response<Vec<u8>> {
    let (first, last) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let [first, last]: [usize; 2] = [first, last].map(|number| number.parse().unwrap());
    let total = match manner {
        ServerBehavior::Growing => file.length() + count,
        _ => file.length(),
    };
    let response = http::Response::builder();
    let redirect = |to: &str| {
        let response = http::Response::builder().status(StatusCode::FOUND);
        response
            .header(header::LOCATION, to)
            .body(Vec::new())
            .unwrap()
    };
    match manner {
        ServerBehavior::Missing => response.status(404).body(Vec::new()).unwrap(),
        ServerBehavior::Circle => redirect("/again"),
        ServerBehavior::Inward => redirect("ftp://example.com/dance.mp4"),
        ServerBehavior::Whole | ServerBehavior::Unmeasured | ServerBehavior::Compressed => {
            let response = match manner {
                ServerBehavior::Compressed => response.header(header::CONTENT_ENCODING, "gzip"),
                _ => response,
            };
            response.body(file.part(0, file.length())).unwrap()
        }
        _ if first >= file.length() => response
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(header::CONTENT_RANGE, format!("bytes */{total}"))
            .body(Vec::new())
            .unwrap(),
        _ => {
            let mut part = file.part(first, last + 1);
            let last = first + part.len() - 1;
            let (first, last) = match manner {
                ServerBehavior::Shifted => (first + 1, last),
                _ => (first, last),
            };
            if manner == ServerBehavior::Short {
                part.truncate(part.len() / 2);
            }
            response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(
                    header::CONTENT_RANGE,
                    format!("bytes {first}-{last}/{total}"),
                )
                .body(part)
                .unwrap()
        }
    }
}

async fn inspect_url(address: SocketAddr, allow: bool) -> PreflightReport {
    let request = VideoReference::builder()
        .prompt("@Video1 as a puppet")
        .reference_video(format!("http://{address}/dance.mp4?token=canary"))
        .build()
        .unwrap();
    offline()
        .preflight(request)
        .allow_private_networks(allow)
        .await
}

#[tokio::test]
async fn remote_file_is_inspected_by_a_few_ranges() {
    let heavy = Film {
        media: 199_000_000,
        ..Film::GOOD
    };
    let small = Film {
        media: 400_000,
        ..Film::GOOD
    };
    for (name, file, manner, requests, most) in [
        (
            "index first",
            File::first(small),
            ServerBehavior::Ranges,
            1,
            70_000,
        ),
        (
            "index last",
            File::last(heavy),
            ServerBehavior::Ranges,
            2,
            200_000,
        ),
        (
            "does not support ranges",
            File::first(small),
            ServerBehavior::Whole,
            1,
            401_000,
        ),
    ] {
        let (address, traffic) = serve(file, manner).await;
        let report = inspect_url(address, true).await;
        assert_eq!(codes(report.findings()), [""; 0], "{name}");
        let (_, _, probed) = report.files().next().unwrap();
        assert_eq!(probed.unwrap().duration.unwrap().as_secs(), 5, "{name}");
        let traffic = traffic.lock().unwrap();
        assert!(
            traffic.requests.len() <= requests,
            "{name}: {:?}",
            traffic.requests
        );
        assert!(traffic.bytes <= most, "{name}: {} bytes", traffic.bytes);
        assert!(
            traffic.requests.iter().all(|one| one.starts_with("GET ")),
            "{name}"
        );
        let carried = |header: &String| header.contains("key") || header == "authorization";
        assert!(!traffic.headers.iter().any(carried), "{name}");
    }
}

#[tokio::test]
async fn invalid_remote_file_is_an_error() {
    let (address, _) = serve(
        File::first(Film::GOOD.lasting(20_000)),
        ServerBehavior::Ranges,
    )
    .await;
    let report = inspect_url(address, true).await;
    assert_eq!(codes(report.findings())[0], "video_url video-too-long");
}

#[tokio::test]
async fn failed_inspection_is_a_warning_with_a_reason() {
    for (manner, reason) in [
        (ServerBehavior::Unmeasured, None),
        (
            ServerBehavior::Shifted,
            Some("Content-Range is not the requested range"),
        ),
        (
            ServerBehavior::Short,
            Some("sent fewer bytes than declared"),
        ),
        (ServerBehavior::Compressed, Some("compressed")),
        (ServerBehavior::Missing, Some("returned status 404")),
        (ServerBehavior::Circle, Some("too many redirects")),
        (ServerBehavior::Inward, Some("neither http nor https")),
    ] {
        let (address, _) = serve(File::first(Film::GOOD), manner).await;
        let report = inspect_url(address, true).await;
        assert!(!report.has_errors(), "{manner:?}");
        let Some(reason) = reason else { continue };
        let [finding] = report.findings() else {
            panic!("{manner:?}: {:?}", report.findings());
        };
        assert_eq!(finding.code().as_str(), "inspection-incomplete");
        assert!(finding.message().contains(reason), "{manner:?}: {finding}");
        assert!(!format!("{report:?}").contains("canary"), "{manner:?}");
    }
}

#[tokio::test]
async fn file_changed_between_ranges_is_not_combined() {
    let film = Film {
        media: 10_000_000,
        ..Film::GOOD
    };
    let (address, _) = serve(File::last(film), ServerBehavior::Growing).await;
    let report = inspect_url(address, true).await;
    assert!(!report.has_errors(), "{:?}", report.findings());
    assert!(codes(report.findings()).contains(&"video_url inspection-incomplete".to_owned()));
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let (address, traffic) = serve(File::first(Film::GOOD), ServerBehavior::Ranges).await;
    let port = address.port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let request = VideoReference::builder()
            .prompt("@Video1")
            .reference_video(format!("http://{host}:{port}/dance.mp4"))
            .build()
            .unwrap();
        let report = offline().preflight(request).await;
        let [finding] = report.findings() else {
            panic!("{host}: {:?}", report.findings());
        };
        assert!(finding.message().contains("private"), "{host}: {finding}");
    }
    assert!(traffic.lock().unwrap().requests.is_empty());
}

/// Paused time advances when all tasks are idle.
#[tokio::test(start_paused = true)]
async fn unresponsive_server_times_out() {
    let (address, _) = serve(File::first(Film::GOOD), ServerBehavior::Silent).await;
    let report = inspect_url(address, true).await;
    assert_eq!(
        codes(report.findings()),
        ["video_url inspection-incomplete"]
    );
}

#[tokio::test]
async fn remote_files_are_not_requested_with_local_checks() {
    let (address, traffic) = serve(File::first(Film::GOOD), ServerBehavior::Silent).await;
    let request = VideoReference::builder()
        .prompt("@Video1")
        .reference_video(format!("http://{address}/dance.mp4"))
        .build()
        .unwrap();
    for checks in [MediaChecks::Off, MediaChecks::Local] {
        let report = offline().preflight(request.clone()).checks(checks).await;
        assert_eq!(report.files().count(), 0);
    }
    assert!(traffic.lock().unwrap().requests.is_empty());
}
