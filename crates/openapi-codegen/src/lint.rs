//! Refuses what the generator would silently get wrong.

mod document;
mod enums;
mod media;
mod names;
mod operations;
mod schemas;
mod task;

pub use task::PAGING;

use super::finding::{Finding, Findings};
use super::spec::Spec;

/// Every finding about the spec, sorted by place.
pub fn lint(spec: &Spec) -> Vec<Finding> {
    let mut findings = Findings::default();
    document::check(spec, &mut findings);
    operations::check(spec, &mut findings);
    schemas::check(spec, &mut findings);
    names::check(spec, &mut findings);
    task::check(spec, &mut findings);
    findings.locate(spec);
    findings.into_sorted()
}
