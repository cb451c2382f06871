//! Workers whose clocks differ from that of the database: leases and the times of the ledger follow the database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kling_omni_batch::{BatchError, Batches, ItemState, RunOptions};
use kling_omni_test_support::postgres::PostgresServer;

use crate::bench::{BATCH, BatchBench};

const ITEMS: usize = 3;

/// Steps of the clocks of two workers, in seconds.
const STEPS: [(i64, i64); 5] = [(0, 0), (600, -600), (-600, 600), (600, 600), (-600, -600)];

fn ms(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A worker is refused while another one has the account, and takes it over when the lease has ended, whatever their clocks
/// say. The first one, which still runs, pays for nothing then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_clocks_change_nothing() {
    let Some(server) = PostgresServer::shared() else {
        return;
    };
    for (first, second) in STEPS {
        for fault in [None, Some("create:drop@2"), Some("create:lost@2")] {
            let at = format!("{first} s, {second} s, {fault:?}");
            let database = server.new_database();
            let mut bench = BatchBench::new(|sandbox| sandbox).await;
            bench.batches = Batches::open(&database.url).await.unwrap();
            if let Some(fault) = fault {
                bench.sandbox.inject(fault.parse().unwrap());
            }
            bench.import(ITEMS).await;
            let begin = SystemTime::now();

            // The first worker stops after an announcement.
            bench.clock.step_wall(first);
            let (stopped, reached) = tokio::sync::oneshot::channel();
            let stopped = std::sync::Mutex::new(Some(stopped));
            let options = RunOptions::default().in_flight(2).on_step(move |step| {
                let stopped = match step == "after sending" {
                    true => stopped.lock().unwrap().take(),
                    false => None,
                };
                async move {
                    if let Some(stopped) = stopped {
                        let _ = stopped.send(());
                        std::future::pending::<()>().await;
                    }
                }
            });
            let run = bench.batches.run(BATCH, &bench.client, options).await;
            let run = run.unwrap();
            reached.await.unwrap();

            bench.clock.step_wall(second - first);
            let other = Batches::open(&database.url).await.unwrap();
            let no_wait = RunOptions::default().lease_wait(Duration::ZERO);
            let options = no_wait.in_flight(2);
            let refused = other.run(BATCH, &bench.client, options.clone()).await;
            assert!(
                matches!(refused, Err(BatchError::InUse { .. })),
                "{at}: {refused:?}"
            );

            // The time of the lease passes at the database. The first worker may extend it until another has the account.
            let taken = loop {
                server.query(&database.name, "update account set lease_until = 0");
                match other.run(BATCH, &bench.client, options.clone()).await {
                    Err(BatchError::InUse { .. }) => {}
                    taken => break taken.unwrap(),
                }
            };
            let status = taken.await.unwrap();
            assert_eq!(
                status.count(ItemState::Saved),
                ITEMS as u64,
                "{at}: {status:?}"
            );
            assert_eq!(bench.charges(), ITEMS, "{at}");
            bench.check_saved(ITEMS).await;
            run.abort();

            // Whatever the workers' clocks say, the ledger has the times of the database.
            let history = other.show(BATCH, "0").await.unwrap();
            let slack = Duration::from_secs(60);
            let times = ms(begin - slack)..ms(SystemTime::now() + slack);
            for event in history.events {
                assert!(times.contains(&event.at_ms), "{at}: {event:?}");
            }
        }
    }
}
