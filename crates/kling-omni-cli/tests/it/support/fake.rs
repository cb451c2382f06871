use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tempfile::TempDir;

use super::{Program, fixture};

/// A server for answers that no sandbox gives. It answers one request on a connection, with the bytes that the test
/// made for its path.
pub struct Fake {
    base_url: String,
    arrived: Receiver<Arrival>,
    folder: TempDir,
}

/// A request as it came.
pub struct Arrival {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
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
            .env("KLING_OMNI_BASE_URL", &self.base_url)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Waits until a request has come.
    pub fn request(&self) -> Arrival {
        self.arrived.recv().unwrap()
    }

    /// Waits until a request has come, and answers its method and path.
    pub fn arrival(&self) -> String {
        let request = self.request();
        format!("{} {}", request.method, request.path)
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
    arrival: &Sender<Arrival>,
    answer: impl Fn(&str, &str) -> Vec<u8>,
) {
    // Held, so that no connection is closed while the test goes on.
    let mut open = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let Some(request) = read(&stream) else {
            continue;
        };
        let path = request.path.clone();
        if arrival.send(request).is_err() {
            return;
        }
        let _ = stream.write_all(&answer(base_url, &path));
        open.push(stream);
    }
}

fn read(stream: &TcpStream) -> Option<Arrival> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    let length = headers.get("content-length").map(HeaderValue::to_str);
    let mut body = vec![0; length.map_or(Some(0), |text| text.ok()?.parse().ok())?];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    Some(Arrival {
        method: words.next()?,
        path: words.next()?,
        headers,
        body,
    })
}
