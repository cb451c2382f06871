//! A server for one request, and a minimal transport.

use std::sync::{Arc, Mutex};

use kling_omni_api::{Client, Exchange, Inner, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A socket that returns one prepared response and records the request.
pub struct Fake {
    pub url: String,
    received: JoinHandle<String>,
}

impl Fake {
    /// Returns these bytes to the first request and closes the connection.
    pub async fn answering(response_bytes: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let response_bytes = response_bytes.to_owned();
        let received = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut received = Vec::new();
            while !is_complete(&received) {
                let mut buffer = [0; 4096];
                let read = socket.read(&mut buffer).await.expect("bytes");
                assert!(read > 0, "the client closed the connection");
                received.extend_from_slice(&buffer[..read]);
            }
            socket
                .write_all(response_bytes.as_bytes())
                .await
                .expect("sent");
            String::from_utf8(received).expect("text")
        });
        Self { url, received }
    }

    /// The received request, headers and body.
    pub async fn received(self) -> String {
        self.received.await.expect("a request")
    }

    /// A client for this server, and its transport.
    pub fn client(&self) -> (Client, Arc<Direct>) {
        client(&self.url)
    }
}

/// A client for any base URL, and its transport.
pub fn client(url: &str) -> (Client, Arc<Direct>) {
    let http = reqwest::Client::new();
    let transport = Arc::new(Direct {
        http: http.clone(),
        operations: Mutex::default(),
    });
    let inner = Inner::new(transport.clone());
    (Client::new_with_client(url, http, inner), transport)
}

/// A minimal transport.
#[derive(Debug)]
pub struct Direct {
    http: reqwest::Client,
    /// The names of the operations, one for each exchange.
    operations: Mutex<Vec<&'static str>>,
}

impl Direct {
    pub fn operations(&self) -> Vec<&'static str> {
        self.operations.lock().expect("not poisoned").clone()
    }
}

impl Transport for Direct {
    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a> {
        self.operations
            .lock()
            .expect("not poisoned")
            .push(operation);
        Box::pin(self.http.execute(request))
    }
}

/// An HTTP/1.1 response with a body.
pub fn response_bytes(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().expect("a length"))
    });
    body.len() >= length.unwrap_or(0)
}
