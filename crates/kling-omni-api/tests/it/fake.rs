//! A server for one request, and the simplest transport.

use std::sync::{Arc, Mutex};

use kling_omni_api::{Client, Exchange, Inner, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A socket that gives one prepared answer and tells what it was asked.
pub struct Fake {
    pub url: String,
    asked: JoinHandle<String>,
}

impl Fake {
    /// Answers the first request with these bytes and closes the connection.
    pub async fn answering(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answer = answer.to_owned();
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut asked = Vec::new();
            while !is_whole(&asked) {
                let mut buffer = [0; 4096];
                let read = socket.read(&mut buffer).await.expect("bytes");
                assert!(read > 0, "the client hung up");
                asked.extend_from_slice(&buffer[..read]);
            }
            socket.write_all(answer.as_bytes()).await.expect("sent");
            String::from_utf8(asked).expect("text")
        });
        Self { url, asked }
    }

    /// The request as it came in, head and body.
    pub async fn asked(self) -> String {
        self.asked.await.expect("a request came")
    }

    /// A client for it, and its transport.
    pub fn client(&self) -> (Client, Arc<Direct>) {
        client(&self.url)
    }
}

/// A client for any base URL, and its transport.
pub fn client(url: &str) -> (Client, Arc<Direct>) {
    let http = reqwest::Client::new();
    let transport = Arc::new(Direct {
        http: http.clone(),
        told: Mutex::default(),
    });
    let inner = Inner::new(transport.clone());
    (Client::new_with_client(url, http, inner), transport)
}

/// The least that a transport can be.
#[derive(Debug)]
pub struct Direct {
    http: reqwest::Client,
    /// The names of the operations, one for each exchange.
    told: Mutex<Vec<&'static str>>,
}

impl Direct {
    pub fn told(&self) -> Vec<&'static str> {
        self.told.lock().expect("not poisoned").clone()
    }
}

impl Transport for Direct {
    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a> {
        self.told.lock().expect("not poisoned").push(operation);
        Box::pin(self.http.execute(request))
    }
}

/// An answer with a body, as HTTP/1.1.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

fn is_whole(request: &[u8]) -> bool {
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
