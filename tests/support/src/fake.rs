//! A server below HTTP: it says exactly the bytes it is told to, or nothing, and keeps the requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// What the fake does with one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Writes these bytes and then nothing more, keeping the connection open.
    Stall(Vec<u8>),
    /// Closes without a word.
    Drop,
}

impl Reply {
    /// A whole response with a length that is right.
    pub fn http(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        Self::Bytes(response(status, headers, body.len(), body))
    }

    /// A JSON response.
    pub fn json(status: u16, body: &str) -> Self {
        Self::http(status, &[("content-type", "application/json")], body)
    }

    /// A response that announces `length` bytes and brings only `body`.
    pub fn cut(status: u16, length: usize, body: &[u8]) -> Self {
        Self::cut_with(status, &[], length, body)
    }

    /// As [`cut`](Self::cut), with headers.
    pub fn cut_with(status: u16, headers: &[(&str, &str)], length: usize, body: &[u8]) -> Self {
        Self::Bytes(response(status, headers, length, body))
    }

    /// A response whose end is that of the connection.
    pub fn unframed(headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = head(200, headers).into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }

    /// The same bytes, after which the connection stays open.
    pub fn stalling(self) -> Self {
        match self {
            Self::Bytes(bytes) | Self::Stall(bytes) => Self::Stall(bytes),
            Self::Drop => Self::hang(),
        }
    }

    /// A response that announces `length` bytes, brings `body`, and stalls.
    pub fn slow(status: u16, length: usize, body: &[u8]) -> Self {
        Self::Stall(response(status, &[], length, body))
    }

    /// No response at all, on an open connection.
    pub fn hang() -> Self {
        Self::Stall(Vec::new())
    }
}

fn response(status: u16, headers: &[(&str, &str)], length: usize, body: &[u8]) -> Vec<u8> {
    let length = length.to_string();
    let headers = [&[("content-length", length.as_str())], headers].concat();
    let mut bytes = head(status, &headers).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn head(status: u16, headers: &[(&str, &str)]) -> String {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\nx-request-id: ak-fake\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /path?query`.
    pub line: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body's bytes, as text.
    pub body: String,
}

impl Request {
    /// The method and the target of the request.
    fn words(&self) -> (&str, &str) {
        self.line.split_once(' ').unwrap_or((&self.line, ""))
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.words().0
    }

    /// The path with its query; of a request to a proxy, the URL.
    pub fn path(&self) -> &str {
        self.words().1
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The running server. It stops when dropped.
#[derive(Debug)]
pub struct Fake {
    base_url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    server: JoinHandle<()>,
}

impl Fake {
    /// Answers the first request with the first reply and so on; the last reply serves for all that follow.
    pub async fn start(replies: Vec<Reply>) -> Self {
        let mut next = 0;
        Self::answering(move |_, _| {
            let reply = replies[next.min(replies.len() - 1)].clone();
            next += 1;
            reply
        })
        .await
    }

    /// Answers each request with what `answer` makes of this server's URL and the request, one after another.
    pub async fn answering(
        mut answer: impl FnMut(&str, &Request) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let url = base_url.clone();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let server = tokio::spawn(async move {
            // Stalled connections stay open for as long as the server runs.
            let mut stalled = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read_request(&mut stream).await else {
                    continue;
                };
                log.lock().unwrap().push(request.clone());
                match answer(&url, &request) {
                    Reply::Bytes(bytes) => {
                        let _ = stream.write_all(&bytes).await;
                        let _ = stream.shutdown().await;
                    }
                    Reply::Stall(bytes) => {
                        let _ = stream.write_all(&bytes).await;
                        stalled.push(stream);
                    }
                    Reply::Drop => {}
                }
            }
        });
        Self {
            base_url,
            requests,
            server,
        }
    }

    /// Where it listens.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Lets it answer for as long as the runtime lives, and says where it listens.
    pub fn detach(self) -> String {
        let base_url = self.base_url.clone();
        std::mem::forget(self);
        base_url
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A port that refuses connections. It is held while this lives, so no other test can listen on it.
#[derive(Debug)]
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// Binds a port without listening on it.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    /// The port with its address.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// An http URL of the port, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Default for ClosedPort {
    fn default() -> Self {
        Self::new()
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
    Some(Request {
        line,
        headers,
        body,
    })
}
