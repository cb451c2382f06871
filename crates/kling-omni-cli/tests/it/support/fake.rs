//! A server with arbitrary responses, and a folder to run the program in.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};

use kling_omni_test_support::fake::{self, Reply, Request};
use tempfile::TempDir;

use super::{Background, Program, fixture};

/// A server that responds to one request per connection, with bytes that the test chooses by path.
pub struct Fake {
    server: Background<fake::Fake>,
    arrived: Receiver<Request>,
    folder: TempDir,
}

impl Fake {
    /// `respond` takes the base URL and the path, and returns the complete response. The connection stays open, so a truncated
    /// response never ends.
    pub fn new(respond: impl Fn(&str, &str) -> Vec<u8> + Send + 'static) -> Self {
        let (arrival, arrived) = mpsc::channel();
        let server = Background::start(fake::Fake::answering(move |base_url, request| {
            // Not every test reads the requests.
            let _ = arrival.send(request.clone());
            Reply::Stall(respond(base_url, request.path()))
        }));
        Self {
            server,
            arrived,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Every request gets the same response.
    pub fn always(status: &str, headers: &[&str], body: &str) -> Self {
        let response = response(status, headers, body.as_bytes());
        Self::new(move |_, _| response.clone())
    }

    /// Every request gets a fixture, as the response to a range that is longer than the file.
    pub fn of_file(name: &str) -> Self {
        let content = std::fs::read(fixture(name)).unwrap();
        let length = content.len();
        let range = format!("content-range: bytes 0-{}/{length}", length - 1);
        let response = response("206 Partial Content", &[&range], &content);
        Self::new(move |_, _| response.clone())
    }

    pub fn program(&self, line: &str) -> Program {
        Program::new(self.folder.path(), line)
            .key()
            .env("KLING_OMNI_BASE_URL", self.base_url())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn base_url(&self) -> &str {
        self.server.base_url()
    }

    /// Waits for a request.
    pub fn request(&self) -> Request {
        self.arrived.recv().unwrap()
    }

    /// Waits for a request, and returns its method and path.
    pub fn arrival(&self) -> String {
        self.request().line
    }
}

pub fn response(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}
