//! Metrics of a ledger and of a process, as OpenMetrics text.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kling_omni::Client;
use kling_omni::client::RequestCount;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::batches::Batches;
use crate::error::BatchResult;
use crate::ledger::{LedgerMetrics, RecentVideo, Step};
use crate::state::{BatchState, ItemState};

/// The part of the delays below a quantile, in hundredths, and its label.
const QUANTILES: [(usize, &str); 3] = [(50, "0.5"), (90, "0.9"), (100, "1")];

/// What an operator watches. `Display` writes it as OpenMetrics text, which Prometheus scrapes, and which the textfile collector
/// of `node_exporter` reads, too: there are gauges and counters only.
///
/// Labels have names of batches and the process that holds an account; nothing has a prompt, a key or a URL.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// The counts of the ledger.
    pub ledger: LedgerMetrics,
    /// The requests of this process, by operation.
    pub requests: BTreeMap<&'static str, RequestCount>,
}

impl Batches {
    /// Reads what an operator watches, in a few statements, whatever the number of items.
    ///
    /// ```no_run
    /// # async fn example(batches: kling_omni_batch::Batches, client: kling_omni::Client) -> kling_omni_batch::BatchResult<()> {
    /// let metrics = batches.metrics().await?.with_requests_of(&client);
    /// print!("{metrics}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn metrics(&self) -> BatchResult<Metrics> {
        Ok(Metrics {
            ledger: self.ledger().metrics().await?,
            requests: BTreeMap::new(),
        })
    }
}

impl Metrics {
    /// The media type of the text.
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Adds the requests that a client and its clones have sent.
    #[must_use]
    pub fn with_requests_of(mut self, client: &Client) -> Self {
        self.requests = client.request_counts();
        self
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        text::encode(f, &registry)
    }
}

/// The labels of a sample.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes the samples of a metric. Without samples, the metric is missing.
fn family<'a, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, unit, help): (&str, Option<Unit>, &str),
    samples: impl IntoIterator<Item = (Labels<'a>, M)>,
) -> fmt::Result {
    let mut samples = samples.into_iter().peekable();
    let Some((_, first)) = samples.peek() else {
        return Ok(());
    };
    let kind = first.metric_type();
    let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
    for (labels, value) in samples {
        value.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_items(&mut encoder)?;
        self.encode_spend(&mut encoder)?;
        self.encode_jobs(&mut encoder)?;
        self.encode_delays(&mut encoder)?;
        self.encode_accounts(&mut encoder)?;
        self.encode_requests(&mut encoder)
    }
}

impl Metrics {
    fn encode_items(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let batches = &self.ledger.batches;
        let name = ("kling_omni_batch_items", None, "Items by state");
        let items = batches.iter().flat_map(|batch| {
            ItemState::ALL.iter().map(|state| {
                let items = batch.items.get(state).copied().unwrap_or_default();
                let labels = vec![("batch", &*batch.name), ("state", state.as_str())];
                (labels, ConstGauge::new(items))
            })
        });
        family(encoder, name, items)?;
        let name = (
            "kling_omni_batch_state",
            None,
            "1 for the state of the batch, 0 for the others",
        );
        let states = batches.iter().flat_map(|batch| {
            BatchState::ALL.iter().map(|state| {
                let labels = vec![("batch", &*batch.name), ("state", state.as_str())];
                (labels, ConstGauge::new(u32::from(*state == batch.state)))
            })
        });
        family(encoder, name, states)
    }

    fn encode_spend(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let batches = || self.ledger.batches.iter();
        let name = (
            "kling_omni_batch_tasks",
            None,
            "Tasks that were paid for or may have been",
        );
        let tasks = batches().map(|batch| (of(&batch.name), ConstGauge::new(batch.tasks)));
        family(encoder, name, tasks)?;
        let name = (
            "kling_omni_batch_video",
            Some(Unit::Seconds),
            "Video of these tasks, with the maximum for a length that is not known in advance",
        );
        let seconds = batches().map(|batch| (of(&batch.name), ConstGauge::new(batch.seconds)));
        family(encoder, name, seconds)
    }

    fn encode_jobs(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let jobs = || {
            self.ledger.batches.iter().flat_map(|batch| {
                Step::ALL.iter().map(|step| {
                    let jobs = batch.jobs.get(step).copied().unwrap_or_default();
                    let labels = vec![("batch", &*batch.name), ("step", step.as_str())];
                    (labels, jobs)
                })
            })
        };
        let name = (
            "kling_omni_batch_jobs",
            None,
            "Jobs that wait for workers or are being run",
        );
        let counts = jobs().map(|(labels, jobs)| (labels, ConstGauge::new(jobs.jobs)));
        family(encoder, name, counts)?;
        let name = (
            "kling_omni_batch_oldest_job",
            Some(Unit::Seconds),
            "Age of the oldest of these jobs",
        );
        let ages = jobs().map(|(labels, jobs)| (labels, seconds(jobs.oldest)));
        family(encoder, name, ages)
    }

    fn encode_delays(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let batches = || self.ledger.batches.iter();
        let name = (
            "kling_omni_batch_recent_videos",
            None,
            "Videos of which the delays are",
        );
        let counts = batches().map(|batch| {
            let count = u64::try_from(batch.recent.len()).unwrap_or(u64::MAX);
            (of(&batch.name), ConstGauge::new(count))
        });
        family(encoder, name, counts)?;
        let quantiles = |delay: fn(&RecentVideo) -> Duration| {
            batches().flat_map(move |batch| {
                let mut delays: Vec<_> = batch.recent.iter().map(delay).collect();
                delays.sort_unstable();
                QUANTILES.into_iter().filter_map(move |(part, quantile)| {
                    let rank = (delays.len() * part).div_ceil(100);
                    let delay = *delays.get(rank.checked_sub(1)?)?;
                    let labels = vec![("batch", &*batch.name), ("quantile", quantile)];
                    Some((labels, seconds(delay)))
                })
            })
        };
        let name = (
            "kling_omni_batch_recent_task",
            Some(Unit::Seconds),
            "From the create of a task to its end",
        );
        family(encoder, name, quantiles(|video| video.created_to_ended))?;
        let name = (
            "kling_omni_batch_recent_save",
            Some(Unit::Seconds),
            "From the end of a task until its video was saved",
        );
        family(encoder, name, quantiles(|video| video.ended_to_saved))
    }

    fn encode_accounts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let ids = self.ledger.accounts.iter();
        let ids: Vec<_> = ids.map(|account| account.account.0.to_string()).collect();
        let accounts = || ids.iter().zip(&self.ledger.accounts);
        let name = (
            "kling_omni_batch_undecided_items",
            None,
            "Items that may have a paid task, and need the decision of a person",
        );
        let undecided = accounts()
            .map(|(id, account)| (vec![("account", &**id)], ConstGauge::new(account.undecided)));
        family(encoder, name, undecided)?;
        let name = (
            "kling_omni_batch_lease_held",
            None,
            "1 while a run has the account",
        );
        let held = accounts().filter_map(|(id, account)| {
            let held = u32::from(account.is_held?);
            Some((vec![("account", &**id)], ConstGauge::new(held)))
        });
        family(encoder, name, held)?;
        let name = (
            "kling_omni_batch_lease_holder",
            None,
            "1 for the run that has or had the account",
        );
        let holders = accounts().filter_map(|(id, account)| {
            let labels = vec![("account", &**id), ("holder", account.holder.as_deref()?)];
            Some((labels, ConstGauge::new(1_u32)))
        });
        family(encoder, name, holders)
    }

    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counts = |count: fn(&RequestCount) -> u64| {
            let counts = self.requests.iter();
            counts.map(move |(operation, counts)| {
                let labels = vec![("operation", *operation)];
                (labels, ConstCounter::new(count(counts)))
            })
        };
        let name = (
            "kling_omni_client_requests",
            None,
            "Requests of this process to the service",
        );
        family(encoder, name, counts(|count| count.requests))?;
        let name = (
            "kling_omni_client_failed_requests",
            None,
            "Requests of this process to the service that failed",
        );
        family(encoder, name, counts(|count| count.failures))
    }
}

/// The label of a batch.
fn of(batch: &str) -> Labels<'_> {
    vec![("batch", batch)]
}

fn seconds(time: Duration) -> ConstGauge<f64> {
    ConstGauge::new(time.as_secs_f64())
}
