//! What a task costs the machine that waits for it: processor time and memory.

pub mod clock;
pub mod hold;
pub mod load;
pub mod spaced;

use std::future;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use kling_omni_sandbox::Sandbox;

use self::clock::FastClock;
use self::hold::Held;
use self::load::Loaded;
use crate::child;
use crate::report::Report;
use crate::sample::median;

/// Time runs this much faster than real time, which saves minutes of waiting.
pub const FASTER: u32 = 10;

/// How long tasks take: the median in seconds, and the spread.
pub const TIMES: (f64, f64) = (90.0, 0.3);

/// How many tasks have a client each.
const TASKS_ALONE: usize = 200;

const MOST_CPU: Duration = Duration::from_millis(1);
const MOST_KIB: f64 = 1.5;

#[derive(Args)]
pub struct Cost {
    /// Seed of the tasks' times, and of all that the client leaves to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each figure is taken; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Takes only the figures of the loads whose names contain this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Tasks, and how they are waited for.
struct Scenario {
    name: &'static str,
    tasks: usize,
    in_flight: usize,
    is_each_alone: bool,
}

const ALONE: &str = "alone, a client for each";

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: ALONE,
        tasks: TASKS_ALONE,
        in_flight: TASKS_ALONE,
        is_each_alone: true,
    },
    Scenario {
        name: "20 in flight",
        tasks: 60,
        in_flight: 20,
        is_each_alone: false,
    },
    Scenario {
        name: "1,000 in flight",
        tasks: 2_000,
        in_flight: 1_000,
        is_each_alone: false,
    },
    Scenario {
        name: "10,000 in flight",
        tasks: 20_000,
        in_flight: 10_000,
        is_each_alone: false,
    },
];

/// What the memory is called where scenarios are chosen.
const MEMORY: &str = "memory";

/// A load as it went.
struct Taken {
    cpu_ms: f64,
    requests: f64,
    delay: f64,
}

impl Cost {
    pub fn run(&self) -> Result<Report> {
        let mut report = Report::new(
            "cost",
            "Processor time and memory per task",
            "The client runs in a process and a thread of its own, from building the request to the video, against the sandbox in another process, over loopback and without TLS. Tasks take 90 s at the median, with σ 0.3, and the client has seen 128 such before. Both sides' clocks run ten times as fast as time, so the requests are those of real tasks, and come ten times as close.",
        );
        report.command(&format!(
            "cargo xtask bench cost --seed {} --runs {}",
            self.seed, self.runs
        ));
        report.header([
            "",
            "tasks",
            "requests per task",
            "mean delay",
            "processor time per task",
        ]);
        let wanted = SCENARIOS
            .iter()
            .filter(|scenario| self.is_wanted(scenario.name));
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for scenario in wanted {
            let runs = self.repeat(|| {
                let taken = self.play(scenario)?;
                eprintln!("{}: {:.3} ms per task", scenario.name, taken.cpu_ms);
                Ok(taken)
            })?;
            let middle = |figure: fn(&Taken) -> f64| median(runs.iter().map(figure));
            let requests = middle(|taken| taken.requests);
            let cpu = middle(|taken| taken.cpu_ms);
            (least, most) = (least.min(cpu), most.max(cpu));
            report.row([
                scenario.name,
                &scenario.tasks.to_string(),
                &format!("{requests:.2}"),
                &format!("{:.2} s", middle(|taken| taken.delay)),
                &format!("{cpu:.2} ms"),
            ]);
            if scenario.is_each_alone {
                let requests = requests.round();
                let bare = median(self.repeat(|| self.by_reqwest(requests as u32))?);
                report.row([
                    "as many requests of bare reqwest, at even pauses",
                    &TASKS_ALONE.to_string(),
                    &format!("{requests:.2}"),
                    "",
                    &format!("{bare:.2} ms"),
                ]);
                report.figure(&format!(
                    "a task alone, against bare reqwest: **{:.2} ×** the processor time",
                    cpu / bare
                ));
            }
        }
        if most > 0.0 {
            report.figure(&format!(
                "processor time per task: **{least:.2} ms** to **{most:.2} ms** (target: {} ms)",
                MOST_CPU.as_millis()
            ));
        }
        if self.is_wanted(MEMORY) {
            report.figure(&self.memory()?);
        }
        report.figure(&format!("medians of {} runs", self.runs));
        Ok(report)
    }

    fn repeat<T>(&self, one: impl Fn() -> Result<T>) -> Result<Vec<T>> {
        (0..self.runs).map(|_| one()).collect()
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }

    fn play(&self, scenario: &Scenario) -> Result<Taken> {
        let service = Service::start(self.seed)?;
        let mut arguments = service.arguments("load");
        arguments.extend([
            scenario.tasks.to_string(),
            scenario.in_flight.to_string(),
            self.seed.to_string(),
        ]);
        if scenario.is_each_alone {
            arguments.push("--each-alone".to_owned());
        }
        let loaded: Loaded = child::run(arguments)?;
        let tasks = service.sandbox.tasks();
        let count = tasks.len() as f64;
        let ends = tasks.iter().map(|task| service.clock.age(task.ends_at()));
        Ok(Taken {
            cpu_ms: loaded.cpu.as_secs_f64() * 1e3 / count,
            requests: service.sandbox.requests().len() as f64 / count,
            delay: loaded.known_at - ends.sum::<f64>() / count,
        })
    }

    /// What the HTTP stack alone takes for the requests of a task, in milliseconds.
    fn by_reqwest(&self, requests: u32) -> Result<f64> {
        let service = Service::start(self.seed)?;
        let mut arguments = service.arguments("spaced");
        arguments.push(requests.to_string());
        let cpu: Duration = child::run(arguments)?;
        let cpu_ms = cpu.as_secs_f64() * 1e3 / TASKS_ALONE as f64;
        eprintln!("bare reqwest: {cpu_ms:.3} ms per task");
        Ok(cpu_ms)
    }

    /// How much one more task in flight takes.
    fn memory(&self) -> Result<String> {
        let runs = self.repeat(|| {
            let service = Service::start(self.seed)?;
            let held: Held = child::run(service.arguments("hold"))?;
            eprintln!("memory: {:.2} KiB per task", held.kib_per_task());
            Ok(held)
        })?;
        Ok(format!(
            "memory per task in flight: **{:.2} KiB** (target: {MOST_KIB} KiB), as what is resident grows from {:.1} MiB with {} tasks to {:.1} MiB with {}, all waited for by one `wait_all` and looked at a few times",
            median(runs.iter().map(Held::kib_per_task)),
            median(runs.iter().map(|held| held.few.mib())),
            held_tasks(hold::FEW),
            median(runs.iter().map(|held| held.many.mib())),
            held_tasks(hold::MANY),
        ))
    }
}

fn held_tasks(count: usize) -> String {
    format!("{},{:03}", count / 1_000, count % 1_000)
}

/// The sandbox, at work in a thread of its own.
pub struct Service {
    pub sandbox: Sandbox,
    pub clock: FastClock,
}

impl Service {
    pub fn start(seed: u64) -> Result<Self> {
        Self::start_with_clock(seed, FastClock::new(FASTER))
    }

    pub fn start_with_clock(seed: u64, clock: FastClock) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let sandbox = Sandbox::builder()
            .clock(clock)
            .seed(seed)
            .rate_limit(u32::MAX)
            .poll_hints(false)
            .record_limit(usize::MAX)
            .start();
        let sandbox = runtime.block_on(sandbox)?;
        // It ends with the process, and idles once its sandbox is dropped.
        thread::spawn(move || runtime.block_on(future::pending::<()>()));
        Ok(Self { sandbox, clock })
    }

    /// What a client needs to know of it.
    pub fn arguments(&self, scenario: &str) -> Vec<String> {
        vec![
            scenario.to_owned(),
            self.sandbox.base_url().to_owned(),
            self.clock.origin().to_string(),
        ]
    }
}
