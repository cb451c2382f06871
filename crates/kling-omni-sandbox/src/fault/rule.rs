//! When a fault happens, and the text of a rule.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::str::FromStr;

use kling_omni_api::{Operation, Role};

use super::Fault;

/// Where a fault can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultTarget {
    /// `api`: every operation of the spec.
    Api,
    /// `create`: the creating routes.
    Create,
    /// `list`: the list routes.
    List,
    /// `status`: the status routes.
    Status,
    /// `result`: the host of the results.
    Result,
    /// `upload`: asking for upload slots.
    Upload,
    /// `storage`: the host that takes uploads.
    Storage,
    /// `webhook`: deliveries.
    Webhook,
    /// An `operationId` of the spec: one route.
    Operation(String),
}

const NAMED: [(&str, FaultTarget); 8] = [
    ("api", FaultTarget::Api),
    ("create", FaultTarget::Create),
    ("list", FaultTarget::List),
    ("status", FaultTarget::Status),
    ("result", FaultTarget::Result),
    ("upload", FaultTarget::Upload),
    ("storage", FaultTarget::Storage),
    ("webhook", FaultTarget::Webhook),
];

impl FromStr for FaultTarget {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        if let Some((_, target)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(target.clone());
        }
        let target = Self::Operation(text.to_owned());
        target.check().map(|()| target)
    }
}

impl fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(id) => f.write_str(id),
            target => {
                let named = NAMED.iter().find(|(_, named)| named == target);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

impl FaultTarget {
    fn check(&self) -> Result<(), InvalidFault> {
        match self {
            Self::Operation(_) if self.role().is_none() => {
                let named: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
                Err(InvalidFault(format!(
                    "`{self}` is no place for a fault: write one of {}, or an operationId of the spec",
                    named.join(", ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is `target`, or an operation of such a role, or all of them.
    pub(super) fn may_be(&self, target: Self, is_such: impl Fn(Role) -> bool) -> bool {
        match self {
            Self::Api => true,
            Self::Operation(_) => self.role().is_some_and(is_such),
            named => *named == target,
        }
    }

    /// What the operation does that it names.
    fn role(&self) -> Option<Role> {
        match self {
            Self::Operation(id) => Operation::by_id(id).map(|known| known.role),
            _ => None,
        }
    }

    /// Whether what comes here belongs to a task that is there already.
    fn has_task(&self) -> bool {
        match self {
            Self::Status | Self::Result | Self::Webhook => true,
            Self::Operation(_) => matches!(self.role(), Some(Role::Read(_))),
            Self::Api | Self::Create | Self::List | Self::Upload | Self::Storage => false,
        }
    }
}

/// FaultMatcher a fault happens: where, to which requests, to which task, how probably.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultMatcher {
    pub(crate) target: FaultTarget,
    pub(crate) task: Option<NonZeroU64>,
    pub(crate) requests: RangeInclusive<u64>,
    pub(crate) probability: f64,
}

impl FaultMatcher {
    /// Every request there, or every delivery.
    pub fn at(target: FaultTarget) -> Self {
        Self {
            target,
            task: None,
            requests: 1..=u64::MAX,
            probability: 1.0,
        }
    }

    /// Only the requests with these numbers, counted from 1 among those at the target and, if given, of the task.
    pub fn requests(mut self, numbers: RangeInclusive<u64>) -> Self {
        self.requests = numbers;
        self
    }

    /// Only one request: [`requests`](Self::requests) with one number.
    pub fn nth(self, number: u64) -> Self {
        self.requests(number..=number)
    }

    /// Only what concerns one task: the how-manieth that was created, counted from 1.
    pub fn task(mut self, number: NonZeroU64) -> Self {
        self.task = Some(number);
        self
    }

    /// With this probability, from 0 to 1, drawn from the sandbox's seed.
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// A fault and when it happens, in text `PLACE[#TASK]:FAULT[@NUMBERS][~PROBABILITY]`.
///
/// ```
/// use kling_omni_sandbox::{Fault, FaultRule, FaultTarget, FaultMatcher};
///
/// let rule: FaultRule = "create:drop@1".parse()?;
/// assert_eq!(rule, FaultRule::new(FaultMatcher::at(FaultTarget::Create).nth(1), Fault::Drop)?);
/// for text in ["status:503=30~0.2", "status#2:401@3-", "result:cut=1000@1-4", "webhook:late=1m30s"] {
///     assert_eq!(text.parse::<FaultRule>()?.to_string(), text);
/// }
/// # Ok::<(), kling_omni_sandbox::InvalidFault>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    pub(crate) matcher: FaultMatcher,
    pub(crate) fault: Fault,
}

impl FaultRule {
    /// A rule.
    ///
    /// # Errors
    ///
    /// The fault cannot happen at that target, the target has no tasks to choose from, or a number is out of its range.
    pub fn new(matcher: FaultMatcher, fault: Fault) -> Result<Self, InvalidFault> {
        matcher.target.check()?;
        let wrong = |problem: String| Err(InvalidFault(problem));
        if !fault.suits(&matcher.target) {
            return wrong(format!("`{fault}` cannot happen at `{}`", matcher.target));
        }
        if matcher.task.is_some() && !matcher.target.has_task() {
            let target = &matcher.target;
            return wrong(format!(
                "`{target}` does not concern one task: leave out the #"
            ));
        }
        if matcher.requests.is_empty() || *matcher.requests.start() == 0 {
            return wrong("requests are counted from 1, as in @1, @2-5 or @3-".to_owned());
        }
        if !(0.0..=1.0).contains(&matcher.probability) {
            return wrong("a probability is from 0 to 1".to_owned());
        }
        // What can be read back is in its range, and can be sent.
        match fault.to_string().parse::<Fault>() {
            Ok(read) if read == fault => {}
            Ok(_) => return wrong(format!("`{fault}` is another fault as a text")),
            Err(error) => return Err(error),
        }
        Ok(Self { matcher, fault })
    }

    /// What goes wrong.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// FaultMatcher it does.
    pub fn matcher(&self) -> &FaultMatcher {
        &self.matcher
    }
}

impl FromStr for FaultRule {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let Some((target, mut fault)) = text.split_once(':') else {
            return Err(InvalidFault(format!(
                "`{text}` names no place: write PLACE:FAULT, as in create:drop@1"
            )));
        };
        let (target, task) = match target.split_once('#') {
            Some((target, task)) => {
                let number = task.parse().map_err(|_| {
                    InvalidFault(format!("`#{task}` is no task: they are counted from 1"))
                })?;
                (target, Some(number))
            }
            None => (target, None),
        };
        let mut matcher = FaultMatcher::at(target.parse()?);
        matcher.task = task;
        // Values may hold both signs, so that only a number after the last one counts.
        if let Some((before, number)) = fault.rsplit_once('~')
            && let Ok(probability) = number.parse()
        {
            (matcher.probability, fault) = (probability, before);
        }
        if let Some((before, numbers)) = fault.rsplit_once('@')
            && let Some(requests) = requests(numbers)
        {
            (matcher.requests, fault) = (requests, before);
        }
        Self::new(matcher, fault.parse()?)
    }
}

/// `3`, `3-5` or `3-`.
fn requests(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = first.parse().ok()?;
    let last = match last {
        "" => u64::MAX,
        last => last.parse().ok()?,
    };
    Some(first..=last)
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FaultMatcher {
            target,
            task,
            requests,
            probability,
        } = &self.matcher;
        write!(f, "{target}")?;
        if let Some(task) = task {
            write!(f, "#{task}")?;
        }
        write!(f, ":{}", self.fault)?;
        match (*requests.start(), *requests.end()) {
            (1, u64::MAX) => {}
            (first, u64::MAX) => write!(f, "@{first}-")?,
            (first, last) if first == last => write!(f, "@{first}")?,
            (first, last) => write!(f, "@{first}-{last}")?,
        }
        if *probability < 1.0 {
            write!(f, "~{probability}")?;
        }
        Ok(())
    }
}

/// A fault that cannot be, or whose text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidFault(pub(super) String);
