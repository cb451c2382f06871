//! Operations that a runtime begins to poll while it is shut down.

use std::future::IntoFuture as _;
use std::pin::Pin;
use std::sync::mpsc;

use kling_omni::Video;
use kling_omni::download::Destination;
use kling_omni::journal::Journal;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, task};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tokio::runtime::{Builder, Runtime};

type Operation = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls an operation for the first time after the shutdown of its runtime has begun.
fn begin_during_shutdown(
    setup: &Runtime,
    operation: Operation,
) -> Result<(), tokio::task::JoinError> {
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let (polled, is_polled) = mpsc::channel();
    let (shut_down, is_shut_down) = mpsc::channel();
    let task = runtime.spawn(async move {
        polled.send(()).unwrap();
        is_shut_down.recv().unwrap();
        operation.await;
    });
    is_polled.recv().unwrap();
    runtime.shutdown_background();
    shut_down.send(()).unwrap();
    setup.block_on(task)
}

async fn video() -> Video {
    let done = task("a", "COMPLETED", &["http://127.0.0.1:1/kling_a.mp4"]);
    let api = Fake::start(vec![Reply::json(200, &done)]).await;
    let client = client(api.detach(), &VirtualClock::new()).build().unwrap();
    client.task("a").wait().await.unwrap()
}

#[test]
fn blocking_work_that_cannot_begin_is_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let setup = Runtime::new().unwrap();
    let save = setup.block_on(video()).save(at("clip.mp4"));
    let check = Destination::new(at("clip.mp4"));
    let journal = Journal::create_new(at("journal"));
    let unguarded = async { tokio::task::spawn_blocking(|| ()).await.unwrap() };
    let error = begin_during_shutdown(&setup, Box::pin(unguarded)).unwrap_err();
    assert!(error.is_panic(), "the work could begin: {error}");
    let operations: [(&str, Operation); 3] = [
        (
            "check",
            Box::pin(async move { check.check().await.unwrap() }),
        ),
        (
            "save",
            Box::pin(async { save.into_future().await.map(drop).unwrap() }),
        ),
        (
            "journal",
            Box::pin(async { journal.await.map(drop).unwrap() }),
        ),
    ];
    for (name, operation) in operations {
        let error = begin_during_shutdown(&setup, operation).unwrap_err();
        assert!(error.is_cancelled(), "{name}: {error}");
    }
}
