//! Compares our spec with the vendor's whole document: ours is the older side, the vendor's the newer.

pub mod command;
pub mod source;

mod reach;

mod flatten;
mod part;
mod prose;
mod quirk;

use super::extensions::COMPARER;
use super::rules::rules;
use openapi_diff::accepted::{Accepted, AcceptedSyntax, Classified};
use openapi_diff::document::Document;
use reach::Reach;

/// The file of accepted differences, from the workspace's root.
pub const ACCEPTED: &str = "openapi/accepted.yaml";

/// How that file is written.
pub fn accepted_syntax() -> AcceptedSyntax<'static> {
    AcceptedSyntax {
        name: ACCEPTED,
        base: "ours",
        head: "vendor",
        rules: || Box::new(rules()),
    }
}

/// Every difference between our spec and the part of the vendor's document that concerns it, parted into accepted ones
/// and others.
pub fn compare(ours: &Document, vendor: &Document, accepted: &Accepted) -> Classified {
    let reach = Reach::new(&ours.tree, &vendor.tree);
    let mut part = part::operations(&vendor.tree, &reach);
    let mut findings = quirk::replace(&mut part, &vendor.tree, &reach);
    part::complete(&mut part, &vendor.tree);
    flatten::flatten(&mut part);
    findings.extend(COMPARER.operations(&ours.tree, &part, |method, path| reach.has(method, path)));
    findings.extend(prose::compare(&ours.tree, &part));
    findings.extend(reach.missing);
    findings.extend(reach.siblings);
    accepted.classify(findings)
}
