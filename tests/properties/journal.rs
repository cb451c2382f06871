//! The journal: torn and changed records.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use kling_omni::journal::{Journal, State};
use kling_omni::{ErrorKind, Result};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const HEADER: &str = "kling-omni journal 2\n";
/// So many digits of a checksum stand in a line.
const DIGITS: usize = 16;

/// After a first byte comes a journal or, if that byte is odd, its records without their checksums. What opens is whole
/// up to its last line, can be cut off anywhere, and can be changed nowhere; what does not open is left as it is.
pub fn journal(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let file = match choice & 1 {
        0 => text.to_vec(),
        _ => sealed(text),
    };
    let desk = DESK.lock().unwrap_or_else(PoisonError::into_inner);
    match desk.open(&file) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::File);
            assert_eq!(desk.file(), file, "what cannot be read was changed");
        }
        Ok(state) => {
            let lines = lines(&file);
            assert_eq!(desk.open(&file).ok().as_ref(), Some(&state));
            goes_on(&desk, &file, &lines, &state);
            if let Some(end) = lines.last() {
                assert!(is_sealed(&file[..*end]), "the checksums do not fit");
                let at = usize::from(*choice) * end / 256;
                if file[at] != b'\n' {
                    let mut changed = file.clone();
                    changed[at] ^= 1 << (choice % 7);
                    assert!(desk.open(&changed).is_err(), "byte {at} does not matter");
                }
            }
        }
    }
}

/// Cut off anywhere, it opens; and a task that is known once is never forgotten.
fn goes_on(desk: &Desk, file: &[u8], lines: &[usize], state: &State) {
    let mut known: Option<String> = None;
    for end in lines {
        let state = desk.open(&file[..*end]).expect("it ends with a line");
        let id = state.task_id().map(str::to_owned);
        assert!(known.is_none() || known == id, "{known:?} became {id:?}");
        known = id;
        let torn = desk.open(&file[..end - 1]);
        assert!(
            torn.is_ok(),
            "it does not open without the end of its last line"
        );
    }
    assert_eq!(state.task_id(), known.as_deref());
}

/// Where the whole lines end.
fn lines(file: &[u8]) -> Vec<usize> {
    let ends = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).collect()
}

/// A journal of these records.
fn sealed(records: &[u8]) -> Vec<u8> {
    let (mut file, mut last) = (HEADER.as_bytes().to_vec(), String::new());
    for record in records.split_inclusive(|byte| *byte == b'\n') {
        last = sum(&last, record.strip_suffix(b"\n").unwrap_or(record));
        file.extend_from_slice(last.as_bytes());
        file.push(b' ');
        file.extend_from_slice(record);
    }
    file
}

fn is_sealed(file: &[u8]) -> bool {
    let Some(lines) = file.strip_prefix(HEADER.as_bytes()) else {
        return false;
    };
    let mut last = String::new();
    lines.split_inclusive(|byte| *byte == b'\n').all(|line| {
        let Some((front, record)) = line.split_at_checked(DIGITS + 1) else {
            return false;
        };
        last = sum(&last, record.strip_suffix(b"\n").unwrap_or(record));
        front == format!("{last} ").as_bytes()
    })
}

fn sum(last: &str, record: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(last);
    hash.update(record);
    let mut digits = String::new();
    for byte in hash.finalize().iter().take(DIGITS / 2) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// A place for one file at a time.
struct Desk {
    runtime: Runtime,
    folder: TempDir,
}

static DESK: LazyLock<Mutex<Desk>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    Mutex::new(Desk {
        runtime: runtime.expect("there is a runtime"),
        folder: TempDir::new().expect("there is a folder"),
    })
});

impl Desk {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    fn open(&self, file: &[u8]) -> Result<State> {
        let path = self.path();
        fs::write(&path, file).expect("the file can be written");
        let journal = self.runtime.block_on(Journal::open(&path))?;
        Ok(journal.state())
    }

    fn file(&self) -> Vec<u8> {
        fs::read(Path::new(&self.path())).expect("the file can be read")
    }
}
