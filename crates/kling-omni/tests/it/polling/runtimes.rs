//! Waits in several threads and runtimes.

use std::future::IntoFuture as _;

use futures_util::StreamExt as _;
use kling_omni::polling::PollSchedule;

use super::{Duration, FakeService, Request, ResponseOverride, make, s, well_behaved};
use crate::list_polling::client_of;

#[test]
fn a_wait_goes_on_where_the_runtime_of_another_stands_still() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let server = runtime();
    let service = server.block_on(FakeService::start(Duration::from_millis(300), well_behaved));
    std::thread::spawn(move || server.block_on(std::future::pending::<()>()));
    // A connection is driven by the runtime in which it was opened, too: none is kept here.
    let alone = kling_omni::reqwest::Client::builder().pool_max_idle_per_host(0);
    let client = client_of(service.base_url())
        .http_client(alone.build().unwrap())
        .build()
        .unwrap();
    let idle = runtime();
    let tasks = idle.block_on(make(&client, 2));
    let often = PollSchedule::fixed(Duration::from_millis(100));
    // A wait that is given up. The runtime stays where it is, as that of a blocking facade does between its calls.
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
    assert_eq!(ended, Ok(true), "neither the video nor the deadline came");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_schedule_is_that_waits_own() {
    let service = FakeService::start(s(100), well_behaved).await;
    let client = service.client();
    let tasks = make(&client, 20).await;
    let panics = PollSchedule::custom(|_, waited| match waited < s(45) {
        true => s(3),
        false => panic!("of the caller's own making"),
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
fn answers_that_overtake_each_other_are_no_panic() {
    use std::sync::atomic::{AtomicBool, Ordering};
    #[derive(Debug)]
    struct Slow;
    impl kling_omni::clock::Clock for Slow {
        fn now(&self) -> std::time::Instant {
            let now = std::time::Instant::now();
            // A thread may be put to sleep anywhere.
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
    // Connections are driven by the runtime in which they were opened, and are not to be shared here.
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
    slow.unwrap().join().expect("it has panicked").unwrap();
}
