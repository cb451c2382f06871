//! Compares our spec with the vendor's whole document: ours is the older side, the vendor's the newer.

pub mod command;
pub mod source;

mod flatten;
mod reach;
mod slip;

pub mod accepted;

use super::compare;
use super::document::Document;
use accepted::{Accepted, Judged};
use reach::Reach;

/// Every difference between our spec and the part of the vendor's document that concerns it, parted into accepted ones
/// and others.
///
/// A known slip in the vendor's tree is mended on the way, and objects in parts become whole.
pub fn compare(ours: &Document, vendor: &mut Document, accepted: &Accepted) -> Judged {
    let reach = Reach::new(&ours.tree, &vendor.tree);
    let mut findings = slip::mend(&mut vendor.tree, &reach);
    flatten::flatten(&mut vendor.tree);
    findings.extend(compare::operations(
        &ours.tree,
        &vendor.tree,
        |method, path| reach.has(method, path),
    ));
    findings.extend(reach.missing);
    findings.extend(reach.siblings);
    accepted.judge(findings)
}
