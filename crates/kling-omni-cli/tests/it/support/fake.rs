use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};

use tempfile::TempDir;

use super::Program;

/// A server for answers that no sandbox gives. It answers one request on a connection, with the bytes that the test
/// made for its path.
pub struct Fake {
    base_url: String,
    arrived: Receiver<String>,
    folder: TempDir,
}

impl Fake {
    /// `answer` gets the base URL and the path, and gives the whole answer. The connection stays open after it, so that
    /// an answer that is cut short is one that never ends.
    pub fn new(answer: impl Fn(&str, &str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let (arrival, arrived) = mpsc::channel();
        let url = base_url.clone();
        std::thread::spawn(move || serve(&listener, &url, &arrival, answer));
        Self {
            base_url,
            arrived,
            folder: TempDir::new().unwrap(),
        }
    }

    /// Every request gets the same answer.
    pub fn always(status: &str, headers: &[&str], body: &str) -> Self {
        let answer = response(status, headers, body.as_bytes());
        Self::new(move |_, _| answer.clone())
    }

    pub fn program(&self, line: &str) -> Program {
        Program::new(self.folder.path(), line)
            .key()
            .env("KLING_OMNI_BASE_URL", &self.base_url)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until a request has come, and answers its method and path.
    pub fn arrival(&self) -> String {
        self.arrived.recv().unwrap()
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

fn serve(
    listener: &TcpListener,
    base_url: &str,
    arrival: &Sender<String>,
    answer: impl Fn(&str, &str) -> Vec<u8>,
) {
    // Held, so that no connection is closed while the test goes on.
    let mut open = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let Some((method, path)) = read(&stream) else {
            continue;
        };
        if arrival.send(format!("{method} {path}")).is_err() {
            return;
        }
        let _ = stream.write_all(&answer(base_url, &path));
        open.push(stream);
    }
}

fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}
