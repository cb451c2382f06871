//! Sends header lines that no HTTP library sends, by replacing placeholders in the head of a response.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The name of the placeholder header.
const PLACEHOLDER: &str = "x-kling-omni-sandbox-raw-line";
const END: &[u8] = b"\r\n";

/// Adds a header line to a response, to be sent byte for byte.
pub(crate) fn add(headers: &mut HeaderMap, line: &[u8]) {
    // Base64 is always a header value.
    if let Ok(value) = HeaderValue::try_from(STANDARD.encode(line)) {
        headers.append(HeaderName::from_static(PLACEHOLDER), value);
    }
}

/// Removes the lines that were added.
pub(crate) fn remove(headers: &mut HeaderMap) {
    headers.remove(PLACEHOLDER);
}

/// A TCP listener whose connections replace placeholders.
#[derive(Debug)]
pub(crate) struct RawListener(pub(crate) TcpListener);

impl Listener for RawListener {
    type Io = RawLines;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (RawLines, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let lines = RawLines {
            stream,
            pending: Vec::new(),
        };
        (lines, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that replaces the placeholders in each head. The server writes a head at once.
#[derive(Debug)]
pub(crate) struct RawLines {
    stream: TcpStream,
    /// Accepted bytes that are not written yet.
    pending: Vec<u8>,
}

impl RawLines {
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for RawLines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        match replace_placeholders(bytes) {
            Some(replaced) => {
                self.pending = replaced;
                Poll::Ready(Ok(bytes.len()))
            }
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for RawLines {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

/// Replaces the placeholders in a head. Returns `None` if it has none.
fn replace_placeholders(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.") {
        return None;
    }
    let end = find(bytes, b"\r\n\r\n")? + END.len();
    let (mut head, body) = bytes.split_at(end);
    find(head, PLACEHOLDER.as_bytes())?;
    let mut replaced = Vec::with_capacity(bytes.len());
    while let Some(end) = find(head, END) {
        let (line, rest) = head.split_at(end + END.len());
        let encoded = line.strip_prefix(PLACEHOLDER.as_bytes());
        let decoded = encoded.and_then(|rest| {
            STANDARD
                .decode(rest.trim_ascii().get(1..)?.trim_ascii())
                .ok()
        });
        match decoded {
            Some(raw) => {
                replaced.extend(raw);
                replaced.extend_from_slice(END);
            }
            None => replaced.extend_from_slice(line),
        }
        head = rest;
    }
    replaced.extend_from_slice(body);
    Some(replaced)
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}
