//! The conformance suite of journal stores, run on three stores, and on stores with one defect each.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kling_omni::journal::conformance::{self, ConformanceFailure};
use kling_omni::journal::{Journal, JournalRecord, JournalStore, StoredRecords};
use kling_omni::{Charged, ErrorKind};
use kling_omni_test_support::fail_on;
use tempfile::TempDir;

use crate::service_process::jobs::Jobs;

/// A defect of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// A taken number is overwritten.
    Overwrites,
    /// A taken number is another error.
    OtherError,
    /// The number is ignored, and the record appended.
    IgnoresNumber,
    /// A refused record is stored nevertheless.
    StoresRefused,
    /// Records are lost when the store is closed.
    Forgets,
    /// All journals share their records.
    Shares,
    /// Records are returned in another order.
    Reverses,
    /// Long records are cut.
    Truncates,
    /// Characters beyond ASCII are replaced.
    OnlyAscii,
}

type Rows = BTreeMap<(u64, u64), String>;

#[derive(Clone)]
pub struct MemoryStore {
    rows: Arc<Mutex<Rows>>,
    journal: u64,
    defect: Defect,
    /// From this number on, an append fails.
    full_from: u64,
}

impl MemoryStore {
    pub fn new(journal: u64) -> Self {
        Self {
            rows: Arc::default(),
            journal,
            defect: Defect::None,
            full_from: u64::MAX,
        }
    }

    pub fn full_from(self, number: u64) -> Self {
        Self {
            full_from: number,
            ..self
        }
    }

    pub fn records(&self) -> Vec<String> {
        self.rows.lock().unwrap().values().cloned().collect()
    }

    pub fn replace(&self, records: Vec<String>) {
        let numbered = (0..).zip(records);
        *self.rows.lock().unwrap() = numbered
            .map(|(number, record)| ((self.journal, number), record))
            .collect();
    }
}

#[async_trait]
impl JournalStore for MemoryStore {
    async fn load(&mut self) -> io::Result<StoredRecords> {
        let rows = self.rows.lock().unwrap();
        let rows = rows.range((self.journal, 0)..=(self.journal, u64::MAX));
        let mut records: Vec<_> = rows.map(|(_, json)| json.clone()).collect();
        if self.defect == Defect::Reverses {
            records.reverse();
        }
        Ok(StoredRecords {
            records,
            sender_ended: false,
        })
    }

    async fn append(&mut self, number: u64, record: &JournalRecord) -> io::Result<()> {
        if number >= self.full_from {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut rows = self.rows.lock().unwrap();
        let mut json = record.json().to_owned();
        match self.defect {
            Defect::Truncates => json.truncate(65_536),
            Defect::OnlyAscii => json = json.replace(|c: char| !c.is_ascii(), "?"),
            _ => {}
        }
        let key = match self.defect {
            Defect::IgnoresNumber => (self.journal, rows.len() as u64),
            _ => (self.journal, number),
        };
        if rows.contains_key(&key) && self.defect != Defect::Overwrites {
            if self.defect == Defect::StoresRefused {
                rows.insert((self.journal, u64::MAX), json);
            }
            return Err(match self.defect {
                Defect::OtherError => io::Error::other("constraint failed"),
                _ => io::ErrorKind::AlreadyExists.into(),
            });
        }
        rows.insert(key, json);
        Ok(())
    }
}

async fn check(defect: Defect) -> Result<(), Vec<ConformanceFailure>> {
    let rows = Arc::new(Mutex::new(Rows::new()));
    conformance::check(|journal| {
        let store = MemoryStore {
            rows: match defect {
                Defect::Forgets => Arc::default(),
                _ => Arc::clone(&rows),
            },
            journal: match defect {
                Defect::Shares => 1,
                _ => journal,
            },
            defect,
            full_from: u64::MAX,
        };
        async move { Ok(store) }
    })
    .await
}

#[tokio::test]
async fn memory_store_conforms() {
    assert_eq!(check(Defect::None).await, Ok(()));
}

#[tokio::test]
async fn file_store_conforms() {
    let folder = TempDir::new().unwrap();
    let checked = conformance::check(|journal| {
        let path = folder.path().join(format!("{journal}.journal"));
        async { Journal::file_store(path).await.map_err(io::Error::other) }
    });
    assert_eq!(checked.await, Ok(()));
}

#[tokio::test]
async fn sqlite_store_conforms() {
    let folder = TempDir::new().unwrap();
    let jobs = Jobs::open(folder.path().join("videos.db")).unwrap();
    let checked = conformance::check(|journal| {
        let store = jobs.journal(journal as i64);
        async { Ok(store) }
    });
    assert_eq!(checked.await, Ok(()));
    // The lock is what `sender_ended` relies on.
    assert!(Jobs::open(folder.path().join("videos.db")).is_err());
}

#[tokio::test]
async fn each_defect_is_found() {
    let mut findings = Vec::new();
    for (defect, cases) in [
        (Defect::Overwrites, "45"),
        (Defect::OtherError, "45"),
        (Defect::IgnoresNumber, "45"),
        (Defect::StoresRefused, "45"),
        (Defect::Forgets, "345678"),
        (Defect::Shares, "345678"),
        (Defect::Reverses, "2348"),
        (Defect::Truncates, "6"),
        (Defect::OnlyAscii, "7"),
    ] {
        let failures = check(defect).await.unwrap_err();
        let found: String = failures.iter().map(|failure| &failure.case[..1]).collect();
        if found != cases {
            findings.push(format!(
                "{defect:?}: {found} instead of {cases}: {failures:#?}"
            ));
        }
    }
    fail_on(findings);
}

#[tokio::test]
async fn corrupt_records_are_an_error_and_may_be_charged() {
    // The second one is a record, which cannot be the first one.
    for record in ["{}", r#"{"record":"ended","status":"FAILED"}"#] {
        let store = MemoryStore::new(1);
        store.replace(vec![record.to_owned()]);
        let error = Journal::with_store(store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::File);
        assert_eq!(error.charged(), Charged::Unknown);
        assert_eq!(error.summary(), "the journal is corrupt in record 0");
    }
}
