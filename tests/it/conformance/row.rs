//! The rows of the table.

use std::collections::BTreeSet;
use std::fmt;

use kling_omni_api::tasks::TaskCreate;
use kling_omni_test_support::spec::offered_creates;
use serde::Deserialize;

/// The rows of one operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub operation: Operation,
    pub rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Create,
    Reconcile,
    Status,
    List,
    Wait,
    Save,
    Webhook,
}

/// One fault, and its outcome.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub id: String,
    /// A description of the fault, where its rule is not sufficient.
    pub what: Option<String>,
    /// Rules of the sandbox; after `proxy:`, a fault of the TCP proxy before it.
    #[serde(default)]
    pub fault: Vec<String>,
    #[serde(default)]
    pub given: Given,
    /// The outcome of the operation: a result, or a kind of error.
    pub end: String,
    /// A part of the error text.
    pub says: Option<String>,
    /// The charge in the error; `None` without an error.
    pub charged: Option<String>,
    /// Number of tasks that were paid for when the operation ended.
    pub charges: usize,
    /// Number of requests, where it is guaranteed.
    pub sent: Option<usize>,
    /// The steps of the recovery.
    pub resume: String,
    /// Number of tasks that were paid for after the recovery.
    pub paid: usize,
}

/// The situation before the fault is injected.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    pub route: CreateRoute,
    /// The client has created an earlier task, which has ended; its charge does not count.
    pub older: bool,
    /// The list of tasks is not read before the create.
    pub unlisted: bool,
    /// The unconfirmed create is recorded before it is sent.
    pub journal: bool,
    /// The webhook URL has a correlation token, and there is a receiver.
    pub token: bool,
    /// The client that experienced the fault recovers itself, instead of a new one in another process.
    pub same: bool,
    /// The client has timeouts of a second instead of a minute, and one retry instead of three.
    pub hasty: bool,
    /// Time advances during requests.
    pub passing: bool,
    /// The future is dropped after the fault is injected.
    pub dropped: bool,
    /// The retry budget.
    pub budget: Option<u32>,
    /// The operation timeout, in seconds.
    pub call: Option<u64>,
    /// The timeout of the wait, in seconds.
    pub timeout: Option<u64>,
    /// Seconds between polls.
    pub every: Option<u64>,
    /// A scripted outcome of the task, other than a video.
    pub script: Option<Script>,
    /// The tasks of the older route are read and listed with those of text to video.
    pub elsewhere: bool,
    /// The fault of the create that is then reconciled; by default its response is lost.
    pub create: Option<String>,
    /// Number of creates by others on the same account, after ours.
    pub others: usize,
    /// The create is reconciled at once, before the settle time is over.
    pub early: bool,
    /// Seconds between the end of the task and the operation.
    pub late: u64,
    /// Number of deliveries that arrive when the task starts, when it ends, soon after that, and late.
    pub deliveries: Vec<usize>,
    /// The receiver has the next secret, too.
    pub rotating: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Script {
    Fail,
    Empty,
    Queued,
}

/// A route to create on: `auto`, `every` or an `operationId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum CreateRoute {
    /// The older route, then its successor.
    Auto,
    /// Every creating route of the generated table, one after another.
    Every,
    /// The route of this operation.
    Of(TaskCreate),
}

impl Default for CreateRoute {
    fn default() -> Self {
        Self::Of(TaskCreate::CreateReferenceToVideoPro)
    }
}

impl CreateRoute {
    /// The operation whose body is sent; with `auto`, one whose body every route of the mode accepts.
    pub fn operation(self) -> TaskCreate {
        match self {
            Self::Of(create) => create,
            Self::Auto | Self::Every => TaskCreate::CreateReferenceToVideoPro,
        }
    }
}

impl TryFrom<String> for CreateRoute {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "auto" => return Ok(Self::Auto),
            "every" => return Ok(Self::Every),
            _ => {}
        }
        let mut creates = TaskCreate::ALL.iter();
        let create = creates.find(|create| create.spec().operation.id == name);
        create
            .map(|create| Self::Of(*create))
            .ok_or_else(|| format!("{name} creates no task"))
    }
}

/// What was observed of a row, in the words of the table.
#[derive(PartialEq, Eq)]
pub struct Observed {
    pub end: String,
    pub charged: Option<String>,
    pub charges: usize,
    pub sent: Option<usize>,
    pub resume: String,
    pub paid: usize,
}

impl Row {
    pub fn expected(&self) -> Observed {
        Observed {
            end: self.end.clone(),
            charged: self.charged.clone(),
            charges: self.charges,
            sent: self.sent,
            resume: self.resume.clone(),
            paid: self.paid,
        }
    }

    /// The row on each of its routes.
    pub fn by_route(&self) -> Vec<Self> {
        if self.given.route != CreateRoute::Every {
            return vec![self.clone()];
        }
        let on = offered_creates().map(|create| {
            let mut row = self.clone();
            row.id = format!("{} on {}", self.id, create.spec().operation.id);
            row.given.route = CreateRoute::Of(create);
            row
        });
        on.collect()
    }

    /// The fault of the TCP proxy.
    pub fn proxy(&self) -> Option<&str> {
        self.fault
            .iter()
            .find_map(|rule| rule.strip_prefix("proxy:"))
    }

    /// The rules of the sandbox.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        let rules = self.fault.iter().map(String::as_str);
        rules.filter(|rule| !rule.starts_with("proxy:"))
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            end,
            charged,
            charges,
            sent,
            resume,
            paid,
        } = self;
        let charged = charged.as_deref().unwrap_or("-");
        write!(f, "end: {end}, charged: {charged}, charges: {charges}")?;
        if let Some(sent) = sent {
            write!(f, ", sent: {sent}")?;
        }
        write!(f, ", resume: {resume}, paid: {paid}")
    }
}

/// The whole table.
pub fn groups() -> Vec<Group> {
    let groups: Vec<Group> =
        serde_saphyr::from_str(include_str!("rows.yaml")).expect("the table of rows");
    let ids: BTreeSet<_> = groups
        .iter()
        .flat_map(|group| group.rows.iter().map(|row| &row.id))
        .collect();
    let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
    assert_eq!(ids.len(), rows, "two rows have one id");
    groups
}
