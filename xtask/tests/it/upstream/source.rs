//! Where the vendor's document comes from: files and URLs.

use openapi_diff::document::MOST_BYTES;
use xtask::spec::upstream::source::read;

use super::server::Server;
use crate::workspace::root;

const VENDOR: &str = include_str!("vendor.yaml");

fn fault(source: &str) -> String {
    match read(source) {
        Ok(document) => panic!("{} was read", document.name),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn a_document_comes_from_a_file_or_a_url() {
    let file = root().join("xtask/tests/it/upstream/vendor.yaml");
    let from_file = read(&file.display().to_string()).expect("a file");
    let server = Server::with("200 OK", "text/plain", VENDOR);
    let url = server.url("/openapi.yaml?token=secret");
    let from_url = read(&url.replace("http://", "http://me:word@")).expect("a URL");
    assert_eq!(from_file.tree, from_url.tree);
    assert_eq!(from_url.name, server.url("/openapi.yaml"));
    let seen = server.seen().join("\n");
    assert!(
        seen.starts_with("GET /openapi.yaml?token=secret "),
        "{seen}"
    );
    assert!(seen.contains("user-agent: kling-omni-xtask/"), "{seen}");
}

#[test]
fn a_redirect_is_followed_but_not_for_ever() {
    let server = Server::with("200 OK", "application/yaml", VENDOR);
    let to = |url: &str| {
        Server::new(format!(
            "HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ))
    };
    let moved = to(&server.url("/new.yaml"));
    assert!(read(&moved.url("/old.yaml")).is_ok());
    let ring = to("/again");
    let message = fault(&ring.url("/"));
    assert!(message.contains("redirect"), "{message}");
    assert_eq!(ring.seen().len(), 6);
}

#[test]
fn what_is_no_document_is_said_with_its_name() {
    // Bound and not listened on, it refuses connections, and no other test can listen on it.
    let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    closed.bind(any).expect("a free port");
    let closed_url = format!("http://{}/x", closed.local_addr().expect("an address"));
    let page = "<!doctype html><title>Log in</title>";
    let answers = [
        (
            Server::with("404 Not Found", "text/plain", "no"),
            "the answer is 404 Not Found",
        ),
        (
            Server::with("204 No Content", "text/plain", ""),
            "the answer is 204 No Content",
        ),
        (
            Server::with("503 Service Unavailable", "text/html", page),
            "the answer is 503",
        ),
        (
            Server::with("200 OK", "text/html; charset=utf-8", page),
            "an HTML page came",
        ),
        (
            Server::with("200 OK", "application/yaml", format!("\n {page}")),
            "an HTML page came",
        ),
        (
            Server::with("200 OK", "application/yaml", vec![b' '; MOST_BYTES + 1]),
            "it is larger than 16 MiB",
        ),
        (
            Server::with("200 OK", "application/yaml", "openapi: [3.0.0"),
            ":1:10: unclosed bracket",
        ),
        (
            Server::with("200 OK", "application/yaml", "a: 1"),
            "it is a mapping without `openapi`",
        ),
        (
            Server::with("200 OK", "application/yaml", ""),
            "it is nothing without `openapi`",
        ),
        (
            Server::with("200 OK", "application/yaml", "openapi: 2.0"),
            ":1: `openapi` is not 3.0.x or 3.1.x",
        ),
        (
            Server::with("200 OK", "application/yaml", "openapi: 3.0.0\npaths: {}"),
            ":2: `paths` is missing or empty",
        ),
        (
            Server::new("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nopen"),
            "cannot fetch",
        ),
        (Server::new("nonsense"), "cannot fetch"),
    ];
    for (server, wanted) in answers {
        let message = fault(&server.url("/openapi.yaml?token=secret"));
        assert!(message.contains(wanted), "{wanted}: {message}");
        assert!(message.contains(&server.url("/openapi.yaml")), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
    let sources = [
        (closed_url.as_str(), "cannot fetch http://127.0.0.1:"),
        ("http://", "`http://` is not a URL"),
        ("ftp://example.com/x", "`ftp` is neither http nor https"),
        ("no/such/file.yaml", "no/such/file.yaml: cannot read it"),
        (env!("CARGO_MANIFEST_DIR"), "cannot read"),
    ];
    for (source, wanted) in sources {
        let message = fault(source);
        assert!(message.contains(wanted), "{source}: {message}");
    }
}
