//! A TCP proxy between a client and a service that breaks connections below HTTP, where the service itself has no say.

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fake::ClosedPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the proxy does to each `POST`. All other requests get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// `refused`: the connection is refused.
    Refused,
    /// `swallow`: takes the request, passes nothing on, and closes without a byte.
    Swallow,
    /// `reset`: resets the connection before it has read all of the request, and passes nothing on.
    Reset,
    /// `cut=BYTES`: passes the request on, and closes after so much of the answer, its head included.
    Cut(usize),
    /// `status=CODE`: passes the request on, and gives the answer this status.
    Status(u16),
    /// `interim=CODE`: passes the request on, and sends a head with this status before the answer.
    Interim(u16),
    /// `garbage`: passes the request on, and answers in no protocol at all.
    Garbage,
}

impl FromStr for Break {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let wrong = |error| format!("{text}: {error}");
        let number = || value.parse().map_err(wrong);
        Ok(match name {
            "refused" => Self::Refused,
            "swallow" => Self::Swallow,
            "reset" => Self::Reset,
            "cut" => Self::Cut(value.parse().map_err(wrong)?),
            "status" => Self::Status(number()?),
            "interim" => Self::Interim(number()?),
            "garbage" => Self::Garbage,
            _ => return Err(format!("`{text}` is nothing that a proxy does")),
        })
    }
}

/// A running proxy. It stops when dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    posts: Arc<AtomicUsize>,
    end: End,
}

/// What is at the client's end.
#[derive(Debug)]
enum End {
    Server(JoinHandle<()>),
    /// Keeps the port closed as long as the proxy lives.
    Closed(#[expect(dead_code, reason = "it is held")] ClosedPort),
}

impl TcpProxy {
    /// A proxy of the service at `base_url`.
    pub async fn start(base_url: &str, fault: Break) -> Self {
        let service: SocketAddr = base_url.trim_start_matches("http://").parse().unwrap();
        let posts = Arc::new(AtomicUsize::new(0));
        if fault == Break::Refused {
            let closed = ClosedPort::new();
            return Self {
                address: closed.address(),
                posts,
                end: End::Closed(closed),
            };
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counted = Arc::clone(&posts);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let posts = Arc::clone(&counted);
                // Whatever breaks is what was asked for.
                tokio::spawn(async move { serve(client, service, fault, &posts).await });
            }
        });
        Self {
            address,
            posts,
            end: End::Server(server),
        }
    }

    /// Where it listens.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many `POST` requests have come in.
    pub fn posts(&self) -> usize {
        self.posts.load(Ordering::Relaxed)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        if let End::Server(server) = &self.end {
            server.abort();
        }
    }
}

/// Serves one connection for as long as it is used.
async fn serve(
    mut client: TcpStream,
    service: SocketAddr,
    fault: Break,
    posts: &AtomicUsize,
) -> io::Result<()> {
    loop {
        let mut method = [0; 4];
        if client.peek(&mut method).await? == 0 {
            return Ok(());
        }
        let is_post = &method == b"POST";
        if is_post {
            posts.fetch_add(1, Ordering::Relaxed);
        }
        if is_post && fault == Break::Reset {
            // What has come and was not read turns the close into a reset.
            return Ok(());
        }
        let Some(request) = message(&mut client).await? else {
            return Ok(());
        };
        if is_post && fault == Break::Swallow {
            return Ok(());
        }
        let mut upstream = TcpStream::connect(service).await?;
        upstream.write_all(&request).await?;
        let Some(answer) = message(&mut upstream).await? else {
            return Ok(());
        };
        if !is_post {
            client.write_all(&answer).await?;
            continue;
        }
        client.write_all(&bent(fault, answer)).await?;
        return client.shutdown().await;
    }
}

/// What becomes of an answer on its way.
fn bent(fault: Break, mut answer: Vec<u8>) -> Vec<u8> {
    match fault {
        Break::Cut(bytes) => answer.truncate(bytes),
        Break::Status(code) => {
            answer.splice(9..12, code.to_string().into_bytes());
        }
        Break::Interim(code) => {
            answer.splice(..0, format!("HTTP/1.1 {code} X\r\n\r\n").into_bytes());
        }
        Break::Garbage => answer = b"+OK this is another service\r\n".to_vec(),
        Break::Refused | Break::Swallow | Break::Reset => {}
    }
    answer
}

/// A request or an answer with the length that it announces; `None` if there comes no more of them.
async fn message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(length) = length(&bytes)
            && bytes.len() >= length
        {
            return Ok(Some(bytes));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// How long a message is, once its head is there.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let announced = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    Some(head + announced.map_or(0, |length| length.trim().parse().unwrap()))
}
