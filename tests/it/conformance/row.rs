//! The rows of the table.

use std::collections::BTreeSet;
use std::fmt;

use kling_omni_api::tasks::TaskCreate;
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

/// One fault, and what comes of it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub id: String,
    /// The fault in words, where its rule does not say it all.
    pub what: Option<String>,
    /// Rules of the sandbox, and after `proxy:` what the TCP proxy before it does.
    #[serde(default)]
    pub fault: Vec<String>,
    #[serde(default)]
    pub given: Given,
    /// How the operation ends: with what, or with which kind of error.
    pub end: String,
    /// What the error says, among other things.
    pub says: Option<String>,
    /// What the error says of money; `None` without an error.
    pub charged: Option<String>,
    /// Tasks that were paid for when the operation had ended.
    pub charges: usize,
    /// Requests that it took, where that is a promise.
    pub sent: Option<usize>,
    /// The way to the video from there, as far as it leads.
    pub resume: String,
    /// Tasks that were paid for at the end of that way.
    pub paid: usize,
}

/// What holds before the fault strikes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Given {
    pub route: Way,
    /// A task of the same client that has ended long ago; its charge is not counted.
    pub older: bool,
    /// The list of tasks is not read before the create.
    pub unlisted: bool,
    /// What is needed to reconcile is recorded before anything is sent.
    pub journal: bool,
    /// The webhook's URL has a token of ours, and there is an inbox for what is delivered.
    pub token: bool,
    /// The client that saw the fault goes on itself, instead of a new one in another process.
    pub same: bool,
    /// The client waits a second, and not a minute, and tries once more, and not three times.
    pub hasty: bool,
    /// Time goes by while the service is being asked.
    pub passing: bool,
    /// The future is dropped when the fault has struck.
    pub dropped: bool,
    /// Retries that all calls have in common.
    pub budget: Option<u32>,
    /// Seconds that a call may take with all its attempts.
    pub call: Option<u64>,
    /// Seconds that a wait may take.
    pub timeout: Option<u64>,
    /// Seconds between polls.
    pub every: Option<u64>,
    /// What the sandbox lets the task come to, other than a video without a detour.
    pub script: Option<Script>,
    /// The older route's tasks are read and listed with those made from text.
    pub elsewhere: bool,
    /// What becomes of the create that is then reconciled; by default its answer is lost.
    pub create: Option<String>,
    /// Creates of others on the same account, after ours.
    pub others: usize,
    /// The search is made at once, and not when absence is certain.
    pub early: bool,
    /// Seconds that pass between the end of the task and the operation.
    pub late: u64,
    /// How many deliveries arrive when the task is begun, when it ends, soon after that, and late.
    pub deliveries: Vec<usize>,
    /// The inbox knows the next secret, too.
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
pub enum Way {
    /// The older route, and then its successor.
    Auto,
    /// One after another, every creating route of the generated table: the row is carried out on each.
    Every,
    /// The route of this operation.
    Of(TaskCreate),
}

impl Default for Way {
    fn default() -> Self {
        Self::Of(TaskCreate::CreateReferenceToVideoPro)
    }
}

impl Way {
    /// An operation whose body is sent: with `auto`, the one whose body every route of the mode takes.
    pub fn operation(self) -> TaskCreate {
        match self {
            Self::Of(create) => create,
            Self::Auto | Self::Every => TaskCreate::CreateReferenceToVideoPro,
        }
    }
}

impl TryFrom<String> for Way {
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

/// What came of a row, in the words of the table.
#[derive(PartialEq, Eq)]
pub struct Came {
    pub end: String,
    pub charged: Option<String>,
    pub charges: usize,
    pub sent: Option<usize>,
    pub resume: String,
    pub paid: usize,
}

impl Row {
    pub fn expected(&self) -> Came {
        Came {
            end: self.end.clone(),
            charged: self.charged.clone(),
            charges: self.charges,
            sent: self.sent,
            resume: self.resume.clone(),
            paid: self.paid,
        }
    }

    /// The row on each of the routes that it is about.
    pub fn by_route(&self) -> Vec<Self> {
        if self.given.route != Way::Every {
            return vec![self.clone()];
        }
        let routes = TaskCreate::ALL.iter();
        let on = routes.map(|create| {
            let mut row = self.clone();
            row.id = format!("{} on {}", self.id, create.spec().operation.id);
            row.given.route = Way::Of(*create);
            row
        });
        on.collect()
    }

    /// What the TCP proxy does.
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

impl fmt::Display for Came {
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
