//! A process that was suspended reads the received data before it reports a timeout.

use std::time::Duration;

use futures_util::TryStreamExt;
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// How long the process is suspended: far longer than every timeout.
const SUSPENSION: Duration = Duration::from_secs(600);

/// A server that sends `first` bytes of `response`, then the rest while the client is suspended. The rest is in the
/// client's socket when the time of the suspension has passed.
async fn suspending_server(response: Vec<u8>, first: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let (mut line, mut length) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).await.unwrap();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = (&mut stream).take(length);
            tokio::io::copy(&mut body, &mut tokio::io::sink())
                .await
                .unwrap();
            let (now, later) = response.split_at(first);
            stream.write_all(now).await.unwrap();
            // The client reads it.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            stream.write_all(later).await.unwrap();
            tokio::time::pause();
            tokio::time::advance(SUSPENSION).await;
            tokio::time::resume();
            kept.push(stream);
        }
    });
    base_url
}

fn response(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// No bytes, the headers, and the headers with a part of the body.
fn parts(response: &[u8]) -> [usize; 3] {
    let head = response
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    [0, head, head + 10]
}

#[tokio::test]
async fn create_and_poll_read_received_data() {
    let response = response(task("a", "CREATED", &[]).as_bytes());
    for first in parts(&response) {
        let clock = VirtualClock::new();
        let client = client(suspending_server(response.clone(), first).await, &clock)
            .max_retries(0)
            .build()
            .unwrap();
        let created = client.create(valid_request().build().unwrap()).await;
        assert_eq!(created.expect("a task").id(), "a", "{first}");
        let state = client.task("a").refresh().await;
        assert_eq!(state.expect("a state").id(), "a", "{first}");
    }
}

#[tokio::test]
async fn download_reads_received_data() {
    let file = mp4(5_000);
    let answered = response(&file);
    for first in parts(&answered) {
        let url = format!("{}/v.mp4", suspending_server(answered.clone(), first).await);
        let clock = VirtualClock::new();
        let finished = response(task("a", "COMPLETED", &[&url]).as_bytes());
        let api = suspending_server(finished, 0).await;
        let client = client(api, &clock).max_retries(0).build().unwrap();
        let video = client.task("a").wait().await.unwrap();
        let chunks = video.download().await.expect("headers");
        let chunks: Vec<_> = chunks.try_collect().await.expect("a file");
        assert_eq!(chunks.concat(), file, "{first}");
    }
}
