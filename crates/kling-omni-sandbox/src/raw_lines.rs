//! Header lines that an HTTP library does not send: they are written into the head of an answer on its way out.

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

/// Stands in the head for a line that takes its place.
const MARK: &str = "x-kling-omni-sandbox-raw-line";
const END: &[u8] = b"\r\n";

/// Adds a line to the head of an answer, to be sent byte for byte.
pub(crate) fn add(headers: &mut HeaderMap, line: &[u8]) {
    // Base64 is always a header value.
    if let Ok(value) = HeaderValue::try_from(STANDARD.encode(line)) {
        headers.append(HeaderName::from_static(MARK), value);
    }
}

/// A TCP listener whose connections write such lines.
#[derive(Debug)]
pub(crate) struct RawListener(pub(crate) TcpListener);

impl Listener for RawListener {
    type Io = RawLines;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (RawLines, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let lines = RawLines {
            stream,
            left: Vec::new(),
        };
        (lines, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that puts the lines into each head with marks. The server writes a head in one piece.
#[derive(Debug)]
pub(crate) struct RawLines {
    stream: TcpStream,
    /// What was taken to be written and was not yet.
    left: Vec<u8>,
}

impl RawLines {
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.left))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left.drain(..written);
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
        ready!(self.poll_left(cx))?;
        match with_lines(bytes) {
            Some(changed) => {
                self.left = changed;
                Poll::Ready(Ok(bytes.len()))
            }
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
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

/// A head with the lines in place of their marks; `None` where there are no marks.
fn with_lines(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.") {
        return None;
    }
    let end = find(bytes, b"\r\n\r\n")? + END.len();
    let (mut head, body) = bytes.split_at(end);
    find(head, MARK.as_bytes())?;
    let mut changed = Vec::with_capacity(bytes.len());
    while let Some(end) = find(head, END) {
        let (line, rest) = head.split_at(end + END.len());
        let marked = line.strip_prefix(MARK.as_bytes());
        let marked = marked.and_then(|rest| {
            STANDARD
                .decode(rest.trim_ascii().get(1..)?.trim_ascii())
                .ok()
        });
        match marked {
            Some(raw) => {
                changed.extend(raw);
                changed.extend_from_slice(END);
            }
            None => changed.extend_from_slice(line),
        }
        head = rest;
    }
    changed.extend_from_slice(body);
    Some(changed)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
