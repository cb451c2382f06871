//! The journal: valid transitions, rejected calls, and damaged files.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::journal::{Journal, State, Step};
use kling_omni::recovery::Reconciled;
use kling_omni::request::TextToVideoBuilder;
use kling_omni::{Charged, Client, CreateOutcome, ErrorKind, TextToVideo};
use kling_omni_sandbox::{Sandbox, SandboxBuilder};
use kling_omni_test_support::setup::{KEY, client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tempfile::TempDir;

/// A sandbox, a client, and a folder for files.
struct TestBench {
    sandbox: Sandbox,
    client: Client,
    clock: VirtualClock,
    folder: TempDir,
}

impl TestBench {
    async fn new(settings: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Self {
        let clock = VirtualClock::new();
        let sandbox = settings(sandbox(&clock)).start().await.unwrap();
        let client = client(sandbox.base_url(), &clock).max_retries(0).build();
        Self {
            sandbox,
            client: client.unwrap(),
            clock,
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("one.journal")
    }

    async fn journal(&self) -> Journal {
        Journal::open_or_create(self.path()).await.unwrap()
    }

    /// Creates a task and saves its video, with a journal.
    async fn run_to_completion(&self) -> Journal {
        let mut journal = self.journal().await;
        self.resume(&mut journal).await;
        journal
    }

    /// Resumes a journal in any state, as a program does.
    async fn resume(&self, journal: &mut Journal) {
        self.find_or_create(journal).await;
        if journal.verify_saved().await.is_some() {
            return;
        }
        let task = self.client.task(journal.state().task_id().unwrap());
        let video = task.wait().await.unwrap();
        journal.record_ended(video.state()).await;
        let save = video
            .save(self.folder.path().join("cat.mp4"))
            .overwrite(true);
        journal.save(save).await.unwrap();
    }

    async fn find_or_create(&self, journal: &mut Journal) {
        if let State::Unconfirmed(_) = journal.state() {
            let reconciled = journal.reconcile(&self.client, |search| search).await;
            assert!(matches!(reconciled.unwrap(), Reconciled::Found { .. }));
        }
        if journal.state().may_create() {
            let create = self.client.create(cat().build().unwrap());
            let outcome = journal.create(create).await.unwrap();
            assert!(matches!(outcome, CreateOutcome::Created(_)));
        }
    }

    async fn lose_a_create(&self) {
        self.sandbox.inject("create:drop@1".parse().unwrap());
        let mut journal = self.journal().await;
        let create = self.client.create(cat().build().unwrap());
        let outcome = journal.create(create).await.unwrap();
        assert!(matches!(outcome, CreateOutcome::Unknown { .. }));
    }
}

fn cat() -> TextToVideoBuilder {
    TextToVideo::builder()
        .prompt("A cat by the window")
        .start_frame("https://example.com/cat.png?signature=canary")
        .duration(3)
}

fn word(state: &State) -> &'static str {
    match state {
        State::Empty => "empty",
        State::Prepared => "prepared",
        State::Rejected { .. } => "rejected",
        State::Unconfirmed(_) => "unconfirmed",
        State::Created { .. } => "created",
        State::Ended { .. } => "ended",
        State::Publishing { .. } => "publishing",
        State::Saved { .. } => "saved",
        _ => "new",
    }
}

/// Opens the bytes of a journal, and returns its state or the error.
async fn read(path: &Path, bytes: &[u8]) -> Result<&'static str, kling_omni::Error> {
    fs::write(path, bytes).unwrap();
    Ok(word(&Journal::open(path).await?.state()))
}

#[tokio::test]
async fn record_is_on_disk_before_the_next_step() {
    let bench = TestBench::new(|builder| builder).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (steps, path) = (Arc::clone(&seen), bench.path());
    let mut journal = bench.journal().await.on_step(move |step| {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        steps.lock().unwrap().push(match step {
            Step::Writing(name) => format!("{lines} lines, then {name}"),
            Step::Written(name) => format!("{lines} lines with {name}"),
        });
    });
    bench.resume(&mut journal).await;
    let saved = journal.verify_saved().await.unwrap();
    let expected: Vec<_> = [
        "prepared",
        "sending",
        "created",
        "ended",
        "publishing",
        "saved",
    ]
    .into_iter()
    .zip(1..)
    .flat_map(|(name, n)| {
        [
            format!("{n} lines, then {name}"),
            format!("{} lines with {name}", n + 1),
        ]
    })
    .collect();
    assert_eq!(*seen.lock().unwrap(), expected);
    assert!(journal.state().is_finished());
    assert_eq!(journal.verify_saved().await, Some(saved.clone()));
    drop(journal);
    let mut journal = bench.journal().await;
    assert_eq!(journal.verify_saved().await, Some(saved.clone()));
    fs::write(&saved.path, "another").unwrap();
    assert_eq!(journal.verify_saved().await, None);
    assert_eq!(bench.sandbox.charges(), 1);
}

#[tokio::test]
async fn file_has_no_secrets_and_is_private() {
    let bench = TestBench::new(|builder| builder).await;
    bench.run_to_completion().await;
    let text = fs::read_to_string(bench.path()).unwrap();
    for secret in [KEY, "canary", "hmac", "token=", "example.com", "window"] {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(bench.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn partial_last_record_is_ignored_and_other_damage_is_an_error() {
    let bench = TestBench::new(|builder| builder).await;
    drop(bench.run_to_completion().await);
    let whole = fs::read(bench.path()).unwrap();
    let ends: Vec<_> = (1..=whole.len())
        .filter(|end| whole[end - 1] == b'\n')
        .collect();
    let stages = [
        "empty",
        "prepared",
        "unconfirmed",
        "created",
        "ended",
        "publishing",
        "saved",
    ];
    assert_eq!(ends.len(), stages.len());
    let path = bench.folder.path().join("torn.journal");
    for length in 0..=whole.len() {
        let lines = ends.iter().filter(|end| **end <= length).count();
        let stage = stages[lines.saturating_sub(1)];
        let read = read(&path, &whole[..length]).await;
        assert_eq!(read.unwrap(), stage, "{length} bytes");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        let read = read(&path, &damaged).await;
        // A changed last line end looks like a missing one.
        if at == whole.len() - 1 {
            assert_eq!(read.unwrap(), "publishing");
            continue;
        }
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "byte {at}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "the file is unchanged");
    }
    // A missing or duplicate line is damage, too.
    let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for n in 1..lines.len() - 1 {
        let without = [&lines[..n], &lines[n + 1..]].concat().concat();
        assert!(read(&path, &without).await.is_err());
        let twice = [&lines[..=n], &lines[n..]].concat().concat();
        assert!(read(&path, &twice).await.is_err());
    }
}

/// A record is truncated at every byte, as by a crash before its step.
#[tokio::test]
async fn recovery_from_any_partial_record_charges_once() {
    let bench = TestBench::new(|builder| builder).await;
    // The contents of the file and the charges after each record.
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (seen, path) = (Arc::clone(&moments), bench.path());
    let mut journal = bench.journal().await.on_step(move |step| {
        if let Step::Written(name) = step {
            seen.lock()
                .unwrap()
                .push((name.to_owned(), fs::read(&path).unwrap()));
        }
    });
    bench.resume(&mut journal).await;
    drop(journal);
    let mut moments = moments.lock().unwrap().clone();
    assert_eq!(moments.len(), 6);
    // First the records that find the existing task, because the others create new tasks.
    moments.reverse();
    for (record, whole) in moments {
        let before = whole[..whole.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n');
        let charges_before = bench.sandbox.charges();
        let is_unsent = matches!(record.as_str(), "prepared" | "sending");
        // Records of paid steps are truncated at each byte. For the others, which behave alike, a sample suffices.
        let step = if is_unsent || record == "created" {
            1
        } else {
            9
        };
        let torn = (before.unwrap() + 1..whole.len()).step_by(step);
        let count = torn.len();
        for length in torn {
            fs::write(bench.path(), &whole[..length]).unwrap();
            let mut journal = bench.journal().await;
            if is_unsent {
                // The rest is an ordinary run, and a video takes long to render.
                bench.find_or_create(&mut journal).await;
                continue;
            }
            bench.resume(&mut journal).await;
            assert!(journal.state().is_finished());
            assert!(journal.verify_saved().await.is_some());
        }
        let created = bench.sandbox.charges() - charges_before;
        assert_eq!(created, if is_unsent { count } else { 0 }, "{record}");
    }
}

#[tokio::test]
async fn other_files_are_rejected_and_unchanged() {
    let bench = TestBench::new(|builder| builder).await;
    let path = bench.path();
    for (content, said) in [
        ("notes without an end", "is not a journal"),
        ("{\"task\": 1}\n", "is not a journal"),
        ("kling-omni journal 3\n", "has an unsupported version"),
        ("kling-omni journal 2\nprepared\n", "corrupt in line 2"),
    ] {
        let error = read(&path, content.as_bytes()).await.unwrap_err();
        assert!(error.summary().ends_with(said), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::remove_file(&path).unwrap();
    let error = Journal::open(&path).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::File, Charged::Unknown)
    );
    let journal = Journal::create_new(&path).await.unwrap();
    let error = Journal::open(&path).await.unwrap_err();
    assert!(
        error.summary().contains("in use by another process"),
        "{error}"
    );
    assert_eq!(error.charged(), Charged::Unknown);
    drop(journal);
    let error = Journal::create_new(&path).await.unwrap_err();
    assert!(error.summary().contains("already exists"), "{error}");
}

#[tokio::test]
async fn create_is_rejected_while_a_task_may_exist() {
    let bench = TestBench::new(|builder| builder).await;
    // Only the list snapshot distinguishes a new task from an old one.
    bench.client.create(cat().build().unwrap()).await.unwrap();
    bench.lose_a_create().await;
    let mut journal = bench.journal().await;
    let create = || bench.client.create(cat().build().unwrap());
    let error = journal.create(create()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::InvalidState, Charged::Unknown)
    );

    let found = journal
        .reconcile(&bench.client, |search| search)
        .await
        .unwrap();
    let Reconciled::Found { task, .. } = found else {
        panic!("the task was not found: {found:?}");
    };
    let error = journal.create(create()).await.unwrap_err();
    assert_eq!(error.charged(), Charged::Yes);
    assert_eq!(error.task_id(), Some(task.id()));
    assert!(
        journal
            .reconcile(&bench.client, |search| search)
            .await
            .is_err()
    );
    assert!(journal.resolve_not_created().await.is_err());
    assert_eq!(bench.sandbox.charges(), 2);
}

#[tokio::test]
async fn settle_time_restarts_after_a_crash() {
    let bench = TestBench::new(|builder| builder).await;
    // An account without tasks does not prove that no task was made.
    bench.client.create(cat().build().unwrap()).await.unwrap();
    let mut journal = bench.journal().await;
    let create = bench.client.create(cat().build().unwrap());
    let create = create.before_send(|_| Err(std::io::Error::other("died")));
    let outcome = journal.create(create).await.unwrap();
    assert!(matches!(outcome, CreateOutcome::Rejected(_)));
    assert_eq!(word(&journal.state()), "rejected");
    drop(journal);

    // Without its last line, the journal is that of a process that was killed between the record and the request.
    let whole = fs::read_to_string(bench.path()).unwrap();
    let end = whole.trim_end().rfind('\n').unwrap() + 1;
    fs::write(bench.path(), &whole[..end]).unwrap();
    let mut journal = bench.journal().await;
    let span = Duration::from_secs(300);
    let looked = journal.reconcile(&bench.client, |search| search.settle_time(span));
    assert!(matches!(
        looked.await.unwrap(),
        Reconciled::Ambiguous { .. }
    ));
    drop(journal);
    // A second reconcile does not restart the settle time.
    bench.clock.advance(span);
    let mut journal = bench.journal().await;
    let looked = journal.reconcile(&bench.client, |search| search.settle_time(span));
    assert!(matches!(looked.await.unwrap(), Reconciled::NotCreated));
    assert!(journal.state().may_create());
    assert_eq!(bench.sandbox.charges(), 1);
}

#[tokio::test]
async fn operator_can_resolve_the_create() {
    let bench = TestBench::new(|builder| builder).await;
    let before = bench.client.create(cat().build().unwrap()).await.unwrap();
    bench.lose_a_create().await;
    let mut journal = bench.journal().await;
    let error = journal.resolve_as(before.id()).await.unwrap_err();
    assert!(error.summary().contains("existed before"), "{error}");
    assert!(journal.resolve_as("").await.is_err());
    let id = bench.sandbox.tasks()[1].id().to_owned();
    journal.resolve_as(&id).await.unwrap();
    assert_eq!(journal.state().task_id(), Some(id.as_str()));
    assert!(journal.resolve_as(&id).await.is_err());
}

#[tokio::test]
async fn journal_belongs_to_one_create_and_service() {
    let bench = TestBench::new(|builder| builder).await;
    bench.lose_a_create().await;
    let mut journal = bench.journal().await;
    let elsewhere = client("http://127.0.0.1:1/", &bench.clock).build().unwrap();
    let error = journal
        .reconcile(&elsewhere, |search| search)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::InvalidState, Charged::Unknown)
    );
    journal.resolve_not_created().await.unwrap();
    for (create, reason) in [
        (
            elsewhere.create(cat().build().unwrap()),
            "its base URL is http://127.0.0.1",
        ),
        (
            bench.client.create(cat().duration(4).build().unwrap()),
            "its request differs",
        ),
        (
            bench
                .client
                .create(cat().tier(kling_omni::Tier::Standard).build().unwrap()),
            "its mode is text and its tier pro",
        ),
    ] {
        let error = journal.create(create).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::InvalidState, Charged::No)
        );
        assert!(error.summary().contains(reason), "{error}");
    }
    assert_eq!(bench.sandbox.charges(), 1);
    // The webhook URL does not affect the video.
    let hooked = cat().webhook_url("https://example.com/hook?token=fresh");
    let outcome = journal
        .create(bench.client.create(hooked.build().unwrap()))
        .await;
    assert!(matches!(outcome.unwrap(), CreateOutcome::Created(_)));
}

#[tokio::test]
async fn partial_downloads_of_killed_processes_are_removed() {
    let bench = TestBench::new(|builder| builder).await;
    let task = bench.client.create(cat().build().unwrap()).await.unwrap();
    let video = task.wait().await.unwrap();
    let file = |name: &str| {
        let path = bench.folder.path().join(name);
        fs::write(&path, "part").unwrap();
        fs::File::open(path).unwrap()
    };
    let numbered = |number: u32| format!(".kling-omni-{}-{number}.part", task.id());
    // Other processes write the first and the third one.
    let living = [numbered(0), numbered(2)];
    let _locked = living.each_ref().map(|name| {
        let file = file(name);
        file.lock().unwrap();
        file
    });
    for orphan in [1, 3] {
        file(&numbered(orphan));
    }
    file(".kling-omni-another-0.part");
    video
        .save(bench.folder.path().join("cat.mp4"))
        .await
        .unwrap();
    let mut names: Vec<_> = fs::read_dir(bench.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let [first, third] = living;
    let mut expected = [
        first,
        third,
        ".kling-omni-another-0.part".to_owned(),
        "cat.mp4".to_owned(),
    ];
    expected.sort();
    assert_eq!(names, expected);
}
