//! Fault rules: a fault with its target and conditions, and their text form.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::str::FromStr;

use kling_omni_api::{Operation, Role};

use super::Fault;

/// The requests or deliveries that a fault applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultTarget {
    /// `api`: all operations of the document.
    Api,
    /// `create`: the creating routes.
    Create,
    /// `list`: the list routes.
    List,
    /// `status`: the status routes.
    Status,
    /// `result`: the result host.
    Result,
    /// `upload`: requests for upload slots.
    Upload,
    /// `storage`: the storage host, which receives uploads.
    Storage,
    /// `webhook`: deliveries.
    Webhook,
    /// One route, by its `operationId` in the document.
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
                    "unknown fault target `{self}`, expected {} or an operationId of the document",
                    named.join(", ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether this includes `target`, or is an operation with a matching role.
    pub(super) fn includes(&self, target: Self, has_role: impl Fn(Role) -> bool) -> bool {
        match self {
            Self::Api => true,
            Self::Operation(_) => self.role().is_some_and(has_role),
            named => *named == target,
        }
    }

    /// Returns the role of the operation.
    fn role(&self) -> Option<Role> {
        match self {
            Self::Operation(id) => Operation::by_id(id).map(|known| known.role),
            _ => None,
        }
    }

    /// Returns whether the requests or deliveries belong to an existing task.
    fn has_task(&self) -> bool {
        match self {
            Self::Status | Self::Result | Self::Webhook => true,
            Self::Operation(_) => matches!(self.role(), Some(Role::Read(_))),
            Self::Api | Self::Create | Self::List | Self::Upload | Self::Storage => false,
        }
    }
}

/// The conditions of a fault: its target, the requests, the task and the probability.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultMatcher {
    pub(crate) target: FaultTarget,
    pub(crate) task: Option<NonZeroU64>,
    pub(crate) requests: RangeInclusive<u64>,
    pub(crate) probability: f64,
}

impl FaultMatcher {
    /// Matches all requests or deliveries of a target.
    pub fn at(target: FaultTarget) -> Self {
        Self {
            target,
            task: None,
            requests: 1..=u64::MAX,
            probability: 1.0,
        }
    }

    /// Matches only the requests with these numbers, counted from 1 among those of the target and, if set, of the task.
    pub fn requests(mut self, numbers: RangeInclusive<u64>) -> Self {
        self.requests = numbers;
        self
    }

    /// Matches only one request: [`requests`](Self::requests) with one number.
    pub fn nth(self, number: u64) -> Self {
        self.requests(number..=number)
    }

    /// Matches only one task, by the order of creation, counted from 1.
    pub fn task(mut self, number: NonZeroU64) -> Self {
        self.task = Some(number);
        self
    }

    /// Matches with this probability, from 0 to 1, drawn from the sandbox's seed.
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }
}

/// A fault and its conditions. The text form is `TARGET[#TASK]:FAULT[@NUMBERS][~PROBABILITY]`.
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
    /// Creates a rule.
    ///
    /// # Errors
    ///
    /// Fails if the fault is impossible at the target, the target has no tasks, or a number is out of range.
    pub fn new(matcher: FaultMatcher, fault: Fault) -> Result<Self, InvalidFault> {
        matcher.target.check()?;
        let invalid = |problem: String| Err(InvalidFault(problem));
        if !fault.is_possible_at(&matcher.target) {
            return invalid(format!(
                "fault `{fault}` is impossible at `{}`",
                matcher.target
            ));
        }
        if matcher.task.is_some() && !matcher.target.has_task() {
            let target = &matcher.target;
            return invalid(format!("`#TASK` cannot be used with the target `{target}`"));
        }
        if matcher.requests.is_empty() || *matcher.requests.start() == 0 {
            return invalid("invalid request numbers, expected @1, @2-5 or @3-".to_owned());
        }
        if !(0.0..=1.0).contains(&matcher.probability) {
            return invalid("a probability must be from 0 to 1".to_owned());
        }
        // A fault that parses to itself has valid values.
        match fault.to_string().parse::<Fault>() {
            Ok(parsed) if parsed == fault => {}
            Ok(_) => return invalid(format!("the text `{fault}` is a different fault")),
            Err(error) => return Err(error),
        }
        Ok(Self { matcher, fault })
    }

    /// Returns the fault.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Returns the conditions.
    pub fn matcher(&self) -> &FaultMatcher {
        &self.matcher
    }
}

impl FromStr for FaultRule {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let Some((target, mut fault)) = text.split_once(':') else {
            return Err(InvalidFault(format!(
                "`{text}` has no target, expected TARGET:FAULT such as create:drop@1"
            )));
        };
        let (target, task) = match target.split_once('#') {
            Some((target, task)) => {
                let number = task.parse().map_err(|_| {
                    InvalidFault(format!("invalid task number `#{task}`, expected 1 or more"))
                })?;
                (target, Some(number))
            }
            None => (target, None),
        };
        let mut matcher = FaultMatcher::at(target.parse()?);
        matcher.task = task;
        // Values may contain both signs, so only a number after the last one is a condition.
        if let Some((before, number)) = fault.rsplit_once('~')
            && let Ok(probability) = number.parse()
        {
            (matcher.probability, fault) = (probability, before);
        }
        if let Some((before, numbers)) = fault.rsplit_once('@')
            && let Some(requests) = parse_numbers(numbers)
        {
            (matcher.requests, fault) = (requests, before);
        }
        Self::new(matcher, fault.parse()?)
    }
}

/// Parses `3`, `3-5` or `3-`.
fn parse_numbers(text: &str) -> Option<RangeInclusive<u64>> {
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

/// An error for an impossible fault, or for text that is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidFault(pub(super) String);
