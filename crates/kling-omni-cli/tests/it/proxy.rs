//! Proxies of the environment: none is bypassed silently, and the SSRF guard checks the target, not the proxy.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::{Fake, Program, response};

/// A public address. No test connects to it: the proxy responds instead.
const PUBLIC: &str = "http://8.8.8.8/dance.mp4";

#[test]
fn loopback_proxy_is_allowed() {
    for name in ["localhost", "127.0.0.1"] {
        let proxy = Fake::of_file("dance.mp4");
        let (_, port) = proxy.base_url().rsplit_once(':').unwrap();
        for variable in ["http_proxy", "ALL_PROXY"] {
            let ended = Program::new(proxy.folder(), "check")
                .arg(PUBLIC)
                .env(variable, &format!("http://{name}:{port}"))
                .run()
                .expect(0);
            assert!(ended.stdout.contains("video"), "{ended}");
            assert_eq!(proxy.arrival(), format!("GET {PUBLIC}"));
        }
    }
}

#[test]
fn private_target_is_rejected_before_the_proxy_is_contacted() {
    let proxy = Fake::of_file("dance.mp4");
    for (target, problem) in [
        ("http://10.0.0.1/dance.mp4", "its address is private"),
        ("http://localhost/dance.mp4", "its address is private"),
        (
            "http://[::ffff:10.0.0.1]/dance.mp4",
            "its address is private",
        ),
        ("http://169.254.169.254/dance.mp4", "its address is private"),
        (
            "http://vault.corp.invalid/dance.mp4",
            "cannot resolve its name",
        ),
    ] {
        let ended = Program::new(proxy.folder(), "check")
            .arg(target)
            .env("http_proxy", proxy.base_url())
            .run()
            .expect(0);
        assert!(ended.stdout.contains(problem), "{ended}");
    }
    // Only the allowed request reaches the proxy, as its first one.
    let ended = Program::new(
        proxy.folder(),
        "check --allow-private-networks http://10.0.0.1/dance.mp4",
    )
    .env("http_proxy", proxy.base_url())
    .run();
    assert_eq!(proxy.arrival(), "GET http://10.0.0.1/dance.mp4", "{ended}");
}

#[test]
fn invalid_proxy_is_an_error() {
    for (variable, value) in [
        ("ALL_PROXY", "socks://needle:1080"),
        ("all_proxy", "socks6://u:needle@host:1080"),
        ("HTTP_PROXY", "ftp://needle"),
        ("http_proxy", "http://[needle"),
        ("HTTPS_PROXY", "http://host:needle"),
    ] {
        let service = Fake::always("200 OK", &[], r#"{"data":[]}"#);
        let list = |line: &str| {
            let url = match variable.to_lowercase().as_str() {
                "https_proxy" => service.base_url().replace("http:", "https:"),
                _ => service.base_url().to_owned(),
            };
            Program::new(service.folder(), line)
                .key()
                .env("KLING_OMNI_BASE_URL", &url)
                .env(variable, value)
        };
        let ended = list("list --json").run().expect(2);
        assert_eq!(ended.json()["error"]["kind"], "configuration", "{ended}");
        assert!(ended.stderr.contains(variable), "{ended}");
        assert!(!ended.stderr.contains("needle"), "{ended}");
        if variable.to_lowercase() != "https_proxy" {
            // No request bypassed the proxy: this is the first one.
            list("list").env("NO_PROXY", "127.0.0.1").run().expect(0);
            assert!(service.arrival().starts_with("GET /v1/"));
            let checked = Program::new(service.folder(), "check")
                .arg(PUBLIC)
                .env(variable, value)
                .run()
                .expect(0);
            assert!(checked.stdout.contains(variable), "{checked}");
        }
    }
}

#[test]
fn socks_is_supported() {
    for scheme in ["socks5", "socks5h"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("{scheme}://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(&[5, 0]).unwrap();
            // To an IPv4 address and a port.
            let mut request = [0; 10];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let response = response("200 OK", &[], br#"{"data":[]}"#);
            stream.write_all(&response).unwrap();
            request
        });
        let folder = tempfile::tempdir().unwrap();
        Program::new(
            folder.path(),
            "list --mode text --base-url http://192.0.2.7:80",
        )
        .key()
        .env("all_proxy", &proxy)
        .run()
        .expect(0);
        let request = serving.join().unwrap();
        assert_eq!(request, [5, 1, 0, 1, 192, 0, 2, 7, 0, 80]);
    }
}
