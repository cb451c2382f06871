//! The example `service_axum` as a process that is killed with SIGKILL at every step. The test compares the charges of
//! the sandbox with the jobs.

#[path = "../../../crates/kling-omni/examples/service_axum/jobs.rs"]
pub mod jobs;
#[path = "../../../crates/kling-omni/examples/service_axum/service.rs"]
mod service;

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use kling_omni::clock::Clock as _;
use kling_omni::polling::PollSchedule;
use kling_omni::preflight::probe::probe_file;
use kling_omni::{ApiKey, Client, TextToVideo};
use kling_omni_sandbox::{Host, ManualClock, Sandbox};
use kling_omni_test_support::setup::KEY;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use self::jobs::Jobs;
use self::service::Service;

const BASE_URL: &str = "SERVICE_BASE_URL";
const FOLDER: &str = "SERVICE_FOLDER";
const LISTENING: &str = "listening on ";
const REQUEST: &str = r#"{"prompt": "A cat by the window", "duration": "3"}"#;
const TASK_TIME: Duration = Duration::from_secs(60);
/// A test fails after this time without progress.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "it is the process that the tests start and kill"]
fn process() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = env::var_os(FOLDER).unwrap();
        let client = client(&env::var(BASE_URL).unwrap());
        let service = Service {
            client,
            jobs: Jobs::open(std::path::Path::new(&folder).join("videos.db")).unwrap(),
            folder: folder.into(),
            configure: |run| {
                let run = run.settle_time(Duration::from_secs(3));
                run.schedule(PollSchedule::fixed(PollSchedule::MIN_INTERVAL))
            },
        };
        let router = service.start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{LISTENING}{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

fn client(base_url: &str) -> Client {
    let client = Client::builder().api_key(ApiKey::new(KEY).unwrap());
    client.base_url(base_url).max_retries(0).build().unwrap()
}

/// A sandbox with an older task, and a folder with the database and the videos.
struct TestBench {
    sandbox: Sandbox,
    clock: ManualClock,
    folder: TempDir,
}

impl TestBench {
    async fn new() -> Self {
        let clock = ManualClock::new(SystemTime::now());
        let sandbox = Sandbox::builder().api_key(KEY).clock(clock.clone());
        let sandbox = sandbox.task_time(TASK_TIME).rate_limit(100_000);
        let sandbox = sandbox.start().await.unwrap();
        // An account without tasks proves nothing about a lost create.
        let older: TextToVideo = serde_json::from_str(REQUEST).unwrap();
        client(sandbox.base_url()).create(older).await.unwrap();
        Self {
            sandbox,
            clock,
            folder: TempDir::new().unwrap(),
        }
    }

    async fn start(&self) -> Process {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["service_process::process", "--exact", "--ignored"]);
        command.args(["--nocapture", "--test-threads", "1"]);
        command.env(BASE_URL, self.sandbox.base_url());
        command.env(FOLDER, self.folder.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let address = tokio::task::spawn_blocking(move || {
            let mut lines = stdout.lines().map(Result::unwrap);
            let address = lines.find_map(|line| Some(line.split_once(LISTENING)?.1.to_owned()));
            // The pipe stays open until the process ends.
            std::thread::spawn(move || lines.for_each(drop));
            address.expect("the process listens")
        });
        Process {
            address: address.await.unwrap(),
            child,
        }
    }

    fn charges(&self) -> usize {
        self.sandbox.charges() - 1
    }

    fn has_unfinished_task(&self) -> bool {
        let now = self.clock.system_time();
        let tasks = self.sandbox.tasks();
        tasks.iter().any(|task| task.ends_at() > now)
    }

    fn requests(&self) -> usize {
        self.sandbox.requests().len()
    }

    fn has_received(&self, host: Host, path: &str) -> bool {
        let requests = self.sandbox.requests();
        let mut requests = requests.iter().skip(1);
        requests.any(|request| request.host() == host && request.path().contains(path))
    }

    /// Waits until something has happened in another process. Tasks are completed meanwhile if `completes`.
    async fn until(&self, what: &str, completes: bool, mut happened: impl AsyncFnMut() -> bool) {
        let start = Instant::now();
        while !happened().await {
            assert!(start.elapsed() < LIMIT, "{what} did not happen");
            // Only then: results expire by the same clock, on a busy machine before they are downloaded.
            if completes && self.has_unfinished_task() {
                self.clock.advance(TASK_TIME);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Starts the service, and waits until `jobs` jobs are saved. Compares them with the charges and the files.
    async fn finish(&self, jobs: usize, case: &str) {
        let process = self.start().await;
        for job in 1..=jobs {
            let state = async || process.state(job).await == "saved";
            self.until(&format!("{case}: saving job {job}"), true, state)
                .await;
        }
        drop(process);
        assert_eq!(self.charges(), jobs, "{case}");
        for job in 1..=jobs {
            let info = probe_file(self.folder.path().join(format!("{job}.mp4")));
            assert!(info.unwrap().problems.is_empty(), "{case}");
        }
        let files = fs::read_dir(self.folder.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let names: Vec<_> = names
            .filter(|name| !name.starts_with("videos.db"))
            .collect();
        assert_eq!(names.len(), jobs, "{case}: {names:?}");
    }
}

/// A running service. Dropping it kills it.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Sends a request, and returns the status and the body of the response.
    async fn send(&self, request: String) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.unwrap_or_default(), body.to_owned()))
    }

    async fn post(&self, body: &str) -> (u16, String) {
        self.send(post(body)).await.unwrap()
    }

    async fn state(&self, job: usize) -> String {
        let request = format!("GET /videos/{job} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        self.send(request).await.unwrap().1
    }
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST /videos HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL on Unix.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// When a process is killed: after the sandbox has seen this.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Accepted,
    ListRead,
    Charged,
    StatusRead,
    ResultRequested,
}

#[tokio::test]
async fn killed_at_each_step_pays_once() {
    for (moment, fault) in [
        (Moment::Accepted, None),
        (Moment::ListRead, Some("list:hang@1")),
        (Moment::Charged, Some("create:hang@1")),
        (Moment::Charged, Some("create:drop@1")),
        (Moment::StatusRead, None),
        (Moment::ResultRequested, Some("result:drip=100/100ms@1")),
    ] {
        let case = format!("{moment:?} with {fault:?}");
        let bench = TestBench::new().await;
        if let Some(fault) = fault {
            bench.sandbox.inject(fault.parse().unwrap());
        }
        let process = bench.start().await;
        assert_eq!(process.post(REQUEST).await, (202, "1".to_owned()));
        let completes = matches!(moment, Moment::ResultRequested);
        bench
            .until(&case, completes, async || match moment {
                Moment::Accepted => true,
                Moment::ListRead => bench.requests() > 1,
                Moment::Charged => bench.charges() == 1,
                Moment::StatusRead => {
                    let tasks = bench.sandbox.tasks();
                    let id = tasks.get(1).map(|task| task.id().to_owned());
                    id.is_some_and(|id| bench.has_received(Host::Api, &id))
                }
                Moment::ResultRequested => bench.has_received(Host::Results, ""),
            })
            .await;
        drop(process);
        bench.sandbox.clear_faults();
        bench.finish(1, &case).await;
        // Nothing is left to do.
        let requests = bench.requests();
        bench.finish(1, &case).await;
        assert_eq!(bench.requests(), requests, "{case}");
    }
}

/// The process is killed at each of its requests to the service, and the next one at its first.
#[tokio::test]
async fn killed_twice_at_any_request_pays_once() {
    for at in 1.. {
        let bench = TestBench::new().await;
        let process = bench.start().await;
        process.post(REQUEST).await;
        let mut is_saved = false;
        bench
            .until("the request", true, async || {
                is_saved = process.state(1).await == "saved";
                is_saved || bench.requests() > at
            })
            .await;
        drop(process);
        let before = bench.requests();
        let process = bench.start().await;
        let next = async || bench.requests() > before || process.state(1).await == "saved";
        bench.until("the next request", true, next).await;
        drop(process);
        bench.finish(1, &format!("request {at}")).await;
        if is_saved {
            assert!(at > 4, "{at} requests");
            break;
        }
    }
}

/// The caller of a job disconnects before the response.
#[tokio::test]
async fn caller_may_disconnect() {
    let bench = TestBench::new().await;
    let process = bench.start().await;
    let whole = post(REQUEST);
    let mut streams = Vec::new();
    for sent in [&whole[..whole.len() - 1], &whole] {
        let mut stream = TcpStream::connect(&process.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // The first request is incomplete, so it is not a job.
    let get = "GET /videos/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let accepted = async || process.send(get.to_owned()).await.unwrap().0 == 200;
    bench.until("the job", false, accepted).await;
    drop(streams);
    let created = async || bench.charges() == 1;
    bench.until("the create", false, created).await;
    drop(process);
    bench.finish(1, "disconnected").await;
}

#[tokio::test]
async fn jobs_run_side_by_side_and_invalid_ones_are_refused() {
    let bench = TestBench::new().await;
    let process = bench.start().await;
    for job in 1..=3 {
        assert_eq!(process.post(REQUEST).await, (202, job.to_string()));
        let created = async || bench.charges() == job;
        bench.until("the create", false, created).await;
    }
    let (status, reason) = process
        .post(r#"{"prompt": "A cat", "duration": "99"}"#)
        .await;
    assert_eq!(status, 400);
    assert!(reason.contains("duration"), "{reason}");
    assert_eq!(process.post("no JSON").await.0, 400);
    drop(process);
    bench.finish(3, "three jobs").await;
}
