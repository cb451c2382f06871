//! Waits in several threads and runtimes.

use std::future::IntoFuture as _;

use futures_util::StreamExt as _;
use kling_omni::polling::PollSchedule;

use super::{Duration, FakeService, Request, ResponseOverride, make, s, well_behaved};
use crate::list_polling::client_of;

#[test]
fn wait_continues_while_another_runtime_is_idle() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let server = runtime();
    let service = server.block_on(FakeService::start(Duration::from_millis(300), well_behaved));
    std::thread::spawn(move || server.block_on(std::future::pending::<()>()));
    // A connection is driven by the runtime that opened it, so none is kept here.
    let alone = kling_omni::reqwest::Client::builder().pool_max_idle_per_host(0);
    let client = client_of(service.base_url())
        .http_client(alone.build().unwrap())
        .build()
        .unwrap();
    let idle = runtime();
    let tasks = idle.block_on(make(&client, 2));
    let often = PollSchedule::fixed(Duration::from_millis(100));
    // An abandoned wait. Its runtime is kept but not polled, like that of a blocking API between calls.
    idle.block_on(async {
        let wait = tasks[0].wait().schedule(often.clone()).into_future();
        let _ = tokio::time::timeout(Duration::from_millis(20), wait).await;
    });
    let (done, end) = std::sync::mpsc::channel();
    let wait = tasks[1].wait().schedule(often).timeout(s(1));
    std::thread::spawn(move || {
        let ended = runtime().block_on(wait.into_future());
        done.send(ended.is_ok()).unwrap();
    });
    let ended = end.recv_timeout(s(8));
    drop(idle);
    assert_eq!(
        ended,
        Ok(true),
        "the wait returned neither the video nor a timeout"
    );
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_schedule_fails_only_its_wait() {
    let service = FakeService::start(s(100), well_behaved).await;
    let client = service.client();
    let tasks = make(&client, 20).await;
    let panics = PollSchedule::custom(|_, waited| match waited < s(45) {
        true => s(3),
        false => panic!("panic of the caller"),
    });
    let bad = tokio::spawn(tasks[0].wait().schedule(panics).into_future());
    let mut failures = Vec::new();
    let mut watch = client
        .watch(&tasks[1..])
        .schedule(PollSchedule::fixed(s(3)));
    while let Some(watched) = watch.next().await {
        if let Ok(kling_omni::polling::Update::PollFailed { reason, .. }) = watched.update {
            failures.push(reason);
        }
    }
    assert_eq!(failures, Vec::<String>::new());
    assert!(bad.await.unwrap_err().is_panic());
}

#[test]
fn out_of_order_responses_do_not_panic() {
    use std::sync::atomic::{AtomicBool, Ordering};
    #[derive(Debug)]
    struct Slow;
    impl kling_omni::clock::Clock for Slow {
        fn now(&self) -> std::time::Instant {
            let now = std::time::Instant::now();
            // A thread may be suspended at any point.
            if std::thread::current().name() == Some("slow") {
                std::thread::sleep(Duration::from_millis(50));
            }
            now
        }
        fn system_time(&self) -> std::time::SystemTime {
            std::time::SystemTime::now()
        }
        fn sleep_until(&self, deadline: std::time::Instant) -> kling_omni::clock::Sleep<'_> {
            Box::pin(tokio::time::sleep_until(deadline.into()))
        }
    }
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let server = runtime();
    let is_first = AtomicBool::new(true);
    let service = server.block_on(FakeService::start(s(600), move |_, asked| match asked {
        Request::Read(..) if is_first.swap(false, Ordering::SeqCst) => ResponseOverride {
            says: Some("COMPLETED"),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    }));
    std::thread::spawn(move || server.block_on(std::future::pending::<()>()));
    // Connections are driven by the runtime that opened them, and must not be shared here.
    let alone = kling_omni::reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let client = client_of(service.base_url())
        .clock(Slow)
        .http_client(alone)
        .build()
        .unwrap();
    let task = runtime().block_on(make(&client, 1)).remove(0);
    let other = task.clone();
    let slow = std::thread::Builder::new().name("slow".into());
    let slow = slow.spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(other.refresh()).map(|_| ())
    });
    while service.reads().is_empty() {
        std::thread::yield_now();
    }
    runtime().block_on(async {
        while task.status() != Some(kling_omni::polling::TaskStatus::Completed)
            && !slow.as_ref().unwrap().is_finished()
        {
            task.refresh().await.unwrap();
        }
    });
    slow.unwrap().join().expect("the thread panicked").unwrap();
}
