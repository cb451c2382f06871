//! The model: accounts that create, workers that prepare and fetch, and a database with a few connections at work at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use clap::Args;
use fastrand::Rng;

use super::polled::Polled;
use crate::cost::TIMES;
use crate::polling::times::Times;

/// What was measured, or is assumed.
#[derive(Args, Clone, Copy, Debug)]
pub struct Constants {
    /// How long a transaction keeps a core of the database busy, in seconds: assumed.
    #[arg(long, default_value_t = 0.0006)]
    transaction_seconds: f64,
    /// How many transactions the database runs at once: assumed.
    #[arg(long, default_value_t = 2)]
    database_cores: usize,
    /// Transactions of a create: the announcement, the task, and a read.
    #[arg(long, default_value_t = 3)]
    create_transactions: u32,
    /// Transactions from the end of a task to its saved video, with the job of its download.
    #[arg(long, default_value_t = 7)]
    fetch_transactions: u32,
    /// Transactions of a preparation, with its job.
    #[arg(long, default_value_t = 4)]
    prepare_transactions: u32,
    /// Transactions of a conductor per second: its lease, its batch, its counts.
    #[arg(long, default_value_t = 6)]
    tick_transactions: u32,
    /// Transactions of a worker per second for its queues and its heartbeats.
    #[arg(long, default_value_t = 2)]
    worker_transactions: u32,
    /// How long the service takes to respond to a create, in seconds: assumed.
    #[arg(long, default_value_t = 0.3)]
    create_seconds: f64,
    /// How long the preparation of an item takes, in seconds: assumed.
    #[arg(long, default_value_t = 0.05)]
    prepare_seconds: f64,
    /// How long a download takes, in seconds: assumed.
    #[arg(long, default_value_t = 1.0)]
    download_seconds: f64,
    /// How long a job waits until a worker asks for jobs, in seconds, at the mean.
    #[arg(long, default_value_t = 0.5)]
    queue_seconds: f64,
    /// How many items of an account are prepared and not created, at most.
    #[arg(long, default_value_t = 8)]
    prepared_ahead: u32,
    /// How many videos a worker downloads at once.
    #[arg(long, default_value_t = 4)]
    worker_fetches: usize,
}

impl Constants {
    /// Those of one process with its ledger in a file, and a sandbox beside it.
    pub fn of_a_sandbox() -> Self {
        Self {
            transaction_seconds: 0.0005,
            database_cores: 1,
            create_transactions: 2,
            fetch_transactions: 3,
            prepare_transactions: 1,
            tick_transactions: 3,
            worker_transactions: 0,
            create_seconds: 0.002,
            prepare_seconds: 0.001,
            download_seconds: 0.01,
            queue_seconds: 0.0,
            prepared_ahead: 8,
            worker_fetches: 4,
        }
    }

    /// The constants, for the page.
    pub fn describe(&self) -> Vec<String> {
        vec![
            format!(
                "assumed: a transaction keeps one of {} cores of the database busy for {:.2} ms. Counted in the code: {} transactions per task to prepare, {} to create, {} to fetch; {} per second and conductor, {} per second and worker",
                self.database_cores,
                self.transaction_seconds * 1e3,
                self.prepare_transactions,
                self.create_transactions,
                self.fetch_transactions,
                self.tick_transactions,
                self.worker_transactions
            ),
            format!(
                "assumed: a create takes {} s, a preparation {} s, a download {} s, a job waits {} s for a worker; {} items are prepared ahead, a worker downloads {} videos at once; tasks take 90 s at the median with σ 0.3",
                self.create_seconds,
                self.prepare_seconds,
                self.download_seconds,
                self.queue_seconds,
                self.prepared_ahead,
                self.worker_fetches
            ),
        ]
    }
}

/// Who takes part.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Of all accounts together.
    pub items: u32,
    pub accounts: usize,
    /// The limit of each account.
    pub in_flight: u32,
    pub workers: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub tasks_per_second: f64,
    pub requests_per_task: f64,
    /// The most tasks of an account that were in flight at once, as a mean of the accounts.
    pub in_flight: f64,
    pub transactions_per_second: f64,
    /// The part of the time in which the cores of the database are busy.
    pub database_busy: f64,
    /// The mean time that a transaction waits for a core, in seconds.
    pub mean_wait: f64,
    /// From the end of a task to its saved video, in seconds.
    pub mean_delay: f64,
    pub p95_delay: f64,
}

/// A moment, in nanoseconds.
type Moment = u64;

fn moment(seconds: f64) -> Moment {
    (seconds * 1e9) as Moment
}

fn seconds(moment: Moment) -> f64 {
    moment as f64 / 1e9
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Prepared { account: u32, items: u32 },
    Created { account: u32 },
    Ended { account: u32 },
    Known { account: u32, ended: Moment },
    Fetch { account: u32, ended: Moment },
    Downloaded { account: u32, ended: Moment },
    ConductorTick { account: u32 },
    WorkerTick,
}

#[derive(Clone, Debug, Default)]
struct Account {
    planned: u32,
    prepared: u32,
    in_flight: u32,
    most_in_flight: u32,
    /// Completed videos that are not saved.
    unsaved: u32,
    is_creating: bool,
    is_preparing: bool,
}

/// Servers that each do one thing at a time, in the order of arrival.
struct Servers(BinaryHeap<Reverse<Moment>>);

impl Servers {
    fn new(count: usize) -> Self {
        Self((0..count.max(1)).map(|_| Reverse(0)).collect())
    }

    /// Returns when something begins that arrives now, and when it ends.
    fn serve(&mut self, now: Moment, takes: Moment) -> (Moment, Moment) {
        let Reverse(free) = self.0.pop().unwrap_or(Reverse(0));
        let begins = free.max(now);
        self.0.push(Reverse(begins + takes));
        (begins, begins + takes)
    }
}

struct Model<'a> {
    constants: &'a Constants,
    polled: &'a Polled,
    fleet: Fleet,
    random: Rng,
    times: Times,
    events: BinaryHeap<Reverse<(Moment, Event)>>,
    accounts: Vec<Account>,
    database: Servers,
    downloads: Servers,
    transactions: u64,
    /// The groups of transactions, and how long all of them waited.
    waits: (u64, Moment),
    requests: f64,
    delays: Vec<f32>,
}

/// Lets a fleet complete all items.
pub fn simulate(constants: &Constants, polled: &Polled, fleet: Fleet, seed: u64) -> Outcome {
    let (median, spread) = TIMES;
    let mut accounts = vec![Account::default(); fleet.accounts];
    for item in 0..fleet.items {
        accounts[item as usize % fleet.accounts].planned += 1;
    }
    let mut model = Model {
        constants,
        polled,
        fleet,
        random: Rng::with_seed(seed),
        times: Times::log_normal(median, spread),
        events: BinaryHeap::new(),
        accounts,
        database: Servers::new(constants.database_cores),
        downloads: Servers::new(fleet.workers * constants.worker_fetches),
        transactions: 0,
        waits: (0, 0),
        requests: 0.0,
        delays: Vec::with_capacity(fleet.items as usize),
    };
    model.run()
}

impl Model<'_> {
    fn run(&mut self) -> Outcome {
        for account in 0..self.fleet.accounts {
            let account = account as u32;
            self.go_on(0, account);
            self.at(0, Event::ConductorTick { account });
        }
        for _ in 0..self.fleet.workers {
            self.at(0, Event::WorkerTick);
        }
        let mut now = 0;
        while self.delays.len() < self.fleet.items as usize
            && let Some(Reverse((at, event))) = self.events.pop()
        {
            now = at;
            self.take(now, event);
        }
        self.outcome(seconds(now))
    }

    fn at(&mut self, moment: Moment, event: Event) {
        self.events.push(Reverse((moment, event)));
    }

    /// Runs transactions one after the other. Returns when they end.
    fn transact(&mut self, now: Moment, count: u32) -> Moment {
        let takes = moment(self.constants.transaction_seconds * f64::from(count));
        let (begins, ends) = self.database.serve(now, takes);
        self.transactions += u64::from(count);
        self.waits.0 += 1;
        self.waits.1 += begins - now;
        ends
    }

    /// A time between none and twice the mean.
    fn around(&mut self, mean: f64) -> Moment {
        moment(2.0 * mean * self.random.f64())
    }

    fn take(&mut self, now: Moment, event: Event) {
        match event {
            Event::Prepared { account, items } => {
                let state = &mut self.accounts[account as usize];
                state.is_preparing = false;
                state.prepared += items;
                self.go_on(now, account);
            }
            Event::Created { account } => {
                let state = &mut self.accounts[account as usize];
                state.is_creating = false;
                state.in_flight += 1;
                state.most_in_flight = state.most_in_flight.max(state.in_flight);
                let ends = now + moment(self.times.draw(&mut self.random));
                self.at(ends, Event::Ended { account });
                self.go_on(now, account);
            }
            Event::Ended { account } => {
                // What waits beside a task decides how it is waited for, most of all towards its end.
                let in_flight = self.accounts[account as usize].in_flight;
                let level = self.polled.at(f64::from(in_flight));
                self.requests += level.requests_per_task;
                let known = now + self.around(level.mean_delay);
                let ended = now;
                self.at(known, Event::Known { account, ended });
            }
            Event::Known { account, ended } => {
                let state = &mut self.accounts[account as usize];
                state.in_flight -= 1;
                state.unsaved += 1;
                let queued = self.transact(now, 2) + self.around(self.constants.queue_seconds);
                self.at(queued, Event::Fetch { account, ended });
                self.go_on(now, account);
            }
            Event::Fetch { account, ended } => {
                let takes = moment(self.constants.download_seconds);
                let (_, ends) = self.downloads.serve(now, takes);
                self.at(ends, Event::Downloaded { account, ended });
            }
            Event::Downloaded { account, ended } => {
                let count = self.constants.fetch_transactions.saturating_sub(2);
                let saved = self.transact(now, count);
                self.delays.push(seconds(saved - ended) as f32);
                self.accounts[account as usize].unsaved -= 1;
                self.go_on(now, account);
            }
            // The next one is due when this one has ended, so a busy database gets fewer of them.
            Event::ConductorTick { account } => {
                let state = &self.accounts[account as usize];
                let is_idle = !state.is_preparing && !state.is_creating;
                if !is_idle || state.planned + state.prepared + state.in_flight > 0 {
                    let ends = self.transact(now, self.constants.tick_transactions);
                    self.at(ends + moment(1.0), Event::ConductorTick { account });
                }
            }
            Event::WorkerTick => {
                let ends = self.transact(now, self.constants.worker_transactions);
                self.at(ends + moment(1.0), Event::WorkerTick);
            }
        }
    }

    /// Starts what an account can start: the preparation of items, and one create.
    fn go_on(&mut self, now: Moment, account: u32) {
        let ahead = self.constants.prepared_ahead;
        let state = &mut self.accounts[account as usize];
        let limit = self.fleet.in_flight;
        // Videos that wait for a download may expire, so they count, too.
        let has_room = state.in_flight < limit && state.unsaved < limit;
        let creates = !state.is_creating && state.prepared > 0 && has_room;
        if creates {
            state.is_creating = true;
            state.prepared -= 1;
        }
        let items = ahead.saturating_sub(state.prepared).min(state.planned);
        let prepares = !state.is_preparing && items > 0 && state.prepared * 2 < ahead;
        if prepares {
            state.is_preparing = true;
            state.planned -= items;
        }
        if creates {
            let written = self.transact(now, self.constants.create_transactions);
            let created = written + moment(self.constants.create_seconds);
            self.at(created, Event::Created { account });
        }
        if prepares {
            let written = self.transact(now, items * self.constants.prepare_transactions);
            let waits = self.around(self.constants.queue_seconds);
            let ready = written + waits + moment(self.constants.prepare_seconds);
            self.at(ready, Event::Prepared { account, items });
        }
    }

    fn outcome(&mut self, seconds_passed: f64) -> Outcome {
        let items = f64::from(self.fleet.items);
        let transactions = self.transactions as f64;
        let most: u32 = self.accounts.iter().map(|state| state.most_in_flight).sum();
        self.delays.sort_by(f32::total_cmp);
        let p95 = self.delays[(self.delays.len() - 1) * 95 / 100];
        let total: f64 = self.delays.iter().map(|delay| f64::from(*delay)).sum();
        let cores = self.constants.database_cores as f64;
        Outcome {
            tasks_per_second: items / seconds_passed,
            requests_per_task: self.requests / items,
            in_flight: f64::from(most) / self.fleet.accounts as f64,
            transactions_per_second: transactions / seconds_passed,
            database_busy: (transactions * self.constants.transaction_seconds
                / (cores * seconds_passed))
                .min(1.0),
            mean_wait: seconds(self.waits.1) / self.waits.0 as f64,
            mean_delay: total / items,
            p95_delay: f64::from(p95),
        }
    }
}
