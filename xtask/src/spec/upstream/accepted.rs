//! `openapi/accepted.yaml`: differences between our spec and the vendor's document that are meant to be there.

mod pattern;
mod read;

use std::collections::BTreeSet;
use std::path::Path;

use openapi_diff::document::Document;
use openapi_diff::finding::Finding;
use openapi_diff::rule::Severity;

use crate::spec::rules::upstream::ACCEPTANCE_UNUSED;
use pattern::Pattern;

/// The file, from the workspace's root.
pub const ACCEPTED: &str = "openapi/accepted.yaml";

/// Differences that are meant to be there, for one reason.
#[derive(Clone, Debug)]
pub struct Acceptance {
    ids: Vec<Pattern>,
    /// Places in our spec; none means anywhere, or nowhere.
    ours: Vec<Pattern>,
    /// Places in the vendor's document.
    vendor: Vec<Pattern>,
    fingerprint: Option<String>,
    /// Why the difference is right.
    pub reason: String,
    /// The day on which somebody decided so, as `YYYY-MM-DD`.
    pub date: String,
    /// Its line in the file.
    pub line: usize,
}

/// What a file of acceptances says.
#[derive(Clone, Debug, Default)]
pub struct Accepted(Vec<Acceptance>);

/// Findings after the acceptances.
#[derive(Debug, Default)]
pub struct Judged {
    /// What nobody accepted, and a finding for each acceptance that matches nothing.
    pub open: Vec<Finding>,
    /// What was accepted, each with the acceptance that did it.
    pub accepted: Vec<(Finding, Acceptance)>,
}

impl Accepted {
    /// Reads the file at `path`, which messages call [`ACCEPTED`]. Without a file nothing is accepted.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or with every malformed entry in it.
    pub fn read(path: &Path) -> Result<Self, Vec<String>> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let document =
            Document::read(path, ACCEPTED).map_err(|error| vec![format!("{error:#}")])?;
        read::read(&document).map(Self)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// With every malformed entry.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let document =
            Document::parse(ACCEPTED, text.as_bytes()).map_err(|error| vec![error.to_string()])?;
        read::read(&document).map(Self)
    }

    /// Parts findings into accepted ones and others, the worst first. The first acceptance that matches counts.
    pub fn judge(&self, findings: Vec<Finding>) -> Judged {
        let mut judged = Judged::default();
        let mut used: Vec<_> = self.0.iter().map(|_| BTreeSet::new()).collect();
        for finding in findings {
            let mut entries = self.0.iter().zip(&mut used);
            let accepted = entries.find_map(|(entry, used)| {
                used.extend(entry.accepts(&finding)?);
                Some(entry)
            });
            match accepted {
                Some(entry) => judged.accepted.push((finding, entry.clone())),
                None => judged.open.push(finding),
            }
        }
        let entries = self.0.iter().zip(&used);
        let unused = entries.filter_map(|(entry, used)| entry.unused(used));
        judged.open.extend(unused);
        judged.open.sort_by(|one, other| {
            let severity = other.rule.severity.cmp(&one.rule.severity);
            let rest = |one: &Finding| (one.subject.clone(), one.rule.id, one.message.clone());
            severity.then_with(|| rest(one).cmp(&rest(other)))
        });
        judged
    }
}

impl Acceptance {
    /// The patterns that match when the finding is accepted.
    fn accepts(&self, finding: &Finding) -> Option<Vec<&Pattern>> {
        // Whoever accepts what breaks programs has looked at that one place.
        if finding.rule.severity == Severity::Error && self.is_family() {
            return None;
        }
        let fingerprint = self.fingerprint.as_ref();
        if fingerprint.is_some_and(|fingerprint| *fingerprint != finding.fingerprint()) {
            return None;
        }
        let mut matching = vec![self.ids.iter().find(|id| id.matches(finding.rule.id))?];
        for (patterns, pointer) in [(&self.ours, &finding.base), (&self.vendor, &finding.head)] {
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
        self.ids.iter().chain(&self.ours).chain(&self.vendor)
    }

    /// A finding, unless each of the patterns has been used.
    fn unused(&self, used: &BTreeSet<&Pattern>) -> Option<Finding> {
        let idle: Vec<_> = self
            .patterns()
            .filter(|pattern| !used.contains(pattern))
            .map(Pattern::as_str)
            .collect();
        if idle.is_empty() {
            return None;
        }
        let place = format!("{ACCEPTED}:{}", self.line);
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
