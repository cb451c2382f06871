//! A disk that is full while a process runs a batch: for the ledger, and for the videos.

use kling_omni_batch::BatchError;

use crate::process::{Ended, Failpoint, LedgerKind, Running, Service, Stop};

const ITEMS: usize = 12;

/// A service whose batch was imported by a process that was killed then. Returns the number of pages of the ledger, too.
fn imported() -> (Service, u32) {
    let service = Service::start(LedgerKind::Sqlite, ITEMS, |sandbox| sandbox);
    let place = Failpoint {
        name: "before prepare".to_owned(),
        count: 1,
    };
    let aborts = false;
    let mut running = service.run(Some(Stop { place, aborts }));
    assert!(running.until_stopped());
    running.kill();
    let ledger = rusqlite::Connection::open(service.path("batch.db")).unwrap();
    let pages = ledger.query_row("pragma page_count", [], |row| row.get(0));
    let pages = pages.unwrap();
    (service, pages)
}

/// The ledger may grow by so many pages, so it is full at another step each time.
#[test]
fn ledger_without_space() {
    let mut full = 0;
    for more in 0..6 {
        let (mut service, pages) = imported();
        let at = format!("{more} more pages");
        service.options.max_pages = Some(pages + more);
        match service.run(None).end() {
            Ended::Failed(error) => {
                assert_eq!(error, BatchError::Full.to_string(), "{at}");
                full += 1;
            }
            // That was enough.
            Ended::Status(status) => assert_eq!(status["state"], "done", "{at}: {status}"),
            Ended::Killed => panic!("{at}: killed"),
        }
        service.options.max_pages = None;
        service.finish(&at);
        service.check(&at, 0);
    }
    assert!(full >= 3, "{full}");
}

/// The folder of the videos is on a small file system of its own, until the next run.
#[test]
fn videos_without_space() {
    let (service, _) = imported();
    std::fs::create_dir(service.path("videos")).unwrap();
    let mount = format!(
        "exec unshare -rm /bin/sh -c 'mount -t tmpfs -o size=16k none {} && exec \"$0\" \"$@\"' \"$0\" \"$@\"",
        service.path("videos").display()
    );
    match Running::start_with_script(&service.options, &mount).end() {
        Ended::Status(status) => {
            assert_eq!(status["state"], "paused", "{status}");
            assert!(service.charges() < ITEMS, "{status}");
        }
        // Some containers allow no mounts.
        Ended::Killed => println!("skipped: no mounts here"),
        other => panic!("{other:?}"),
    }
    service.finish("with space");
    service.check("with space", 0);
}

/// No file may be larger than a limit: neither the ledger nor its log, nor a video.
#[test]
fn files_without_space() {
    let mut ends = Vec::new();
    let mut full = 0;
    for kib in [64, 128, 256, 512] {
        let (service, _) = imported();
        let at = format!("files of at most {kib} KiB");
        // A shell counts in blocks of 512 bytes. Without the trap, the signal would end the process.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2);
        let ended = Running::start_with_script(&service.options, &script).end();
        full += usize::from(!matches!(&ended, Ended::Status(status) if status["state"] == "done"));
        ends.push(format!("{kib}: {ended:?}"));
        service.finish(&at);
        service.check(&at, 0);
    }
    assert!(full > 0, "{ends:?}");
}
