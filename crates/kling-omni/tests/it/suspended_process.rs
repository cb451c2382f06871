//! A process that was stopped reads what has arrived meanwhile before it declares a time-out.

use std::time::Duration;

use futures_util::TryStreamExt;
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::setup::{client, task, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// How long the process stands still: far beyond every limit.
const STOP: Duration = Duration::from_secs(600);

/// Answers each request with these bytes, of which the first so many come at once. When the rest lies in the socket of
/// the client, and before the client can look at it, the time of the stop has passed.
async fn stopping(answer: Vec<u8>, first: usize) -> String {
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
            let (now, later) = answer.split_at(first);
            stream.write_all(now).await.unwrap();
            // The client gets to see it.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            stream.write_all(later).await.unwrap();
            tokio::time::pause();
            tokio::time::advance(STOP).await;
            tokio::time::resume();
            kept.push(stream);
        }
    });
    base_url
}

fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// None of it, its head, and its head with a part of its body.
fn parts(answer: &[u8]) -> [usize; 3] {
    let head = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    [0, head, head + 10]
}

#[tokio::test]
async fn a_create_and_a_poll_read_what_has_arrived() {
    let answer = answer(task("a", "CREATED", &[]).as_bytes());
    for first in parts(&answer) {
        let clock = VirtualClock::new();
        let client = client(stopping(answer.clone(), first).await, &clock)
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
async fn a_download_reads_what_has_arrived() {
    let file = mp4(5_000);
    let answered = answer(&file);
    for first in parts(&answered) {
        let url = format!("{}/v.mp4", stopping(answered.clone(), first).await);
        let clock = VirtualClock::new();
        let finished = answer(task("a", "COMPLETED", &[&url]).as_bytes());
        let api = stopping(finished, 0).await;
        let client = client(api, &clock).max_retries(0).build().unwrap();
        let video = client.task("a").wait().await.unwrap();
        let chunks = video.download().await.expect("a head");
        let chunks: Vec<_> = chunks.try_collect().await.expect("a file");
        assert_eq!(chunks.concat(), file, "{first}");
    }
}
