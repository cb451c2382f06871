//! Compares our spec with the vendor's whole document: ours is the older side, the vendor's the newer.

pub mod command;
pub mod source;

mod reach;

mod flatten;
mod part;
mod slip;

pub mod accepted;

use super::extensions::COMPARER;
use accepted::{Accepted, Judged};
use openapi_diff::document::Document;
use reach::Reach;

/// Every difference between our spec and the part of the vendor's document that concerns it, parted into accepted ones
/// and others.
pub fn compare(ours: &Document, vendor: &Document, accepted: &Accepted) -> Judged {
    let reach = Reach::new(&ours.tree, &vendor.tree);
    let mut part = part::operations(&vendor.tree, &reach);
    let mut findings = slip::mend(&mut part, &vendor.tree, &reach);
    part::complete(&mut part, &vendor.tree);
    flatten::flatten(&mut part);
    findings.extend(COMPARER.operations(&ours.tree, &part, |method, path| reach.has(method, path)));
    findings.extend(reach.missing);
    findings.extend(reach.siblings);
    accepted.judge(findings)
}
