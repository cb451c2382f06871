//! What the service does wrong in a scenario, and so which steps its runs have.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use kling_omni_test_support::sources;

use crate::process::{Database, LedgerKind, Service};

const ITEMS: usize = 2;

pub(super) const DURING_CREATE: &str = "response not sent";
/// A list that once lacked tasks proves nothing about the creates before, so a person may have to decide.
const INCOMPLETE: &str = "list incomplete";
pub(super) const DURING_DOWNLOAD: &str = "slow download";

/// A scenario.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    faults: &'static [&'static str],
    /// Whether the items have files.
    has_files: bool,
    /// The number of tasks that fail, and are created again.
    pub(super) failed: usize,
}

const NO_FAULT: Scenario = Scenario {
    name: "no fault",
    faults: &[],
    has_files: false,
    failed: 0,
};

/// All scenarios. In the first one, the service does nothing wrong.
pub(super) const SCENARIOS: &[Scenario] = &[
    NO_FAULT,
    Scenario {
        name: "response lost",
        faults: &["create:drop@2"],
        ..NO_FAULT
    },
    Scenario {
        name: "request lost",
        faults: &["create:lost@2"],
        ..NO_FAULT
    },
    Scenario {
        name: "create rejected",
        faults: &["create:429@2"],
        ..NO_FAULT
    },
    Scenario {
        name: "task failed",
        faults: &["create:silent-failure@1"],
        failed: 1,
        ..NO_FAULT
    },
    Scenario {
        name: "no result",
        faults: &["create:moderated@1"],
        failed: 1,
        ..NO_FAULT
    },
    Scenario {
        name: INCOMPLETE,
        faults: &["create:drop@2", "list:hide-newest=9@2-3"],
        ..NO_FAULT
    },
    Scenario {
        name: "upload and download interrupted",
        faults: &["storage:cut@1", "result:cut@1-4"],
        has_files: true,
        ..NO_FAULT
    },
    Scenario {
        name: DURING_CREATE,
        faults: &["create:hang@2"],
        ..NO_FAULT
    },
    Scenario {
        name: DURING_DOWNLOAD,
        faults: &["result:slow-body=1s@1"],
        ..NO_FAULT
    },
];

/// The scenarios for each ledger, or those that `KLING_OMNI_SCENARIO` and `KLING_OMNI_LEDGER` name.
pub(super) fn scenarios() -> Vec<(LedgerKind, &'static Scenario)> {
    let is_selected = |variable: &str, name: &str| {
        let only = std::env::var(variable).ok();
        only.is_none_or(|only| only.eq_ignore_ascii_case(name))
    };
    let all = LedgerKind::all().into_iter();
    let all = all.flat_map(|ledger| SCENARIOS.iter().map(move |scenario| (ledger, scenario)));
    all.filter(|(ledger, scenario)| {
        is_selected("KLING_OMNI_LEDGER", &format!("{ledger:?}"))
            && is_selected("KLING_OMNI_SCENARIO", scenario.name)
    })
    .collect()
}

impl Scenario {
    pub(super) fn start(&self, ledger: LedgerKind) -> Service {
        let mut service = Service::start(ledger, ITEMS, |sandbox| sandbox);
        for fault in self.faults {
            service.sandbox.inject(fault.parse().unwrap());
        }
        service.options.has_files = self.has_files;
        service.needs_person = self.name == INCOMPLETE;
        service.options.retry_failed = u32::try_from(self.failed).unwrap();
        service
    }
}

/// What a crash left: the rows of the ledger, the files and the number of tasks. The ledger is read from a copy, because a
/// reader would repair it.
pub(super) fn state(service: &Service) -> String {
    let mut state = format!("{} tasks\n", service.charges());
    let mut names = Vec::new();
    let folders = [service.path(""), service.path("videos")];
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            // The names of temporary files have random parts.
            let name = match name.ends_with(".part") {
                true => "a temporary file".to_owned(),
                false => name,
            };
            names.push(name);
        }
    }
    names.sort();
    let _ = writeln!(state, "{names:?}");
    let rows = match &service.database {
        Some(Database { server, database }) => {
            let rows = ROWS.map(|rows| format!("{rows};\n")).concat();
            server.query(&database.name, &rows)
        }
        None => rows_of_file(service),
    };
    state + &rows
}

/// Rows that tell one crash from another.
const ROWS: [&str; 5] = [
    "select 'batch', name, state from batch order by id",
    "select 'item', key, state || attempts || failures from item order by id",
    "select 'attempt', item_id || '.' || number, state from attempt order by id",
    "select 'record', attempt_id, count(*) from record group by attempt_id order by attempt_id",
    "select 'account', holder is null, count(*) from account group by 2",
];

fn rows_of_file(service: &Service) -> String {
    let mut text = String::new();
    let copy = tempfile::TempDir::new().unwrap();
    for name in ["batch.db", "batch.db-wal"] {
        if service.path(name).exists() {
            fs::copy(service.path(name), copy.path().join(name)).unwrap();
        }
    }
    let ledger = rusqlite::Connection::open(copy.path().join("batch.db")).unwrap();
    for rows in ROWS {
        // A ledger without its tables has no rows.
        let Ok(mut query) = ledger.prepare(rows) else {
            continue;
        };
        let rows = query.query_map([], |row| {
            let texts = (0..3).map(|column| row.get::<_, rusqlite::types::Value>(column));
            texts.collect::<Result<Vec<_>, _>>()
        });
        for row in rows.unwrap() {
            let _ = writeln!(text, "{:?}", row.unwrap());
        }
    }
    text
}

/// The failpoints of the code: those of the conductor, and those before and after each record of a journal.
pub(super) fn failpoints_of_the_code() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources::files_below("crates/kling-omni-batch/src/") {
        let code = sources::read(&path);
        for after in code.split("failpoints().before(\"").skip(1) {
            names.extend(after.split('"').next().map(str::to_owned));
        }
    }
    let records = sources::read("crates/kling-omni/src/journal/record.rs");
    let (_, records) = records.split_once("fn name(&self)").unwrap();
    let (records, _) = records.split_once("\n    }\n").unwrap();
    for after in records.split("=> \"").skip(1) {
        names.extend(after.split('"').next().map(str::to_owned));
    }
    // It is written with the announcement.
    assert!(names.remove("prepared"));
    assert!(names.len() >= 11, "{names:?}");
    let both = |name: &String| [format!("before {name}"), format!("after {name}")];
    names.iter().flat_map(both).collect()
}
