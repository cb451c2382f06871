//! Kills inside of a step: SIGKILL instead of the n-th system call that changes a file. Needs strace.

use std::panic::{AssertUnwindSafe, catch_unwind};

use kling_omni_test_support::strace::has_strace;

use crate::kill_matrix::scenario::SCENARIOS;
use crate::process::{Ended, LedgerKind, Running};

/// The system calls by which a process changes files, and whether only those on the ledger count.
const CALLS: [(&str, bool); 5] = [
    ("pwrite64", true),
    ("fsync", false),
    ("?rename,?renameat,?renameat2,?link,?linkat", false),
    ("?unlink,?unlinkat", false),
    ("ftruncate", false),
];

#[test]
#[ignore = "takes minutes: cargo xtask ci kill-matrix"]
fn each_system_call() {
    if !has_strace() {
        return;
    }
    let mut findings = Vec::new();
    for (calls, on_ledger) in CALLS {
        // Each thread of the process counts its own calls.
        let mut kills = 0;
        for count in 1.. {
            let service = SCENARIOS[0].start(LedgerKind::Sqlite);
            let ledger = service.path("batch.db");
            let files = match on_ledger {
                true => format!("-P {0} -P {0}-wal", ledger.display()),
                false => String::new(),
            };
            let inject = format!("inject={calls}:signal=KILL:when={count}");
            let strace = format!("exec strace -f -o /dev/null {files} -e {inject} \"$0\" \"$@\"");
            let ended = Running::start_with_script(&service.options, &strace).end();
            let was_killed = matches!(ended, Ended::Killed);
            let at = format!("{calls} {count}");
            let finished = catch_unwind(AssertUnwindSafe(|| {
                service.finish(&at);
                service.check(&at, 0);
            }));
            if let Err(panic) = finished {
                let text = panic.downcast_ref::<String>().cloned();
                findings.push(format!("{at}: {}", text.unwrap_or_default()));
            }
            if !was_killed {
                break;
            }
            kills += 1;
        }
        assert!(kills > 0, "no kill instead of {calls}");
        println!("{kills} kills instead of {calls}");
    }
    kling_omni_test_support::fail_on(findings);
}
