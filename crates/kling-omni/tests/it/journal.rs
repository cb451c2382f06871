//! The journal of a task: what it lets pass, what it refuses, and what is left of it when its file is.

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

/// A service, a client, and a folder for files.
struct Desk {
    sandbox: Sandbox,
    client: Client,
    clock: VirtualClock,
    folder: TempDir,
}

impl Desk {
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

    /// One whole life of a journal.
    async fn live(&self) -> Journal {
        let mut journal = self.journal().await;
        self.go_on(&mut journal).await;
        journal
    }

    /// What a program does that goes on with a journal, whatever is in it.
    async fn go_on(&self, journal: &mut Journal) {
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

/// Opens what is left of a journal and says where it stands, or what is wrong with it.
async fn read(path: &Path, bytes: &[u8]) -> Result<&'static str, kling_omni::Error> {
    fs::write(path, bytes).unwrap();
    Ok(word(&Journal::open(path).await?.state()))
}

#[tokio::test]
async fn each_step_is_on_disk_before_the_next() {
    let desk = Desk::new(|builder| builder).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (steps, path) = (Arc::clone(&seen), desk.path());
    let mut journal = desk.journal().await.on_step(move |step| {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        steps.lock().unwrap().push(match step {
            Step::Writing(name) => format!("{lines} lines, then {name}"),
            Step::Written(name) => format!("{lines} lines with {name}"),
        });
    });
    desk.go_on(&mut journal).await;
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
    let mut journal = desk.journal().await;
    assert_eq!(journal.verify_saved().await, Some(saved.clone()));
    fs::write(&saved.path, "another").unwrap();
    assert_eq!(journal.verify_saved().await, None);
    assert_eq!(desk.sandbox.charges(), 1);
}

#[tokio::test]
async fn there_is_no_secret_in_it_and_nobody_else_reads_it() {
    let desk = Desk::new(|builder| builder).await;
    desk.live().await;
    let text = fs::read_to_string(desk.path()).unwrap();
    for secret in [KEY, "canary", "hmac", "token=", "example.com", "window"] {
        assert!(!text.contains(secret), "{secret} in:\n{text}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(desk.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_torn_end_takes_back_one_step_and_any_other_damage_is_an_error() {
    let desk = Desk::new(|builder| builder).await;
    drop(desk.live().await);
    let whole = fs::read(desk.path()).unwrap();
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
    let path = desk.folder.path().join("torn.journal");
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
        // The end of the last line alone cannot be told from a line that has none.
        if at == whole.len() - 1 {
            assert_eq!(read.unwrap(), "publishing");
            continue;
        }
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File, "byte {at}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "it is left as it is");
    }
    // A line that is gone or comes twice is damage, too.
    let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for n in 1..lines.len() - 1 {
        let without = [&lines[..n], &lines[n + 1..]].concat().concat();
        assert!(read(&path, &without).await.is_err());
        let twice = [&lines[..=n], &lines[n..]].concat().concat();
        assert!(read(&path, &twice).await.is_err());
    }
}

/// A record is cut short at every byte while the process dies, so that nothing of what it announces was done.
#[tokio::test]
async fn wherever_a_record_is_torn_there_is_one_charge_and_a_file() {
    let desk = Desk::new(|builder| builder).await;
    // What is in the file, and what was paid, when each record is on disk and nothing has followed.
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (seen, path) = (Arc::clone(&moments), desk.path());
    let mut journal = desk.journal().await.on_step(move |step| {
        if let Step::Written(name) = step {
            seen.lock()
                .unwrap()
                .push((name.to_owned(), fs::read(&path).unwrap()));
        }
    });
    desk.go_on(&mut journal).await;
    drop(journal);
    let mut moments = moments.lock().unwrap().clone();
    assert_eq!(moments.len(), 6);
    // Those first that find the task which is there: later ones make new tasks.
    moments.reverse();
    for (record, whole) in moments {
        let before = whole[..whole.len() - 1]
            .iter()
            .rposition(|byte| *byte == b'\n');
        let charges_before = desk.sandbox.charges();
        let is_unsent = matches!(record.as_str(), "prepared" | "sending");
        // Each byte counts where there is money in it; the others, which all read alike, stand for their neighbours.
        let step = if is_unsent || record == "created" {
            1
        } else {
            9
        };
        let torn = (before.unwrap() + 1..whole.len()).step_by(step);
        let count = torn.len();
        for length in torn {
            fs::write(desk.path(), &whole[..length]).unwrap();
            let mut journal = desk.journal().await;
            if is_unsent {
                // From here on it is a run like any other, and a video takes long to make.
                desk.find_or_create(&mut journal).await;
                continue;
            }
            desk.go_on(&mut journal).await;
            assert!(journal.state().is_finished());
            assert!(journal.verify_saved().await.is_some());
        }
        let created = desk.sandbox.charges() - charges_before;
        assert_eq!(created, if is_unsent { count } else { 0 }, "{record}");
    }
}

#[tokio::test]
async fn other_files_are_refused_and_left_alone() {
    let desk = Desk::new(|builder| builder).await;
    let path = desk.path();
    for (content, said) in [
        ("notes without an end", "is no journal"),
        ("{\"task\": 1}\n", "is no journal"),
        ("kling-omni journal 3\n", "of another version"),
        ("kling-omni journal 2\nprepared\n", "damaged in line 2"),
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
    assert!(error.summary().contains("is there already"), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_while_there_may_be_a_task() {
    let desk = Desk::new(|builder| builder).await;
    // Only a list that was shown before tells a new task from an old one.
    desk.client.create(cat().build().unwrap()).await.unwrap();
    desk.lose_a_create().await;
    let mut journal = desk.journal().await;
    let create = || desk.client.create(cat().build().unwrap());
    let error = journal.create(create()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::InvalidState, Charged::Unknown)
    );

    let found = journal
        .reconcile(&desk.client, |search| search)
        .await
        .unwrap();
    let Reconciled::Found { task, .. } = found else {
        panic!("it is found: {found:?}");
    };
    let error = journal.create(create()).await.unwrap_err();
    assert_eq!(error.charged(), Charged::Yes);
    assert_eq!(error.task_id(), Some(task.id()));
    assert!(
        journal
            .reconcile(&desk.client, |search| search)
            .await
            .is_err()
    );
    assert!(journal.resolve_not_created().await.is_err());
    assert_eq!(desk.sandbox.charges(), 2);
}

#[tokio::test]
async fn a_dead_sender_sends_nothing_any_more() {
    let desk = Desk::new(|builder| builder).await;
    // An account without tasks proves no absence.
    desk.client.create(cat().build().unwrap()).await.unwrap();
    let mut journal = desk.journal().await;
    let create = desk.client.create(cat().build().unwrap());
    let create = create.before_send(|_| Err(std::io::Error::other("died")));
    let outcome = journal.create(create).await.unwrap();
    assert!(matches!(outcome, CreateOutcome::Rejected(_)));
    assert_eq!(word(&journal.state()), "rejected");
    drop(journal);

    // Without its last line, the journal is that of a process that died between the record and the request.
    let whole = fs::read_to_string(desk.path()).unwrap();
    let end = whole.trim_end().rfind('\n').unwrap() + 1;
    fs::write(desk.path(), &whole[..end]).unwrap();
    let mut journal = desk.journal().await;
    let span = Duration::from_secs(300);
    let looked = journal.reconcile(&desk.client, |search| search.settle_time(span));
    assert!(matches!(
        looked.await.unwrap(),
        Reconciled::Ambiguous { .. }
    ));
    drop(journal);
    // A second look, later, does not begin to count anew.
    desk.clock.advance(span);
    let mut journal = desk.journal().await;
    let looked = journal.reconcile(&desk.client, |search| search.settle_time(span));
    assert!(matches!(looked.await.unwrap(), Reconciled::NotCreated));
    assert!(journal.state().may_create());
    assert_eq!(desk.sandbox.charges(), 1);
}

#[tokio::test]
async fn a_person_may_settle_it() {
    let desk = Desk::new(|builder| builder).await;
    let before = desk.client.create(cat().build().unwrap()).await.unwrap();
    desk.lose_a_create().await;
    let mut journal = desk.journal().await;
    let error = journal.resolve_as(before.id()).await.unwrap_err();
    assert!(error.summary().contains("was there before"), "{error}");
    assert!(journal.resolve_as("").await.is_err());
    let id = desk.sandbox.tasks()[1].id().to_owned();
    journal.resolve_as(&id).await.unwrap();
    assert_eq!(journal.state().task_id(), Some(id.as_str()));
    assert!(journal.resolve_as(&id).await.is_err());
}

#[tokio::test]
async fn a_journal_is_about_one_create_at_one_service() {
    let desk = Desk::new(|builder| builder).await;
    desk.lose_a_create().await;
    let mut journal = desk.journal().await;
    let elsewhere = client("http://127.0.0.1:1/", &desk.clock).build().unwrap();
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
            "it was for http://127.0.0.1",
        ),
        (
            desk.client.create(cat().duration(4).build().unwrap()),
            "its request was another",
        ),
        (
            desk.client
                .create(cat().tier(kling_omni::Tier::Standard).build().unwrap()),
            "the mode text and the tier pro",
        ),
    ] {
        let error = journal.create(create).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::InvalidState, Charged::No)
        );
        assert!(error.summary().contains(reason), "{error}");
    }
    assert_eq!(desk.sandbox.charges(), 1);
    // Where deliveries go does not change what is made.
    let hooked = cat().webhook_url("https://example.com/hook?token=fresh");
    let outcome = journal
        .create(desk.client.create(hooked.build().unwrap()))
        .await;
    assert!(matches!(outcome.unwrap(), CreateOutcome::Created(_)));
}

#[tokio::test]
async fn what_a_dead_process_left_of_a_download_is_removed() {
    let desk = Desk::new(|builder| builder).await;
    let task = desk.client.create(cat().build().unwrap()).await.unwrap();
    let video = task.wait().await.unwrap();
    let file = |name: &str| {
        let path = desk.folder.path().join(name);
        fs::write(&path, "part").unwrap();
        fs::File::open(path).unwrap()
    };
    let orphan = format!(".kling-omni-{}-abc.part", task.id());
    let living = format!(".kling-omni-{}-def.part", task.id());
    file(&orphan);
    file(".kling-omni-another-abc.part");
    let held = file(&living);
    held.lock().unwrap();
    video
        .save(desk.folder.path().join("cat.mp4"))
        .await
        .unwrap();
    let mut names: Vec<_> = fs::read_dir(desk.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = [
        living,
        ".kling-omni-another-abc.part".to_owned(),
        "cat.mp4".to_owned(),
    ];
    expected.sort();
    assert_eq!(names, expected);
}
