//! A file of accepted differences: those that are meant to be there, each with a reason.
//!
//! ```yaml
//! accepted:
//!   - id: request-property-max-length-decreased
//!     base: /components/schemas/Prompt/maxLength
//!     reason: The service has always refused longer ones.
//!     date: 2026-11-22
//! ```
//!
//! | key | value |
//! | --- | --- |
//! | `id` | id of a rule, or a list of them |
//! | `base`, `head` | JSON pointer into that document, or a list of them; one of the two keys is needed, and with both, both have to match |
//! | `fingerprint` | optional: the difference as it is now and no later one |
//! | `reason` | why the difference is right |
//! | `date` | the day of the decision, as `YYYY-MM-DD` |
//!
//! In ids and pointers, `*` stands for anything within one step, and a last `**` for anything below. An entry with either
//! accepts warnings and infos only: an error is accepted at its one place. An entry that matches nothing is a finding.

mod pattern;
mod read;

use std::collections::BTreeSet;
use std::path::Path;

use crate::document::{Document, Unreadable};
use crate::finding::Finding;
use crate::rule::{Rule, Severity};
use crate::rules;
use pattern::Pattern;

define_rules! {
    ACCEPTANCE_UNUSED "acceptance-unused" Warning None [Docs]
        "an accepted difference is gone"
        "An entry of the file of accepted differences matches no difference any more. Either both documents agree by now, or the difference has become another one. Take the entry out, or write it for the new difference."
}

/// How a file of accepted differences is read.
#[derive(Clone, Copy)]
pub struct AcceptedSyntax<'a> {
    /// What messages call the file.
    pub name: &'a str,
    /// The key for places in the older document.
    pub base: &'a str,
    /// The key for places in the newer document.
    pub head: &'a str,
    /// The rules that an entry may name.
    pub rules: fn() -> Box<dyn Iterator<Item = &'static Rule>>,
}

impl<'a> AcceptedSyntax<'a> {
    /// The syntax with the keys `base` and `head`, for the rules of this crate.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            base: "base",
            head: "head",
            rules: || Box::new(rules::rules()),
        }
    }

    fn keys(&self) -> [&'a str; 6] {
        ["id", self.base, self.head, "fingerprint", "reason", "date"]
    }
}

/// Differences that are meant to be there, for one reason.
#[derive(Clone, Debug)]
pub struct Acceptance {
    ids: Vec<Pattern>,
    /// Places in the older document; an empty list means anywhere, or nowhere.
    base: Vec<Pattern>,
    /// Places in the newer document.
    head: Vec<Pattern>,
    fingerprint: Option<String>,
    /// Why the difference is right.
    pub reason: String,
    /// The day of the decision, as `YYYY-MM-DD`.
    pub date: String,
    /// Its line in the file.
    pub line: usize,
}

/// What a file of acceptances says.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    entries: Vec<Acceptance>,
    /// What messages call the file.
    name: String,
}

/// Findings after the acceptances.
#[derive(Debug, Default)]
pub struct Classified {
    /// Findings without an acceptance, and a finding for each acceptance that matches nothing.
    pub open: Vec<Finding>,
    /// What was accepted, each with the acceptance that did it.
    pub accepted: Vec<(Finding, Acceptance)>,
}

impl Accepted {
    /// Reads the file at `path`. Without a file nothing is accepted.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or with every malformed entry in it.
    pub fn read(path: &Path, syntax: AcceptedSyntax<'_>) -> Result<Self, Vec<String>> {
        if !path.exists() {
            return Ok(Self::default());
        }
        Self::of(Document::read(path, syntax.name), syntax)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// With every malformed entry.
    pub fn parse(text: &str, syntax: AcceptedSyntax<'_>) -> Result<Self, Vec<String>> {
        Self::of(Document::parse(syntax.name, text.as_bytes()), syntax)
    }

    fn of(
        document: Result<Document, Unreadable>,
        syntax: AcceptedSyntax<'_>,
    ) -> Result<Self, Vec<String>> {
        let document = document.map_err(|error| vec![error.to_string()])?;
        Ok(Self {
            entries: read::read(&document, syntax)?,
            name: document.name,
        })
    }

    /// Parts findings into accepted ones and others, the worst first. The first acceptance that matches counts.
    pub fn classify(&self, findings: Vec<Finding>) -> Classified {
        let mut classified = Classified::default();
        let mut used: Vec<_> = self.entries.iter().map(|_| BTreeSet::new()).collect();
        for finding in findings {
            let mut entries = self.entries.iter().zip(&mut used);
            let accepted = entries.find_map(|(entry, used)| {
                used.extend(entry.accepts(&finding)?);
                Some(entry)
            });
            match accepted {
                Some(entry) => classified.accepted.push((finding, entry.clone())),
                None => classified.open.push(finding),
            }
        }
        let entries = self.entries.iter().zip(&used);
        let unused = entries.filter_map(|(entry, used)| entry.unused(used, &self.name));
        classified.open.extend(unused);
        classified.open.sort_by(|one, other| {
            let severity = other.rule.severity.cmp(&one.rule.severity);
            let rest = |one: &Finding| (one.subject.clone(), one.rule.id, one.message.clone());
            severity.then_with(|| rest(one).cmp(&rest(other)))
        });
        classified
    }
}

impl Acceptance {
    /// The patterns that match when the finding is accepted.
    fn accepts(&self, finding: &Finding) -> Option<Vec<&Pattern>> {
        // A change that breaks programs is accepted at one place, not by a pattern.
        if finding.rule.severity == Severity::Error && self.is_family() {
            return None;
        }
        let fingerprint = self.fingerprint.as_ref();
        if fingerprint.is_some_and(|fingerprint| *fingerprint != finding.fingerprint()) {
            return None;
        }
        let mut matching = vec![self.ids.iter().find(|id| id.matches(finding.rule.id))?];
        for (patterns, pointer) in [(&self.base, &finding.base), (&self.head, &finding.head)] {
            if !patterns.is_empty() {
                let pointer = pointer.as_ref()?;
                matching.push(patterns.iter().find(|one| one.matches(pointer))?);
            }
        }
        Some(matching)
    }

    fn is_family(&self) -> bool {
        self.patterns().any(Pattern::has_wildcard)
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.ids.iter().chain(&self.base).chain(&self.head)
    }

    /// A finding, unless each of the patterns has been used.
    fn unused(&self, used: &BTreeSet<&Pattern>, name: &str) -> Option<Finding> {
        let idle: Vec<_> = self
            .patterns()
            .filter(|pattern| !used.contains(pattern))
            .map(Pattern::as_str)
            .collect();
        if idle.is_empty() {
            return None;
        }
        let place = format!("{name}:{}", self.line);
        let message = match used.is_empty() {
            true => format!("{place} accepts what is no longer found; take the entry out"),
            false => format!(
                "{place}: nothing is found any more for {}; take that out",
                idle.join(", ")
            ),
        };
        let ids: Vec<_> = self.ids.iter().map(Pattern::as_str).collect();
        Some(Finding {
            rule: &ACCEPTANCE_UNUSED,
            subject: format!("accepted {}", ids.join(", ")),
            message,
            base: None,
            head: None,
            used_by: Vec::new(),
        })
    }
}
