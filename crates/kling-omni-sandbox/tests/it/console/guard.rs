//! What other web sites cannot do.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ConsoleBench;

/// Sends a request with these header lines, and returns the response.
async fn send(console: &ConsoleBench, method: &str, path: &str, lines: &[String]) -> String {
    let address = console.url.strip_prefix("http://").unwrap();
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{lines}content-length: 0\r\nconnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

fn status(response: &str) -> u16 {
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn other_names_of_this_machine_are_rejected() {
    let console = ConsoleBench::start().await;
    let (_, port) = console.url.rsplit_once(':').unwrap();
    let host = |name: &str| vec![format!("host: {name}")];
    let cases = [
        (host(&format!("127.0.0.1:{port}")), 200),
        (host(&format!("localhost:{port}")), 200),
        (host(&format!("LOCALHOST:{port}")), 200),
        (host(&format!("[::1]:{port}")), 200),
        // A tunnel may have another port.
        (host("localhost:9000"), 200),
        (host("localhost"), 200),
        (host(&format!("rebound.example.com:{port}")), 421),
        (host(&format!("localhost.example.com:{port}")), 421),
        (host(&format!("127.0.0.1.example.com:{port}")), 421),
        (host(&format!("0.0.0.0:{port}")), 421),
        (host(&format!("192.168.0.1:{port}")), 421),
        (host(&format!("localhost@example.com:{port}")), 421),
        (host(&format!("example.com@localhost:{port}")), 421),
        (host(""), 421),
        (vec![], 421),
        (
            [host(&format!("127.0.0.1:{port}")), host("example.com")].concat(),
            421,
        ),
    ];
    for (lines, expected) in cases {
        for path in ["/", "/console.js", "/live/faults", "/tasks/1/video.mp4"] {
            // The stream does not end, and there is no video.
            if expected == 200 && path != "/" {
                continue;
            }
            let response = send(&console, "GET", path, &lines).await;
            // An HTTP library rejects some of these itself.
            let status = status(&response);
            let is_rejected = expected == 421 && [400, 421].contains(&status);
            assert!(status == expected || is_rejected, "{lines:?}: {response}");
        }
    }
}

#[tokio::test]
async fn changes_are_accepted_from_the_console_only() {
    let console = ConsoleBench::start().await;
    let host = console.url.strip_prefix("http://").unwrap();
    let own = format!("origin: {}", console.url);
    let site = |site: &str| format!("sec-fetch-site: {site}");
    let cases: [(Vec<String>, bool); 12] = [
        (vec![own.clone()], true),
        (vec![site("same-origin")], true),
        (vec![own.clone(), site("same-origin")], true),
        (vec![], false),
        (vec!["origin: null".to_owned()], false),
        (vec!["origin: https://example.com".to_owned()], false),
        // The API is another origin.
        (
            vec![format!("origin: {}", console.bench.sandbox.base_url())],
            false,
        ),
        (vec![format!("origin: https://{host}")], false),
        (vec![site("same-site")], false),
        (vec![site("cross-site")], false),
        (vec![site("none")], false),
        (vec![own.clone(), site("cross-site")], false),
    ];
    for (mut lines, is_accepted) in cases {
        lines.push(format!("host: {host}"));
        for path in ["/faults/arm", "/faults/disarm", "/deliveries/redeliver"] {
            let response = send(&console, "POST", path, &lines).await;
            // The forms are empty.
            let expected = if is_accepted { 400 } else { 403 };
            assert_eq!(status(&response), expected, "{lines:?}: {response}");
        }
    }
}

#[tokio::test]
async fn responses_have_security_headers() {
    let console = ConsoleBench::start().await;
    for path in [
        "/",
        "/tasks",
        "/console.js",
        "/console.css",
        "/icon.svg",
        "/nothing",
        "/tasks/1/video.mp4",
    ] {
        let response = console.get(path).await;
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for word in ["unsafe", "http:", "https:", "data:", "blob:", "*"] {
            assert!(!policy.contains(word), "{policy}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(response.header(name), Some(value), "{path}");
        }
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn console_is_on_loopback_only() {
    let unspecified = std::net::Ipv4Addr::UNSPECIFIED.into();
    let console = ConsoleBench::with(|builder| builder.address(unspecified)).await;
    assert!(
        console.url.starts_with("http://127.0.0.1:"),
        "{}",
        console.url
    );
    let page = console.page("/").await;
    assert!(page.contains(console.bench.sandbox.base_url()));

    let plain = crate::harness::Bench::start().await;
    assert_eq!(plain.sandbox.console_url(), None);
}
