//! A run that ends at any step, and is started again.

use std::future::IntoFuture as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use kling_omni::recovery::AmbiguityReason;
use kling_omni_batch::{Batches, Decision, ItemState, RunOptions};
use tokio::sync::Notify;

use crate::bench::{BATCH, BatchBench};

const ITEMS: usize = 3;

/// Runs the batch in a runtime of its own, which is dropped at the step with this number. Returns the names of the steps
/// that were reached, and whether the run ended by itself.
fn run_until(bench: &BatchBench, crash_at: usize) -> (Vec<String>, bool) {
    run_until_step(bench, RunOptions::default(), move |number, _| {
        number == crash_at
    })
}

/// As [`run_until`], for the step that `crashes` chooses by its number and its name.
pub(crate) fn run_until_step(
    bench: &BatchBench,
    options: RunOptions,
    crashes: impl Fn(usize, &str) -> bool + Send + Sync + 'static,
) -> (Vec<String>, bool) {
    let path = bench.folder.path().join("batch.db");
    let client = bench.new_client();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let ended = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let reached = Arc::new(Notify::new());
        let count = AtomicUsize::new(0);
        let crash = Arc::clone(&reached);
        let has_crashed = AtomicBool::new(false);
        let options = options.in_flight(2).on_step(move |step| {
            // Until the run is dropped, no further step is taken.
            let is_over = has_crashed.load(Ordering::SeqCst);
            let crashes = !is_over && crashes(count.fetch_add(1, Ordering::SeqCst), &step);
            has_crashed.fetch_or(crashes, Ordering::SeqCst);
            if !is_over {
                seen.lock().unwrap().push(step);
            }
            let crash = Arc::clone(&crash);
            async move {
                if crashes {
                    crash.notify_one();
                }
                if crashes || is_over {
                    std::future::pending::<()>().await;
                }
            }
        });
        runtime.block_on(async {
            let batches = Batches::open(path).await.unwrap();
            let run = batches.run(BATCH, &client, options).await.unwrap();
            tokio::select! {
                ended = run.into_future() => {
                    ended.unwrap();
                    true
                }
                () = reached.notified() => false,
            }
        })
    });
    let ended = ended.join().unwrap();
    let steps = steps.lock().unwrap().clone();
    (steps, ended)
}

async fn bench(fault: Option<&str>) -> BatchBench {
    let bench = BatchBench::new(|sandbox| sandbox).await;
    if let Some(fault) = fault {
        bench.sandbox.inject(fault.parse().unwrap());
    }
    bench.import(ITEMS).await;
    bench
}

/// Crashes at each step of a run, and at a step of the run after it. Each item is paid once, and saved.
async fn survives_crashes(fault: Option<&str>) {
    let whole = bench(fault).await;
    let (steps, ended) = tokio::task::block_in_place(|| run_until(&whole, usize::MAX));
    assert!(ended);
    assert_eq!(whole.charges(), ITEMS);
    for step in [
        "before sending",
        "after sending",
        "before created",
        "after publishing",
        "after saved",
    ] {
        assert!(
            steps.iter().any(|name| name == step),
            "{step} is not in {steps:?}"
        );
    }
    let mut crashes = 0;
    for crash_at in 0..steps.len() {
        // Every other recovery crashes, too.
        let second = (crash_at % 2 == 1).then_some(crash_at * 7 % 11);
        let bench = bench(fault).await;
        let (reached, ended) = tokio::task::block_in_place(|| run_until(&bench, crash_at));
        let at = (crash_at, second, reached.last().cloned());
        // The number of steps depends on the order of events.
        crashes += usize::from(!ended);
        if let Some(second) = second {
            tokio::task::block_in_place(|| run_until(&bench, second));
        }
        let (_, ended) = tokio::task::block_in_place(|| run_until(&bench, usize::MAX));
        assert!(ended, "{at:?}");
        assert_eq!(bench.charges(), ITEMS, "{at:?}");
        bench.check_saved(ITEMS).await;
    }
    // A create that a slow machine did not send in time takes more steps.
    assert!(
        crashes * 4 > steps.len() * 3,
        "{crashes} of {}",
        steps.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_survives_a_crash_at_each_step() {
    survives_crashes(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_response_survives_a_crash_at_each_step() {
    survives_crashes(Some("create:drop@2")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn create_that_made_nothing_survives_a_crash_at_each_step() {
    survives_crashes(Some("create:lost@2")).await;
}

/// The list loses tasks, so one create stays undecided. The next one is announced and not sent. Then the list has the task of
/// the first one, which is new to both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn task_of_an_undecided_item_is_not_given_to_the_next_one() {
    let bench = bench(Some("create:drop@1")).await;
    let lost = "list:hide-newest=9@2-9".parse().unwrap();
    bench.sandbox.inject(lost);
    let announced = AtomicUsize::new(0);
    let at_second = move |_: usize, step: &str| {
        step == "after sending" && announced.fetch_add(1, Ordering::SeqCst) == 1
    };
    let options = RunOptions::default().max_prepares(1);
    let (steps, ended) = tokio::task::block_in_place(|| run_until_step(&bench, options, at_second));
    assert!(
        !ended && steps.iter().any(|step| step == "after undecided"),
        "{steps:?}"
    );
    assert_eq!(bench.charges(), 1);
    bench.sandbox.clear_faults();
    let status = bench.run(RunOptions::default()).await;
    let count = (
        status.count(ItemState::Unknown),
        status.count(ItemState::Saved),
    );
    assert_eq!(count, (2, 1), "{status:?}");
    let made = bench.sandbox.tasks();
    let mut reasons = Vec::new();
    for key in (0..ITEMS).map(|number| number.to_string()) {
        if bench.state(&key).await != ItemState::Unknown {
            continue;
        }
        let item = bench.batches.show(BATCH, &key).await.unwrap();
        reasons.push(item.error.unwrap().text);
        let prompt = format!("A cat, take {key}");
        let own = made
            .iter()
            .find(|task| task.request()["prompt"] == prompt.as_str());
        let decision = match own {
            Some(task) => Decision::Task(task.id().to_owned()),
            None => Decision::NotCreated,
        };
        bench.batches.settle(BATCH, &key, decision).await.unwrap();
    }
    // Otherwise the task would be given to the next item.
    let contested = AmbiguityReason::OtherCreates.to_string();
    assert!(reasons.contains(&contested), "{reasons:?}");
    bench.run(RunOptions::default()).await;
    assert_eq!(bench.charges(), ITEMS);
    bench.check_saved(ITEMS).await;
}
