//! List polling: many tasks of one client, and incorrect lists.

pub mod service;

use std::future::IntoFuture as _;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use kling_omni::polling::{PollSchedule, TaskStatus, Update};
use kling_omni::recovery::KnownTasks;
use kling_omni::request::Route;
use kling_omni::{ApiKey, Client, ClientBuilder, ErrorKind, Task};
use kling_omni_sandbox::{Sandbox, TaskScript};
use tokio::runtime::Handle;

use kling_omni_test_support::setup::{KEY, valid_request};
use service::{ListDefect, Request, Service, url};

/// Durations spread over half a minute, around a minute and a half.
fn times() -> Vec<Duration> {
    (0..31)
        .map(|n| Duration::from_secs(75 + 11 * n % 31))
        .collect()
}

pub fn client_of(base_url: &str) -> ClientBuilder {
    Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(base_url)
        .route(Route::ReferenceToVideo)
}

pub fn fresh_client(base_url: &str) -> Client {
    client_of(base_url).build().unwrap()
}

/// A fake service and a client in tokio's paused time, which advances when all tasks are idle.
struct Bench {
    service: Service,
    client: Client,
}

impl Bench {
    async fn new(twist: ListDefect) -> Self {
        Self::with_durations(times(), twist).await
    }

    async fn with_durations(times: Vec<Duration>, twist: ListDefect) -> Self {
        let service = Service::start(twist, times).await;
        let client = fresh_client(service.base_url());
        Self { service, client }
    }

    async fn create(&self, count: usize) -> Vec<Task> {
        let create = async || {
            self.client
                .create(valid_request().build().unwrap())
                .await
                .unwrap()
        };
        join_all((0..count).map(|_| create())).await
    }

    /// Waits for all tasks, and returns the longest time from the completion of a task to its detection.
    async fn wait_all(&self, tasks: &[Task]) -> Duration {
        let mut longest = Duration::ZERO;
        let mut ended = self.client.as_completed(tasks);
        while let Some((task, video)) = ended.next().await {
            assert_eq!(video.unwrap().url(), url(task.id()));
            let end = self.service.end(task.id());
            longest = longest.max(self.service.elapsed() - end);
        }
        longest
    }
}

#[tokio::test(start_paused = true)]
async fn few_tasks_are_read_directly() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(3).await;
    bench.wait_all(&tasks).await;
    assert_eq!(bench.service.lists(), 0);
}

/// The task of another client is on a list that was read for polls.
#[tokio::test(start_paused = true)]
async fn polled_lists_extend_known_tasks() {
    let service = Service::start(ListDefect::Honest, times()).await;
    let known = KnownTasks::new();
    let client = client_of(service.base_url()).known_tasks(&known);
    let client = client.build().unwrap();
    let other = fresh_client(service.base_url());
    let request = valid_request().build().unwrap();
    let foreign = other.create(request).await.unwrap();
    let bench = Bench { service, client };
    let tasks = bench.create(60).await;
    bench.wait_all(&tasks).await;
    assert!(known.contains(foreign.id()));
}

#[tokio::test(start_paused = true)]
async fn many_tasks_share_list_requests() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(60).await;
    let delay = bench.wait_all(&tasks).await;
    let asked = bench.service.requests();
    let reads = |id: &str| {
        let read = Request::Read(id.to_owned());
        asked.iter().filter(|(_, asked)| *asked == read).count()
    };
    assert!(delay < Duration::from_secs(15), "{delay:?}");
    assert!(bench.service.lists() > 5, "{}", bench.service.lists());
    let twice = tasks.iter().filter(|task| reads(task.id()) > 1).count();
    assert!(twice < 6, "{twice} tasks were read more than once");
    assert!(tasks.iter().all(|task| reads(task.id()) > 0));
    assert!(asked.len() < 60 * 3, "{} requests", asked.len());
}

#[tokio::test(start_paused = true)]
async fn task_that_a_list_shows_completed_is_not_read_without_need() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(60).await;
    let wait = async |task: &Task| {
        task.wait().until_completed().await.unwrap();
        assert_eq!(task.status(), Some(TaskStatus::Completed));
        bench.service.elapsed() - bench.service.end(task.id())
    };
    let delays = join_all(tasks.iter().map(wait)).await;
    let delay = delays.into_iter().max().unwrap();
    assert!(delay < Duration::from_secs(15), "{delay:?}");
    let asked = bench.service.requests();
    let reads = asked.iter();
    let reads = reads.filter(|(_, asked)| matches!(asked, Request::Read(_)));
    let reads = reads.count();
    assert!(reads < 15, "{reads} direct reads, to check the list");
    // The video is there for those who want it.
    let video = tasks[0].wait().await.unwrap();
    assert_eq!(video.url(), url(tasks[0].id()));
}

#[tokio::test(start_paused = true)]
async fn list_that_shows_tasks_completed_too_early_is_not_believed() {
    let bench = Bench::new(ListDefect::Hasty).await;
    let tasks = bench.create(300).await;
    let wait = async |task: &Task| {
        task.wait().until_completed().await.unwrap();
        let early = bench
            .service
            .end(task.id())
            .checked_sub(bench.service.elapsed());
        assert_eq!(
            early.filter(|early| !early.is_zero()),
            None,
            "{}",
            task.id()
        );
    };
    join_all(tasks.iter().map(wait)).await;
}

#[tokio::test(start_paused = true)]
async fn only_needed_pages_are_read() {
    let bench = Bench::new(ListDefect::Honest).await;
    let _old = bench.create(950).await;
    let tasks = bench.create(40).await;
    bench.wait_all(&tasks).await;
    let far =
        |(_, asked): &(Duration, Request)| matches!(asked, Request::List { page } if *page > 1);
    let far = bench
        .service
        .requests()
        .iter()
        .filter(|asked| far(asked))
        .count();
    assert_eq!(far, 0);
}

#[tokio::test(start_paused = true)]
async fn incorrect_lists_neither_complete_nor_delay_tasks() {
    let late = Duration::from_secs(60);
    let soon = Duration::from_secs(20);
    for (twist, latest, most_requests) in [
        (ListDefect::Honest, soon, 200),
        (ListDefect::Incomplete, soon, 700),
        (ListDefect::OldestFirst, soon, 300),
        (ListDefect::Reordered, soon, 400),
        (ListDefect::Repeating, soon, 300),
        // Detecting it takes some time.
        (ListDefect::Lagging, late, 1_200),
        (ListDefect::Hasty, soon, 4_000),
        (ListDefect::Crowded, soon, 1_200),
        (ListDefect::Refused(404), soon, 1_200),
        (ListDefect::Refused(403), soon, 1_200),
        (ListDefect::Refused(500), soon, 1_200),
        // All waits observe the delay that the service requests.
        (ListDefect::Refused(429), Duration::from_secs(60), 1_200),
        (ListDefect::Garbled, soon, 1_200),
    ] {
        let bench = Bench::new(twist).await;
        let tasks = bench.create(60).await;
        let delay = bench.wait_all(&tasks).await;
        let requests = bench.service.requests().len();
        println!("{twist:?}: {requests} requests, {delay:?} at most");
        assert!(delay <= latest, "{twist:?}: {delay:?}");
        assert!(requests <= most_requests, "{twist:?}: {requests} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_beyond_the_listed_pages_are_read_directly() {
    let bench = Bench::new(ListDefect::Split).await;
    let tasks = bench.create(200).await;
    let delay = bench.wait_all(&tasks).await;
    assert!(delay < Duration::from_secs(20), "{delay:?}");
    let requests = bench.service.requests().len();
    assert!(requests < 200 * 20, "{requests} requests");
}

#[tokio::test(start_paused = true)]
async fn rate_limited_list_delays_all_requests_once() {
    let bench = Bench::new(ListDefect::Refused(429)).await;
    let tasks = bench.create(60).await;
    bench.wait_all(&tasks).await;
    let asked = bench.service.requests();
    let is_list = |(_, asked): &&(Duration, Request)| matches!(asked, Request::List { .. });
    let first = asked.iter().find(is_list).unwrap().0;
    let after =
        |(at, _): &&(Duration, Request)| *at > first && *at < first + Duration::from_secs(40);
    assert_eq!(asked.iter().find(after), None, "limited at {first:?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_opened_by_id_are_polled_by_list() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(60).await;
    let ids: Vec<_> = tasks.iter().map(|task| task.id().to_owned()).collect();
    // Another client, such as that of a later process.
    let other = fresh_client(bench.service.base_url());
    let before = bench.service.requests().len();
    let mut watch = other.watch(&ids);
    let mut first = Vec::new();
    while first.len() < 60 {
        let watched = watch.next().await.unwrap();
        assert!(matches!(watched.update, Ok(Update::Status(_))));
        first.push(watched.task.id().to_owned());
    }
    let asked = bench.service.requests().len() - before;
    assert!(asked < 5, "{asked} requests for the state of 60 tasks");
    first.sort();
    first.dedup();
    assert_eq!(first.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn watch_yields_each_task_and_ends_after_the_last() {
    let minute = Duration::from_secs(60);
    let sandbox = Sandbox::builder().api_key(KEY).task_time(minute);
    let sandbox = sandbox.start().await.unwrap();
    for end in [
        TaskScript::default(),
        TaskScript::failed(),
        TaskScript::default(),
    ] {
        sandbox.script_next(end);
    }
    let client = fresh_client(sandbox.base_url());
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(
            client
                .create(valid_request().build().unwrap())
                .await
                .unwrap(),
        );
    }
    let mut ends = Vec::new();
    let mut watch = client.watch(&tasks).timeout(Duration::from_secs(600));
    while let Some(watched) = watch.next().await {
        if let Ok(Update::Status(state)) = watched.update
            && state.status().is_terminal()
        {
            ends.push((watched.task.id().to_owned(), state.status().clone()));
        }
    }
    ends.sort_by_key(|(id, _)| tasks.iter().position(|task| task.id() == id));
    let statuses: Vec<_> = ends.into_iter().map(|(_, status)| status).collect();
    use TaskStatus::{Completed, Failed};
    assert_eq!(statuses, [Completed, Failed, Completed]);

    let videos = client.wait_all(&tasks).await;
    let kinds: Vec<_> = videos
        .iter()
        .map(|video| video.as_ref().map(|_| ()).map_err(|error| error.kind()))
        .collect();
    assert_eq!(kinds, [Ok(()), Err(ErrorKind::TaskFailed), Ok(())]);
}

#[tokio::test(start_paused = true)]
async fn dropped_waits_stop_polling() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(60).await;
    // The service handles its connections in tasks of its own.
    let mut watch = bench.client.watch(&tasks);
    while watch.next().now_or_never().is_some() {}
    let driven = Handle::current().metrics().num_alive_tasks();
    drop(watch);
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(Handle::current().metrics().num_alive_tasks(), driven - 1);
    // A new wait starts polling again.
    bench.wait_all(&tasks).await;
}

#[tokio::test(start_paused = true)]
async fn unpolled_watch_does_not_delay_other_waits() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(60).await;
    let mut watch = bench.client.watch(&tasks);
    assert!(watch.next().await.is_some());
    let delay = bench.wait_all(&tasks).await;
    assert!(delay < Duration::from_secs(15), "{delay:?}");
    let rest = watch.collect::<Vec<_>>().await;
    let is_end = |watched: &kling_omni::polling::WatchItem| matches!(&watched.update, Ok(Update::Status(state)) if state.status().is_terminal());
    assert_eq!(rest.iter().filter(|watched| is_end(watched)).count(), 60);
}

#[test]
fn wait_survives_the_shutdown_of_another_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    // The service runs on its own thread.
    let server = runtime();
    let soon = vec![Duration::from_millis(300)];
    let bench = server.block_on(Bench::with_durations(soon, ListDefect::Honest));
    std::thread::spawn(move || server.block_on(std::future::pending::<()>()));
    let (first, other) = (runtime(), runtime());
    let tasks = first.block_on(bench.create(2));
    let (begun, waiting) = std::sync::mpsc::channel();
    let (one, two) = (tasks[0].clone(), tasks[1].clone());
    // The first wait starts the worker in its runtime.
    let often = PollSchedule::fixed(Duration::ZERO);
    let mut updates = one.wait().schedule(often.clone()).updates();
    first.block_on(async {
        assert!(updates.next().await.is_some());
        assert!(updates.next().now_or_never().is_none());
    });
    let waiter = std::thread::spawn(move || {
        other.block_on(async {
            let mut wait = Box::pin(two.wait().schedule(often).into_future());
            assert!((&mut wait).now_or_never().is_none());
            begun.send(()).unwrap();
            wait.await
        })
    });
    waiting.recv().unwrap();
    drop((updates, first));
    waiter.join().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn custom_schedule_is_used() {
    let bench = Bench::new(ListDefect::Honest).await;
    let tasks = bench.create(1).await;
    let schedule = PollSchedule::custom(|polls, waited| {
        assert_eq!(
            waited,
            Duration::from_secs(50) * polls.min(1)
                + Duration::from_secs(7) * polls.saturating_sub(1)
        );
        Duration::from_secs(if polls == 0 { 50 } else { 7 })
    });
    tasks[0].wait().schedule(schedule).await.unwrap();
    let asked = bench.service.requests();
    let reads = asked
        .iter()
        .filter(|(_, asked)| matches!(asked, Request::Read(_)));
    let reads: Vec<_> = reads.map(|(at, _)| at.as_secs()).collect();
    assert_eq!(reads, [50, 57, 64, 71, 78]);
}

/// A list has no reason, so each task is read, also if the service asks to be polled later.
#[tokio::test(start_paused = true)]
async fn reason_of_a_failure_that_a_list_shows_is_read() {
    let sandbox = Sandbox::builder().api_key(KEY);
    let sandbox = sandbox.task_time(Duration::from_millis(500)).start();
    let sandbox = sandbox.await.unwrap();
    let client = client_of(sandbox.base_url()).build().unwrap();
    let wait = async |number: u32| {
        // The responses to creates ask for a second.
        tokio::time::sleep(Duration::from_millis(20) * number).await;
        let prompt = format!("@Video1 [sandbox:fail=reason {number}]");
        let request = valid_request().prompt(prompt).build().unwrap();
        let task = client.create(request).await.unwrap();
        let error = task.wait().await.unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with(&format!("reason {number}")), "{text}");
    };
    join_all((0..30).map(wait)).await;
    let counts = client.request_counts();
    let has_list = counts.keys().any(|name| name.starts_with("list"));
    assert!(has_list, "{counts:?}");
}
