//! A server for responses that no sandbox gives, and a folder to run the program in.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};

use kling_omni_test_support::fake::{self, Reply, Request};
use tempfile::TempDir;

use super::{Background, Program, fixture};

/// A server for answers that no sandbox gives. It answers one request on a connection, with the bytes that the test
/// made for its path.
pub struct Fake {
    server: Background<fake::Fake>,
    arrived: Receiver<Request>,
    folder: TempDir,
}

impl Fake {
    /// `answer` gets the base URL and the path, and gives the whole answer. The connection stays open after it, so that
    /// an answer that is cut short is one that never ends.
    pub fn new(answer: impl Fn(&str, &str) -> Vec<u8> + Send + 'static) -> Self {
        let (arrival, arrived) = mpsc::channel();
        let server = Background::start(fake::Fake::answering(move |base_url, request| {
            // Not every test wants to know.
            let _ = arrival.send(request.clone());
            Reply::Stall(answer(base_url, request.path()))
        }));
        Self {
            server,
            arrived,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Every request gets the same answer.
    pub fn always(status: &str, headers: &[&str], body: &str) -> Self {
        let answer = response(status, headers, body.as_bytes());
        Self::new(move |_, _| answer.clone())
    }

    /// Every request gets a fixture, as the answer to a range that is longer than it.
    pub fn of_file(name: &str) -> Self {
        let content = std::fs::read(fixture(name)).unwrap();
        let length = content.len();
        let range = format!("content-range: bytes 0-{}/{length}", length - 1);
        let answer = response("206 Partial Content", &[&range], &content);
        Self::new(move |_, _| answer.clone())
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

    /// Waits until a request has come.
    pub fn request(&self) -> Request {
        self.arrived.recv().unwrap()
    }

    /// Waits until a request has come, and answers its method and path.
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
