//! The blocking API, against a sandbox in a thread of its own, in real time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kling_omni::blocking::{Client, Create, Journal, Task, block_on};
use kling_omni::download::Destination;
use kling_omni::journal::JournalOutcome;
use kling_omni::polling::{PollSchedule, TaskStatus, Update};
use kling_omni::{ApiKey, Charged, ErrorKind, Mode, TextToVideo};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::setup::KEY;
use kling_omni_test_support::{fail_on, sources};

/// A sandbox whose tasks are completed at once, in a thread that ends with the process.
fn sandbox() -> &'static Sandbox {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let sandbox = Sandbox::builder().api_key(KEY).task_time(Duration::ZERO);
            let sandbox = sandbox.start().await.unwrap();
            sender.send(&*Box::leak(Box::new(sandbox))).unwrap();
            std::future::pending::<()>().await
        });
    });
    receiver.recv().unwrap()
}

fn async_client(base_url: &str) -> kling_omni::Client {
    let client = kling_omni::Client::builder().api_key(ApiKey::new(KEY).unwrap());
    client.base_url(base_url).build().unwrap()
}

fn client(sandbox: &Sandbox) -> Client {
    async_client(sandbox.base_url()).into()
}

fn rain(client: &Client) -> Create {
    client.create(
        TextToVideo::builder()
            .prompt("It rains")
            .duration(3)
            .build()
            .unwrap(),
    )
}

fn quickly() -> PollSchedule {
    PollSchedule::fixed(PollSchedule::MIN_INTERVAL)
}

#[test]
fn task_is_created_awaited_and_saved() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let folder = tempfile::tempdir().unwrap();
    let task = rain(&client).fail_fast().run().unwrap();
    let updates: Vec<_> = task.wait().schedule(quickly()).updates().collect();
    let last = updates.last().unwrap().as_ref().unwrap();
    assert!(
        matches!(last, Update::Status(state) if *state.status() == TaskStatus::Completed),
        "{last:?}"
    );
    let video = task.video().unwrap();
    let path = folder.path().join("rain.mp4");
    let saved = video.save(&path).sidecar(true).run().unwrap();
    assert_eq!((saved.path, saved.findings.len()), (path.clone(), 0));
    let mut download = video.download().unwrap();
    let length = download.length().unwrap();
    let chunks: Result<Vec<_>, _> = download.by_ref().collect();
    let bytes = chunks.unwrap().concat();
    assert_eq!((bytes.len() as u64, length), (saved.bytes, saved.bytes));
    assert_eq!(bytes, fs::read(path).unwrap());
    assert_eq!(sandbox.charges(), 1);
}

#[test]
fn task_is_resumed_by_its_id_in_another_thread() {
    let sandbox = sandbox();
    let first = client(sandbox);
    let id = rain(&first).run().unwrap().id().to_owned();
    drop(first);
    let waiting = thread::spawn(move || {
        let task = client(sandbox).task_of_mode(id, Mode::Text);
        assert_eq!(*task.refresh().unwrap().status(), TaskStatus::Completed);
        task.wait().run().unwrap().url().to_owned()
    });
    assert!(
        waiting
            .join()
            .unwrap()
            .starts_with(sandbox.result_base_url())
    );
    assert_eq!(sandbox.charges(), 1);
}

#[test]
fn several_tasks_are_listed_and_awaited() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let tasks: Vec<Task> = (0..3).map(|_| rain(&client).run().unwrap()).collect();
    let ids: BTreeSet<_> = tasks.iter().map(|task| task.id().to_owned()).collect();
    let page = client.list().mode(Mode::Text).run().unwrap();
    assert_eq!(page.len(), 3);
    let listed = client.list().mode(Mode::Text).stream();
    let listed: BTreeSet<_> = listed.map(|task| task.unwrap().id).collect();
    assert_eq!(listed, ids);
    let videos = client.wait_all(&tasks).unwrap();
    let videos = videos
        .into_iter()
        .map(|video| video.unwrap().task_id().to_owned());
    assert_eq!(videos.collect::<BTreeSet<_>>(), ids);
    let completed = client.as_completed(&tasks);
    let completed = completed.map(|item| item.unwrap().0.id().to_owned());
    assert_eq!(completed.collect::<BTreeSet<_>>(), ids);
    let watched = client.watch(&tasks).schedule(quickly()).updates();
    let watched = watched.map(|item| item.unwrap().task.id().to_owned());
    assert_eq!(watched.collect::<BTreeSet<_>>(), ids);
}

#[test]
fn file_is_uploaded() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stage.png");
    fs::write(&file, b"\x89PNG\r\n\x1a\n").unwrap();
    let uploaded = client.upload(file.as_path()).run().unwrap();
    assert!(uploaded.url.starts_with(sandbox.result_base_url()));
    let (sender, receiver) = mpsc::channel();
    let all = client.upload_all([file.as_path()]);
    let all = all.on_progress(move |sent, total| sender.send((sent, total)).unwrap());
    assert_eq!(all.run().unwrap()[0].url, uploaded.url, "it is cached");
    drop(receiver);
    block_on(client.service_uploader().check())
        .unwrap()
        .unwrap();
    assert_eq!(sandbox.charges(), 0);
}

#[test]
fn journal_is_run_to_its_video_and_paid_once() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let folder = tempfile::tempdir().unwrap();
    let (journal, path) = (
        folder.path().join("rain.journal"),
        folder.path().join("rain.mp4"),
    );
    for _ in 0..2 {
        let mut journal = Journal::open_or_create(&journal).unwrap();
        let run = journal
            .run(&client, rain(&client), &path)
            .schedule(quickly());
        let outcome = run.run().unwrap();
        assert!(matches!(outcome, JournalOutcome::Saved(_)), "{outcome:?}");
        assert!(journal.verify_saved().unwrap().is_some());
    }
    assert_eq!(sandbox.charges(), 1);
}

#[test]
fn error_of_the_service_is_that_of_the_async_api() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let error = client.task("no-such-task").refresh().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let missing = Destination::new("not/there/rain.mp4");
    let error = block_on(missing.check()).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
}

/// No call blocks or panics on a thread of a runtime, none is sent, and every type can be dropped there.
#[test]
fn call_in_a_runtime_is_a_typed_error() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open_or_create(folder.path().join("rain.journal")).unwrap();
    let task = rain(&client).run().unwrap();
    let video = task.wait().run().unwrap();
    let mut updates = task.updates();
    let requests = sandbox.requests().len();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async move {
        let path = folder.path().join("rain.mp4");
        let errors = [
            rain(&client).run().map(drop),
            rain(&client).outcome().map(drop),
            task.refresh().map(drop),
            task.wait().run().map(drop),
            client.wait_all([&task]).map(drop),
            video.save(&path).run().map(drop),
            video.download().map(drop),
            client.list().run().map(drop),
            client.list().stream().next().unwrap().map(drop),
            updates.next().unwrap().map(drop),
            client.as_completed([&task]).next().unwrap().map(drop),
            client.upload(path.as_path()).run().map(drop),
            journal.run(&client, rain(&client), &path).run().map(drop),
            journal.verify_saved().map(drop),
            Journal::open(folder.path().join("other")).map(drop),
            block_on(async {}),
        ];
        for (number, error) in errors.into_iter().enumerate() {
            let error = error.expect_err(&number.to_string());
            assert_eq!(error.kind(), ErrorKind::InvalidState, "{number}");
            assert_eq!(error.charged(), Charged::No, "{number}");
            assert!(error.to_string().contains("async runtime"), "{error}");
        }
        assert!(updates.next().is_none(), "an iterator ends with its error");
        let blocking = tokio::task::spawn_blocking(move || client.list().run().map(drop));
        let error = blocking.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        drop((task, video, updates, journal));
    });
    assert_eq!((sandbox.charges(), sandbox.requests().len()), (1, requests));
}

/// A value of a thread that waits and sends when the thread ends.
struct AtEnd {
    client: Client,
    errors: mpsc::Sender<kling_omni::Error>,
    _task: Task,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let results = [
            block_on(async {}),
            rain(&self.client).run().map(drop),
            self.client.list().stream().next().unwrap().map(drop),
        ];
        for result in results {
            self.errors.send(result.unwrap_err()).unwrap();
        }
    }
}

/// A panic there would abort the process.
#[test]
fn call_in_a_thread_that_ends_is_a_typed_error() {
    thread_local! {
        static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }
    let sandbox = sandbox();
    let client = client(sandbox);
    let (sender, receiver) = mpsc::channel();
    let ending = thread::spawn(move || {
        // Destroyed after the values of Tokio, which are registered later.
        AT_END.with(|_| {});
        let task = rain(&client).run().unwrap();
        AT_END.set(Some(AtEnd {
            client,
            errors: sender,
            _task: task,
        }));
    });
    ending.join().unwrap();
    let errors: Vec<_> = receiver.iter().collect();
    assert_eq!(errors.len(), 3);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert!(error.to_string().contains("is ending"), "{error}");
    }
    assert_eq!(sandbox.charges(), 1);
}

/// A panic of a callback unwinds through the call, leaves no file, and does not affect other calls.
#[test]
fn panic_in_a_callback_reaches_the_caller() {
    let sandbox = sandbox();
    let client = client(sandbox);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rain.mp4");
    let video = rain(&client).run().unwrap().wait().run().unwrap();
    let save = video
        .save(&path)
        .on_progress(|_, _| panic!("a panic on purpose"));
    catch_unwind(AssertUnwindSafe(|| save.run())).unwrap_err();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    video.save(&path).run().unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

/// What waits and has no counterpart, with the reason. Everything else of a wrapped type has one.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "Create::before_send_async",
        "its callback is async, before_send is not",
    ),
    (
        "Destination::check",
        "block_on runs it, and so does every run of a journal",
    ),
    ("Inspect", "block_on runs it"),
    (
        "LocalFile::open",
        "for implementations of Uploader, which are async",
    ),
    (
        "LocalFile::stream",
        "for implementations of Uploader, which are async",
    ),
    ("ServiceUploader::check", "block_on runs it"),
    ("Wait::cancel_on", "its argument is a future"),
    ("conformance::check", "its argument makes async stores"),
];

/// The names of the blocking API, as `Type` and `Type::method`, from its source.
fn blocking_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources::files_below("crates/kling-omni/src/blocking") {
        let mut owner = String::new();
        for line in sources::read(&path).lines() {
            let line = line.trim();
            // A row of a table, or an implementation.
            let row = line.split_once(" as \"crate::").map(|(name, _)| name);
            let own = line
                .strip_prefix("impl ")
                .and_then(|rest| rest.strip_suffix(" {"));
            let own = own.filter(|rest| !rest.contains(' ') && !rest.contains('$'));
            if let Some(name) = row.or(own) {
                owner = name.split('<').next().unwrap_or_default().to_owned();
                names.insert(owner.clone());
            }
            let function = line.strip_prefix("pub fn ").unwrap_or(line);
            if let Some((name, _)) = function.split_once(['(', '<'])
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                names.insert(format!("{owner}::{name}"));
            }
        }
    }
    names
}

/// The last two names of a path in the listing of the public API.
fn short(path: &str) -> String {
    let path = path.replace("<'_>", "");
    let path = path.split(['(', '<', ' ']).next().unwrap_or_default();
    let names: Vec<_> = path.split("::").collect();
    names[names.len().saturating_sub(2)..].join("::")
}

#[test]
fn every_async_method_has_a_counterpart() {
    let listing = sources::read("tests/snapshots/surface/kling-omni.txt");
    let names = blocking_names();
    let is_known = |name: &str| {
        let is_left_out = LEFT_OUT.iter().any(|(left_out, _)| *left_out == name);
        names.contains(name) || is_left_out
    };
    let mut findings = Vec::new();
    let mut expect = |name: String| {
        if !is_known(&name) {
            findings.push(format!(
                "{name} has no blocking counterpart, and no reason for that"
            ));
        }
    };
    for line in listing
        .lines()
        .filter(|line| !line.contains("::blocking::"))
    {
        if let Some(path) = line.strip_prefix("pub async fn kling_omni::") {
            expect(short(path));
        } else if let Some((_, path)) = line.split_once("IntoFuture for kling_omni::") {
            let name = short(path);
            expect(name.rsplit("::").next().unwrap_or_default().to_owned());
        } else if let Some(path) = line.strip_prefix("pub fn kling_omni::") {
            // The options of a wrapped call.
            let name = short(path);
            let owner = name.split("::").next().unwrap_or_default();
            let is_option = line.ends_with("-> Self") && path.contains("(self");
            if is_option && names.contains(owner) {
                expect(name);
            }
        }
    }
    fail_on(findings);
}
