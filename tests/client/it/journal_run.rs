//! `Journal::run`: from each state to the saved video, or to a question.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::download::Destination;
use kling_omni::journal::{Journal, JournalEvent, JournalOutcome, JournalRun, State};
use kling_omni::recovery::{AmbiguityReason, KnownTasks};
use kling_omni::{Charged, Client, Create, ErrorKind, Mode, TextToVideo};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tempfile::TempDir;

use crate::journal_stores::MemoryStore;

type Events = Arc<Mutex<Vec<String>>>;

/// A sandbox with an older task, a client, a store and a folder.
struct TestBench {
    sandbox: Sandbox,
    client: Client,
    clock: VirtualClock,
    folder: TempDir,
    store: MemoryStore,
    events: Events,
}

impl TestBench {
    async fn new() -> Self {
        let clock = VirtualClock::new();
        let sandbox = sandbox(&clock).start().await.unwrap();
        let client = client(sandbox.base_url(), &clock).max_retries(0);
        let client = client.build().unwrap();
        // An account without tasks proves nothing about a lost create.
        client.create(cat()).await.unwrap();
        Self {
            sandbox,
            client,
            clock,
            folder: TempDir::new().unwrap(),
            store: MemoryStore::new(1),
            events: Events::default(),
        }
    }

    async fn journal(&self) -> Journal {
        Journal::with_store(self.store.clone()).await.unwrap()
    }

    fn create(&self) -> Create {
        self.client.create(cat())
    }

    fn destination(&self) -> Destination {
        Destination::new(self.folder.path().join("cat.mp4"))
    }

    fn observed<'a>(&self, run: JournalRun<'a>) -> JournalRun<'a> {
        let events = Arc::clone(&self.events);
        run.on_event(move |event| events.lock().unwrap().extend(word(&event)))
    }

    /// Opens the journal and runs it, as a new process does.
    async fn run(&self) -> kling_omni::Result<JournalOutcome> {
        let mut journal = self.journal().await;
        let run = journal.run(&self.client, self.create(), self.destination());
        self.observed(run).await
    }

    fn events(&self) -> String {
        std::mem::take(&mut *self.events.lock().unwrap()).join(" ")
    }

    fn charges(&self) -> usize {
        self.sandbox.charges() - 1
    }
}

fn cat() -> TextToVideo {
    let request = TextToVideo::builder().prompt("A cat by the window");
    request.duration(3).build().unwrap()
}

fn word(event: &JournalEvent) -> Option<String> {
    let word = match event {
        JournalEvent::Searching { .. } => "searching",
        JournalEvent::Found { .. } => "found",
        JournalEvent::NotCreated => "not-created",
        JournalEvent::Sending => "sending",
        JournalEvent::Unanswered { .. } => "unanswered",
        JournalEvent::Created { .. } => "created",
        JournalEvent::Waiting { .. } => "waiting",
        JournalEvent::Downloading { .. } => "downloading",
        JournalEvent::Saved(_) => "saved",
        JournalEvent::AlreadySaved(_) => "already-saved",
        JournalEvent::SavedFileChanged { .. } => "changed",
        JournalEvent::WriteFailed { .. } => "write-failed",
        _ => return None,
    };
    Some(word.to_owned())
}

fn saved(outcome: kling_omni::Result<JournalOutcome>) {
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, JournalOutcome::Saved(_)), "{outcome:?}");
}

#[tokio::test]
async fn saves_once_and_then_verifies() {
    let bench = TestBench::new().await;
    saved(bench.run().await);
    assert_eq!(bench.events(), "sending created waiting downloading saved");
    saved(bench.run().await);
    assert_eq!(bench.events(), "already-saved");
    let path = bench.folder.path().join("cat.mp4");
    fs::remove_file(&path).unwrap();
    saved(bench.run().await);
    assert_eq!(bench.events(), "changed waiting downloading saved");
    // Another file of this name is not replaced.
    fs::write(&path, "a dog").unwrap();
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    assert_eq!(error.charged(), Charged::Yes);
    assert_eq!(fs::read(&path).unwrap(), b"a dog");
    assert_eq!(bench.charges(), 1);
}

/// The run is dropped at each of its events, as by a process that is killed there, and the next one continues.
#[tokio::test]
async fn dropped_at_any_event_it_continues() {
    for fault in [None, Some("create:drop@1"), Some("create:lost@1")] {
        for at in 0.. {
            let bench = TestBench::new().await;
            if let Some(fault) = fault {
                bench.sandbox.inject(fault.parse().unwrap());
            }
            let mut journal = bench.journal().await;
            let (dropped, mut is_dropped) = tokio::sync::mpsc::unbounded_channel();
            let mut seen = 0;
            let run = journal.run(&bench.client, bench.create(), bench.destination());
            let client = bench.client.clone();
            let run = run.recreate(move || client.create(cat()));
            let run = run.on_event(move |event| {
                if word(&event).is_some() {
                    if seen == at {
                        dropped.send(()).unwrap();
                    }
                    seen += 1;
                }
            });
            let is_complete = tokio::select! {
                biased;
                _ = is_dropped.recv() => false,
                outcome = run.into_future() => { saved(outcome); true }
            };
            drop(journal);
            if is_complete {
                assert!(at >= 4, "{fault:?} has {at} events");
                assert_eq!(bench.charges(), 1, "{fault:?}");
                break;
            }
            let mut journal = bench.journal().await;
            journal.declare_sender_ended();
            let run = journal.run(&bench.client, bench.create(), bench.destination());
            let client = bench.client.clone();
            saved(run.recreate(move || client.create(cat())).await);
            assert_eq!(bench.charges(), 1, "{fault:?}, dropped at event {at}");
        }
    }
}

#[tokio::test]
async fn lost_response_is_found_in_the_same_run() {
    let bench = TestBench::new().await;
    bench.sandbox.inject("create:drop@1".parse().unwrap());
    saved(bench.run().await);
    let events = "sending unanswered searching found waiting downloading saved";
    assert_eq!(bench.events(), events);
    assert_eq!(bench.charges(), 1);
}

/// While another create of the client is unconfirmed, a new task may be its own. The run waits until that is resolved.
#[tokio::test]
async fn another_unconfirmed_create_delays_the_search() {
    let bench = TestBench::new().await;
    bench.sandbox.inject("create:lost@1".parse().unwrap());
    bench.sandbox.inject("create:drop@2".parse().unwrap());
    let mut other = Journal::with_store(MemoryStore::new(2)).await.unwrap();
    other.create(bench.create()).await.unwrap();
    assert_eq!(other.state().name(), "unconfirmed");

    let mut journal = bench.journal().await;
    let run = journal.run(&bench.client, bench.create(), bench.destination());
    let mut run = bench.observed(run).into_future();
    let begin = bench.clock.elapsed();
    let resolve = async {
        while bench.clock.elapsed() < begin + Duration::from_secs(12) {
            tokio::task::yield_now().await;
        }
        assert!(!bench.events().contains("found"));
        other.resolve_not_created().await.unwrap();
    };
    tokio::select! {
        outcome = &mut run => panic!("the run did not wait: {outcome:?}"),
        () = resolve => {}
    }
    saved(run.await);
    assert!(bench.events().starts_with("found"));
    assert_eq!(bench.charges(), 1);
}

/// A run does not wait longer than the settle time for another create.
#[tokio::test]
async fn unresolved_create_of_the_client_needs_a_decision() {
    let bench = TestBench::new().await;
    bench.sandbox.inject("create:lost@1".parse().unwrap());
    bench.sandbox.inject("create:drop@2".parse().unwrap());
    let mut other = Journal::with_store(MemoryStore::new(2)).await.unwrap();
    other.create(bench.create()).await.unwrap();
    let mut journal = bench.journal().await;
    let run = journal.run(&bench.client, bench.create(), bench.destination());
    match bench.observed(run).await.unwrap() {
        JournalOutcome::NeedsDecision { reason, .. } => {
            assert_eq!(reason, AmbiguityReason::OtherCreates);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.charges(), 1);
}

/// A set of known tasks takes the place of the list snapshot, in the create and in the search.
#[tokio::test]
async fn known_tasks_are_compared() {
    let bench = TestBench::new().await;
    let known = KnownTasks::new();
    known.refresh(&bench.client, Mode::Text).await.unwrap();
    bench.sandbox.inject("create:drop@1".parse().unwrap());
    let mut journal = bench.journal().await;
    let run = journal.run(&bench.client, bench.create(), bench.destination());
    saved(bench.observed(run.known_tasks(&known)).await);
    assert!(bench.events().contains("unanswered searching found"));
    assert_eq!(bench.charges(), 1);
    let id = journal.state().task_id().unwrap().to_owned();
    assert!(known.contains(&id));
    // No record has the ids of the list.
    let older = bench.sandbox.tasks()[0].id().to_owned();
    let records = bench.store.records();
    assert!(records.iter().all(|record| !record.contains(&older)));
}

#[tokio::test]
async fn lost_request_is_created_again_only_if_asked() {
    let bench = TestBench::new().await;
    bench.sandbox.inject("create:lost@1".parse().unwrap());
    let error = bench.run().await.unwrap_err();
    assert_eq!(bench.events(), "sending unanswered searching not-created");
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::Transport, Charged::No)
    );
    assert!(error.is_retryable());
    assert_eq!(bench.charges(), 0);
    saved(bench.run().await);
    assert_eq!(bench.charges(), 1);

    let bench = TestBench::new().await;
    bench.sandbox.inject("create:lost@1-2".parse().unwrap());
    let mut journal = bench.journal().await;
    let client = bench.client.clone();
    let run = journal.run(&bench.client, bench.create(), bench.destination());
    saved(run.recreate(move || client.create(cat())).await);
    assert_eq!(bench.charges(), 1);
}

#[tokio::test]
async fn ambiguous_create_needs_a_decision() {
    let bench = TestBench::new().await;
    bench.sandbox.inject("create:drop@1".parse().unwrap());
    let mut journal = bench.journal().await;
    journal.create(bench.create()).await.unwrap();
    drop(journal);
    // Another process creates on this account.
    let other = client(bench.sandbox.base_url(), &bench.clock);
    other.build().unwrap().create(cat()).await.unwrap();
    let charges = bench.charges();
    for _ in 0..2 {
        let outcome = bench.run().await.unwrap();
        let JournalOutcome::NeedsDecision {
            candidates,
            reason,
            unconfirmed,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, AmbiguityReason::MultipleCandidates);
        assert_eq!(candidates.len(), 2);
        let state = bench.journal().await.state();
        assert_eq!(state, State::Unconfirmed(unconfirmed));
    }
    let mut journal = bench.journal().await;
    let own = bench.sandbox.tasks()[1].id().to_owned();
    journal.resolve_as(&own).await.unwrap();
    saved(bench.run().await);
    assert_eq!(bench.charges(), charges);
}

#[tokio::test]
async fn errors_have_the_charge_and_the_task() {
    let bench = TestBench::new().await;
    let error = bench
        .journal()
        .await
        .run(&bench.client, None, "x.mp4")
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidState);

    // A destination that cannot be written is found before the create.
    let nowhere = bench.folder.path().join("missing/cat.mp4");
    let mut journal = bench.journal().await;
    let run = journal.run(&bench.client, bench.create(), nowhere);
    let error = run.await.unwrap_err();
    assert_eq!(
        (error.kind(), error.charged()),
        (ErrorKind::File, Charged::No)
    );
    assert_eq!(bench.charges(), 0);

    bench.sandbox.inject("create:400@1".parse().unwrap());
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.charged(), Charged::No);

    bench.sandbox.inject("status:401".parse().unwrap());
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.charged(), Charged::Yes);
    let id = bench.sandbox.tasks()[1].id().to_owned();
    assert_eq!(error.task_id(), Some(id.as_str()));
    bench.sandbox.clear_faults();

    // A new client does not know the task, and the journal does.
    let other = client(bench.sandbox.base_url(), &bench.clock);
    let other = other.max_retries(0).build().unwrap();
    bench.sandbox.inject("status:401".parse().unwrap());
    let mut journal = bench.journal().await;
    let error = journal.run(&other, None, bench.destination());
    let error = error.await.unwrap_err();
    assert_eq!(error.charged(), Charged::Yes);
    bench.sandbox.clear_faults();

    let dog = TextToVideo::builder().prompt("A dog").build().unwrap();
    let mut journal = bench.journal().await;
    let run = journal.run(&bench.client, bench.client.create(dog), bench.destination());
    let error = run.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    assert_eq!(bench.charges(), 1);
}

/// Two processes take the same journal at the same time.
#[tokio::test]
async fn two_processes_pay_once() {
    let bench = TestBench::new().await;
    let (mut one, mut other) = (bench.journal().await, bench.journal().await);
    let (first, second) = (bench.create(), bench.create());
    let first = one.run(&bench.client, first, bench.destination());
    let second = other.run(&bench.client, second, bench.folder.path().join("other.mp4"));
    let (first, second) = tokio::join!(first.into_future(), second.into_future());
    let errors: Vec<_> = [first, second]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].charged(), Charged::No);
    assert_eq!(bench.charges(), 1);
    saved(bench.run().await);
}

/// The sender of an announced create may still be running, unless the store or the caller knows that it has ended.
#[tokio::test]
async fn sender_that_may_still_run_is_waited_for() {
    let mut searches = Vec::new();
    for declares in [false, true] {
        let bench = TestBench::new().await;
        let mut journal = bench.journal().await;
        let create = bench.create();
        let create = create.before_send(|_| Err(io::Error::other("killed here")));
        journal.create(create).await.unwrap();
        drop(journal);
        // Without its last record, the journal is that of a process that was killed after the announcement.
        let mut records = bench.store.records();
        assert!(records.pop().unwrap().contains("rejected"));
        bench.store.replace(records);

        let mut journal = bench.journal().await;
        if declares {
            journal.declare_sender_ended();
        }
        let clock = bench.clock.clone();
        let search = Arc::new(Mutex::new(Duration::ZERO));
        let found = Arc::clone(&search);
        let start = clock.elapsed();
        let run = journal.run(&bench.client, bench.create(), bench.destination());
        let run = run
            .settle_time(Duration::from_secs(30))
            .on_event(move |event| {
                if let JournalEvent::NotCreated = event {
                    *found.lock().unwrap() = clock.elapsed() - start;
                }
            });
        saved(run.await);
        assert_eq!(bench.charges(), 1);
        searches.push(*search.lock().unwrap());
    }
    let [may_run, has_ended] = searches[..] else {
        panic!("{searches:?}");
    };
    assert_eq!(has_ended.as_secs(), 30);
    // The create announced that it may take a minute and more.
    assert!(may_run > has_ended + Duration::from_secs(60), "{may_run:?}");
}

#[tokio::test]
async fn failed_store_sends_nothing() {
    let bench = TestBench::new().await;
    for number in 0..2 {
        let store = bench.store.clone().full_from(number);
        let mut journal = Journal::with_store(store).await.unwrap();
        let run = journal.run(&bench.client, bench.create(), bench.destination());
        let error = run.await.unwrap_err();
        assert_eq!(
            (error.kind(), error.charged()),
            (ErrorKind::File, Charged::No)
        );
        assert_eq!(bench.charges(), 0);
    }
    // The task is continued without records, and found by the next run.
    let store = bench.store.clone().full_from(2);
    let mut journal = Journal::with_store(store).await.unwrap();
    let run = journal.run(&bench.client, bench.create(), bench.destination());
    saved(bench.observed(run).await);
    assert!(bench.events().contains("write-failed created"), "events");
    assert!(journal.write_error().is_some());
    drop(journal);
    let mut journal = bench.journal().await;
    journal.declare_sender_ended();
    let other = bench.folder.path().join("again.mp4");
    saved(journal.run(&bench.client, None, other).await);
    assert_eq!(bench.charges(), 1);
}
