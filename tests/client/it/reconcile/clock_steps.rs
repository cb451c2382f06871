//! Steps of the wall clock during recovery. A paid task is never reported as not created.

use std::time::Duration;

use kling_omni::journal::{Journal, State};
use kling_omni::recovery::{Reconciled, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::{Client, CreateOutcome};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::clock_steps::{LISTED_AFTER, Moment, STEPS};
use kling_omni_test_support::setup::{client, sandbox, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use tempfile::TempDir;

const DAY: i64 = 86_400;

struct Scenario {
    sandbox: Sandbox,
    clock: VirtualClock,
    client: Client,
    step: i64,
    moment: Moment,
}

impl Scenario {
    /// An account with one older task, and a service that loses the response to the next create.
    async fn new(step: i64, moment: Moment, is_charged: bool) -> Self {
        let clock = VirtualClock::new();
        let sandbox = sandbox(&clock)
            .list_delay(LISTED_AFTER)
            .start()
            .await
            .unwrap();
        let client = client(sandbox.base_url(), &clock)
            .route(Route::ReferenceToVideo)
            .max_retries(0)
            .build()
            .unwrap();
        client
            .create(valid_request().build().unwrap())
            .await
            .unwrap();
        clock.advance(LISTED_AFTER);
        let fault = if is_charged {
            "create:drop@1"
        } else {
            "create:lost@1"
        };
        sandbox.inject(fault.parse().unwrap());
        Self {
            sandbox,
            clock,
            client,
            step,
            moment,
        }
    }

    fn reach(&self, moment: Moment) {
        if self.moment == moment {
            self.clock.step_wall(self.step);
        }
        if self.moment == Moment::DuringSettling && moment == Moment::BetweenChargeAndList {
            let (clock, step) = (self.clock.clone(), self.step);
            let soon = clock.elapsed() + Duration::from_secs(7);
            self.clock.at(soon, move || clock.step_wall(step));
        }
    }

    /// A client in another process of the same machine.
    fn restarted(&self) -> Client {
        self.reach(Moment::BetweenKillAndResume);
        client(self.sandbox.base_url(), &self.clock)
            .build()
            .unwrap()
    }

    fn name(&self) -> String {
        format!("{:?} by {} s", self.moment, self.step)
    }
}

/// Runs every step at every moment, for a task that is charged and for one that is not.
async fn every_scenario(run: impl AsyncFn(Scenario) -> Reconciled) {
    for moment in Moment::ALL {
        for step in STEPS {
            for is_charged in [true, false] {
                let scenario = Scenario::new(step, moment, is_charged).await;
                let name = scenario.name();
                let clock = scenario.clock.clone();
                let reconciled = run(scenario).await;
                match (is_charged, &reconciled) {
                    (true, Reconciled::Found { .. }) | (false, Reconciled::NotCreated) => {}
                    _ => panic!("{name}, charged {is_charged}: {reconciled:?}"),
                }
                // A step backwards must not prolong the search.
                assert!(
                    clock.slept() <= Duration::from_secs(300),
                    "{name}: {:?}",
                    clock.slept()
                );
            }
        }
    }
}

#[tokio::test]
async fn reconcile_never_loses_a_paid_task() {
    every_scenario(async |scenario| {
        scenario.reach(Moment::BeforeTheCreate);
        let create = scenario.client.create(valid_request().build().unwrap());
        let outcome = create.with_list_snapshot().outcome().await;
        let CreateOutcome::Unknown { unconfirmed, .. } = outcome else {
            panic!("{}: {outcome:?}", scenario.name());
        };
        scenario.reach(Moment::BetweenChargeAndList);
        let json = serde_json::to_string(&unconfirmed).unwrap();
        let unconfirmed: UnconfirmedCreate = serde_json::from_str(&json).unwrap();
        let client = scenario.restarted();
        let reconciled = client
            .reconcile(&unconfirmed)
            .until_settled()
            .await
            .unwrap();
        let paid = 1 + usize::from(matches!(reconciled, Reconciled::Found { .. }));
        assert_eq!(scenario.sandbox.charges(), paid, "{}", scenario.name());
        reconciled
    })
    .await;
}

#[tokio::test]
async fn journal_never_loses_a_paid_task() {
    every_scenario(async |scenario| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("one.journal");
        scenario.reach(Moment::BeforeTheCreate);
        let mut journal = Journal::create_new(&path).await.unwrap();
        let create = scenario.client.create(valid_request().build().unwrap());
        let outcome = journal.create(create).await.unwrap();
        assert!(
            matches!(outcome, CreateOutcome::Unknown { .. }),
            "{outcome:?}"
        );
        scenario.reach(Moment::BetweenChargeAndList);
        drop(journal);
        let client = scenario.restarted();
        let mut journal = Journal::open(&path).await.unwrap();
        let reconciled = journal
            .reconcile(&client, |search| search.until_settled())
            .await
            .unwrap();
        match &reconciled {
            Reconciled::Found { task, .. } => {
                assert_eq!(journal.state().task_id(), Some(task.id()));
            }
            _ => assert_eq!(journal.state(), State::Prepared, "{}", scenario.name()),
        }
        let paid = 1 + usize::from(matches!(reconciled, Reconciled::Found { .. }));
        assert_eq!(scenario.sandbox.charges(), paid, "{}", scenario.name());
        reconciled
    })
    .await;
}

#[tokio::test]
async fn settle_time_is_not_shortened() {
    let scenario = Scenario::new(DAY, Moment::BetweenKillAndResume, true).await;
    let create = scenario.client.create(valid_request().build().unwrap());
    let CreateOutcome::Unknown { unconfirmed, .. } = create.with_list_snapshot().outcome().await
    else {
        panic!("the outcome is not unknown");
    };
    scenario.clock.advance(Duration::from_secs(100));
    let client = scenario.restarted();
    let search = client.reconcile(&unconfirmed);
    assert_eq!(search.time_left(), Duration::from_secs(200));
    let for_ever = search.settle_time(Duration::MAX).time_left();
    assert!(for_ever > Duration::from_secs(1 << 40), "{for_ever:?}");
}

#[tokio::test]
async fn settle_time_restarts_once_after_a_reboot() {
    for is_recorded in [true, false] {
        let scenario = Scenario::new(0, Moment::BeforeTheCreate, true).await;
        let create = scenario.client.create(valid_request().build().unwrap());
        let CreateOutcome::Unknown { unconfirmed, .. } =
            create.with_list_snapshot().outcome().await
        else {
            panic!("the outcome is not unknown");
        };
        let mut record = serde_json::to_value(&unconfirmed).unwrap();
        if is_recorded {
            record["ended_monotonic"]["boot_id"] = "another".into();
        } else {
            record.as_object_mut().unwrap().remove("ended_monotonic");
        }
        let unconfirmed: UnconfirmedCreate = serde_json::from_value(record).unwrap();
        scenario.clock.advance(Duration::from_secs(1000));
        let client = scenario.restarted();
        let left = || client.reconcile(&unconfirmed).time_left().as_secs();
        assert_eq!(left(), 300);
        scenario.clock.advance(Duration::from_secs(100));
        assert_eq!(
            left(),
            200,
            "the second search continues the settle time of the first"
        );
    }
}
