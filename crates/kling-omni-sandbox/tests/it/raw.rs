//! Reads raw responses, for what an HTTP client hides.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Bench, KEY_HEADER};

/// A raw response, up to the end of the connection.
pub struct Raw {
    head: String,
    pub body: Vec<u8>,
}

impl Raw {
    /// Sends a request, and reads until the connection is closed, without interpreting the response.
    pub async fn send(bench: &Bench, method: &str, url: &str, body: &str) -> Self {
        let mut stream = Self::open(bench, method, url, body).await;
        let mut all = Vec::new();
        // A reset is an end, too.
        let _ = stream.read_to_end(&mut all).await;
        Self::parse(all)
    }

    /// Sends a request without reading the response.
    pub async fn open(bench: &Bench, method: &str, url: &str, body: &str) -> TcpStream {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{KEY_HEADER}: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            bench.sandbox.api_key(),
            body.len()
        );
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub fn parse(all: Vec<u8>) -> Self {
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.map_or(all.len(), |end| end + 4);
        Self {
            head: String::from_utf8_lossy(&all[..end]).into_owned(),
            body: all[end..].to_vec(),
        }
    }

    /// Returns the status, or `None` without a response.
    pub fn status(&self) -> Option<u16> {
        self.head.split(' ').nth(1)?.parse().ok()
    }

    /// Returns the status line and the header lines.
    pub fn head(&self) -> &str {
        &self.head
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Returns how much of the announced body arrived.
    pub fn share(&self) -> String {
        match self.header("content-length") {
            Some(announced) if announced == self.body.len().to_string() => "whole".to_owned(),
            Some(announced) => format!("{} of {announced}", self.body.len()),
            None => "of no announced length".to_owned(),
        }
    }

    /// Summarizes the response: status, content type, share of the body, and body.
    pub fn summary(&self, id: &str) -> String {
        let Some(status) = self.status() else {
            return "closed".to_owned();
        };
        let kind = self.header("content-type").unwrap_or("untyped");
        let body = String::from_utf8_lossy(&self.body);
        let body = if body.len() > 200 { "…" } else { &body };
        let body = if id.is_empty() {
            body.to_owned()
        } else {
            body.replace(id, "ID")
        };
        format!("{status} {kind} {}: {}", self.share(), body.trim_end())
    }
}

/// Sorts the fields of the JSON in a summary. The sandbox edits JSON with a library that keeps their order or not, by a feature
/// that another package may enable.
pub fn sorted(summary: &str) -> String {
    let Some((start, body)) = summary.split_once(": ") else {
        return summary.to_owned();
    };
    match serde_json::from_str::<Value>(body) {
        Ok(mut body) => {
            body.sort_all_objects();
            format!("{start}: {body}")
        }
        Err(_) => summary.to_owned(),
    }
}
