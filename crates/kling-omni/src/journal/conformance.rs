//! The test suite for implementations of [`JournalStore`], behind the feature `store-conformance`.
//!
//! ```
//! use kling_omni::journal::conformance;
//! # use std::io;
//! # use kling_omni::journal::{JournalRecord, JournalStore, StoredRecords};
//! # #[derive(Clone, Default)]
//! # struct Table(std::sync::Arc<std::sync::Mutex<std::collections::BTreeMap<(u64, u64), String>>>);
//! # struct JobStore { table: Table, job: u64 }
//! # #[async_trait::async_trait]
//! # impl JournalStore for JobStore {
//! #     async fn load(&mut self) -> io::Result<StoredRecords> {
//! #         let table = self.table.0.lock().unwrap();
//! #         let rows = table.range((self.job, 0)..=(self.job, u64::MAX));
//! #         Ok(StoredRecords { records: rows.map(|(_, json)| json.clone()).collect(), sender_ended: false })
//! #     }
//! #     async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
//! #         let mut table = self.table.0.lock().unwrap();
//! #         if table.contains_key(&(self.job, number)) {
//! #             return Err(io::ErrorKind::AlreadyExists.into());
//! #         }
//! #         table.insert((self.job, number), record.json().to_owned());
//! #         Ok(())
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let table = Table::default();
//! let checked = conformance::check(|job| {
//!     let table = table.clone();
//!     async move { Ok(JobStore { table, job }) }
//! });
//! assert_eq!(checked.await, Ok(()));
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::journal::Journal;
use crate::journal::record::Record;
use crate::journal::state::State;
use crate::journal::store::{JournalRecord, JournalStore};

/// A case of the suite that a store does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConformanceFailure {
    /// The number and the name of the case.
    pub case: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ConformanceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.reason)
    }
}

impl std::error::Error for ConformanceFailure {}

/// How often two handles race for a number.
const RACES: u64 = 25;
/// The length of the text in the big record, in bytes.
const BIG: usize = 1024 * 1024;

/// A valid sequence with each kind of record, and each transition that repeats one.
const RECORDS: &[&str] = &[
    r#"{"record":"prepared","base_url":"https://api.example.com/","mode":"text","tier":"pro","request_sha256":"002ac4e17532dd8c094163a6e677c2f52eed52456f18ce4cba3b5171f3b2c9ef","destination":"/videos/puppet.mp4"}"#,
    SENDING,
    r#"{"record":"rejected","reason":"the service rejected the request"}"#,
    SENDING,
    r#"{"record":"unconfirmed","create":{"sent_at":"2026-11-23T03:37:46Z","ended_at":"2026-11-23T03:38:46Z","route":"video-pro"},"reason":"the connection was lost"}"#,
    r#"{"record":"not_created","known_by":"list"}"#,
    SENDING,
    r#"{"record":"created","task_id":"5bfb432e-9842-4194-8870-5aaf64f6ebe4","known_by":"response"}"#,
    r#"{"record":"ended","status":"COMPLETED"}"#,
    r#"{"record":"publishing","file":{"path":"/videos/puppet.mp4","bytes":314532,"sha256":"77a62dc4e94f604545fb13bd66c10f482aec0906729cddd8544d4767fc0e9bb4","sidecar":null}}"#,
    r#"{"record":"saved","file":{"path":"/videos/puppet.mp4","bytes":314532,"sha256":"77a62dc4e94f604545fb13bd66c10f482aec0906729cddd8544d4767fc0e9bb4","sidecar":null}}"#,
];
const SENDING: &str = r#"{"record":"sending","create":{"sent_at":"2026-11-23T03:37:46Z","ended_at":"2026-11-23T03:54:10Z","route":"video-pro","create_nonce":"c6b9941a5ed96874","snapshot":{"lists":["text"],"existing_lists":["text"],"task_ids":["0f50b89a-984c-4e5e-97f0-bcb81faaa6b0"],"is_complete":true}}}"#;

type Check<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// Runs the suite, and returns the cases that failed.
///
/// `open` opens the store of the journal with a number, from 1 to 8. A journal does not exist before its first use, and is
/// opened several times, also while another handle of it is open. A store that allows only one handle at a time returns an
/// error for the second one.
///
/// # Errors
///
/// The cases that the store does not pass.
pub async fn check<S, F>(open: impl Fn(u64) -> F) -> Result<(), Vec<ConformanceFailure>>
where
    S: JournalStore + 'static,
    F: Future<Output = io::Result<S>>,
{
    let (open, big) = (&open, "x".repeat(BIG));
    let cases: [(&'static str, Check<'_>); 8] = [
        ("1, a new journal has no records", Box::pin(empty(open, 1))),
        ("2, records are kept in order", Box::pin(order(open, 2))),
        ("3, records survive reopening", Box::pin(reopening(open, 3))),
        ("4, a number is used once", Box::pin(numbers(open, 4))),
        ("5, one of two handles wins", Box::pin(race(open, 5))),
        ("6, a record may be big", Box::pin(text(open, 6, &big))),
        (
            "7, a record may have any character",
            Box::pin(text(
                open,
                7,
                "é 😀 'quoted' \"twice\" \\ \0 \u{7f}\n\t\u{2028} %s ? $1 -- ; NULL",
            )),
        ),
        ("8, journals are separate", Box::pin(separate(open, 8, 2))),
    ];
    let mut failures = Vec::new();
    for (case, check) in cases {
        if let Err(reason) = check.await {
            failures.push(ConformanceFailure { case, reason });
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures),
    }
}

/// Each record with the state after it.
fn valid_records() -> Result<Vec<JournalRecord>, String> {
    let mut state = State::Empty;
    let mut records = Vec::new();
    for json in RECORDS {
        let record: Record = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let next = record.next_state(&state);
        state = next.ok_or_else(|| format!("{} is not valid", record.name()))?;
        records.push(record_of(&record, state.clone())?);
    }
    Ok(records)
}

fn record_of(record: &Record, state: State) -> Result<JournalRecord, String> {
    JournalRecord::new(record, state).map_err(|error| error.to_string())
}

fn rejected(reason: &str) -> Result<JournalRecord, String> {
    let reason = reason.to_owned();
    let record = Record::Rejected {
        reason: reason.clone(),
    };
    record_of(&record, State::Rejected { reason })
}

async fn opened<S, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
) -> Result<S, String> {
    let opened = open(journal).await;
    opened.map_err(|error| format!("cannot open journal {journal}: {error}"))
}

async fn append(
    store: &mut impl JournalStore,
    number: u64,
    record: &JournalRecord,
) -> Result<(), String> {
    let appended = store.append(number, record).await;
    appended.map_err(|error| format!("cannot append record {number}, {}: {error}", record.name()))
}

/// Loads the records, and compares them.
async fn expect(store: &mut impl JournalStore, expected: &[&JournalRecord]) -> Result<(), String> {
    let loaded = store.load().await;
    let loaded = loaded.map_err(|error| format!("cannot load: {error}"))?;
    let expected: Vec<_> = expected.iter().map(|record| record.json()).collect();
    if loaded.records == expected {
        return Ok(());
    }
    let same = loaded.records.iter().zip(&expected);
    let same = same.take_while(|(loaded, expected)| loaded == *expected);
    Err(format!(
        "{} records were loaded instead of {}, and the first {} are correct",
        loaded.records.len(),
        expected.len(),
        same.count()
    ))
}

/// Fails unless the number is taken, and the store says so.
async fn expect_taken(
    store: &mut impl JournalStore,
    number: u64,
    record: &JournalRecord,
) -> Result<(), String> {
    match store.append(number, record).await {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(format!(
            "record {number} exists, and appending it again is another error than AlreadyExists: {error}"
        )),
        Ok(()) => Err(format!("record {number} was appended twice")),
    }
}

async fn empty<S: JournalStore, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
) -> Result<(), String> {
    expect(&mut opened(open, journal).await?, &[]).await?;
    // Opening does not add a record either.
    expect(&mut opened(open, journal).await?, &[]).await
}

async fn order<S: JournalStore, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
) -> Result<(), String> {
    let mut store = opened(open, journal).await?;
    let records = valid_records()?;
    let records: Vec<_> = records.iter().collect();
    for (number, record) in (0..).zip(&records) {
        append(&mut store, number, record).await?;
        expect(&mut store, &records[..=number as usize]).await?;
    }
    Ok(())
}

async fn reopening<S: JournalStore + 'static, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
) -> Result<(), String> {
    let records = valid_records()?;
    let records: Vec<_> = records.iter().collect();
    for (number, record) in (0..).zip(&records) {
        let mut store = opened(open, journal).await?;
        store
            .load()
            .await
            .map_err(|error| format!("cannot load: {error}"))?;
        append(&mut store, number, record).await?;
        drop(store);
        let journal = Journal::with_store(opened(open, journal).await?).await;
        let journal = journal.map_err(|error| format!("after record {number}: {error}"))?;
        let (state, expected) = (journal.state(), record.state());
        if state != *expected {
            return Err(format!(
                "after record {number}, the state is {} instead of {}",
                state.name(),
                expected.name()
            ));
        }
    }
    expect(&mut opened(open, journal).await?, &records).await
}

async fn numbers<S: JournalStore, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
) -> Result<(), String> {
    let records = valid_records()?;
    let (first, second, other) = (&records[0], &records[1], &rejected("another")?);
    let mut store = opened(open, journal).await?;
    append(&mut store, 0, first).await?;
    append(&mut store, 1, second).await?;
    for number in [1, 0] {
        // The same record again is not accepted either: it may be that of another process.
        for record in [other, &records[number as usize]] {
            expect_taken(&mut store, number, record).await?;
            expect(&mut store, &[first, second]).await?;
        }
    }
    drop(store);
    let mut store = opened(open, journal).await?;
    expect_taken(&mut store, 1, other).await?;
    append(&mut store, 2, other).await?;
    expect(&mut store, &[first, second, other]).await
}

async fn race<S: JournalStore + 'static, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
) -> Result<(), String> {
    let mut one = opened(open, journal).await?;
    let Ok(mut other) = open(journal).await else {
        // An exclusive store: the first handle still works.
        return append(&mut one, 0, &rejected("exclusive")?).await;
    };
    let mut winners = Vec::new();
    for number in 0..RACES {
        for store in [&mut one, &mut other] {
            let loaded = store
                .load()
                .await
                .map_err(|error| format!("cannot load: {error}"))?;
            if loaded.records.len() as u64 != number {
                return Err(format!(
                    "{} records were loaded by one of two handles instead of {number}",
                    loaded.records.len()
                ));
            }
        }
        let records = [rejected("one")?, rejected("the other")?];
        let [first, second] = records.clone();
        let racing = tokio::spawn(async move {
            let appended = one.append(number, &first).await;
            (one, appended)
        });
        let appended = other.append(number, &second).await;
        let (store, first) = racing.await.map_err(|error| error.to_string())?;
        one = store;
        let winner = match (first, appended) {
            (Ok(()), Ok(())) => return Err(format!("both handles appended record {number}")),
            (Ok(()), Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => 0,
            (Err(error), Ok(())) if error.kind() == io::ErrorKind::AlreadyExists => 1,
            (Err(error), _) | (_, Err(error)) => {
                return Err(format!(
                    "a handle that lost record {number} got another error than AlreadyExists: {error}"
                ));
            }
        };
        winners.extend(records.into_iter().nth(winner));
    }
    let winners: Vec<_> = winners.iter().collect();
    expect(&mut one, &winners).await?;
    expect(&mut other, &winners).await
}

async fn text<S: JournalStore, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
    text: &str,
) -> Result<(), String> {
    let record = rejected(text)?;
    let mut store = opened(open, journal).await?;
    append(&mut store, 0, &record).await?;
    drop(store);
    expect(&mut opened(open, journal).await?, &[&record]).await
}

async fn separate<S: JournalStore, F: Future<Output = io::Result<S>>>(
    open: &impl Fn(u64) -> F,
    journal: u64,
    before: u64,
) -> Result<(), String> {
    let record = rejected("a journal of its own")?;
    let records = valid_records()?;
    let mut store = opened(open, journal).await?;
    let mut other = opened(open, before).await?;
    append(&mut store, 0, &record).await?;
    expect(&mut store, &[&record]).await?;
    expect(&mut other, &records.iter().collect::<Vec<_>>()).await
}
