//! Checks everything that has to agree with the spec and the code, without writing anything.

pub mod render;

use std::fs;
use std::io;
use std::path::Path;

use anyhow::anyhow;

use crate::codegen::{self, GENERATED, Mode, SPEC};
use crate::exit::Exit;
use crate::log::Log;
use crate::snapshots::outcome::Failure;
use crate::{rules_page, snapshots, surface};

/// The command that takes a change in.
pub const ACCEPT: &str = "cargo xtask accept";

/// Something that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check that found it.
    pub check: &'static str,
    /// The file that it is about, from the workspace's root, or the test.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// The command that fixes it; `None` when a person has to.
    pub fix: Option<&'static str>,
}

/// One check, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its name.
    pub check: &'static str,
    /// What it found.
    pub findings: Vec<Finding>,
}

/// Looks at everything; `program` is this program. No check ends the run: one that cannot be made is a finding itself.
pub fn run(root: &Path, program: &Path) -> Vec<Checked> {
    let mut all = without_build(root);
    let is_stale = all
        .iter()
        .any(|checked| checked.check == CODE && !checked.findings.is_empty());
    all.extend(check_tests(root, is_stale));
    all.push(public_surface(root, program));
    all
}

/// Checks what needs no build: the spec, the generated code and the generated docs.
pub fn without_build(root: &Path) -> Vec<Checked> {
    let (refused, stale) = generated(root);
    let checks = [
        (RULES, refused),
        (HASH, hash(root)),
        (CODE, stale),
        (DOCS, docs(root)),
    ];
    checks
        .map(|(check, findings)| Checked { check, findings })
        .into()
}

/// How a run ends: the worst of all findings decides.
pub fn exit(all: &[Checked]) -> Exit {
    let findings: Vec<_> = all.iter().flat_map(|checked| &checked.findings).collect();
    match findings.iter().all(|finding| finding.fix.is_some()) {
        true if findings.is_empty() => Exit::Done,
        true => Exit::Stale,
        false => Exit::NeedsHuman,
    }
}

const RULES: &str = "rules of the spec";
const HASH: &str = "hash of the spec";
const CODE: &str = "generated code";
const SNAPSHOTS: &str = "snapshots";
const ORPHANS: &str = "orphaned snapshots";
const TESTS: &str = "agreement and other tests";
const SURFACE: &str = "public surface";
const DOCS: &str = "generated docs";

/// A check that could not be made, which a person has to fix.
fn impossible(check: &'static str, place: &str, error: &anyhow::Error) -> Vec<Finding> {
    vec![Finding {
        check,
        place: place.to_owned(),
        message: format!("{error:#}"),
        fix: None,
    }]
}

/// What the rules refuse in the spec, and the generated files that are not what it makes.
fn generated(root: &Path) -> (Vec<Finding>, Vec<Finding>) {
    match codegen::run(root, Mode::Check) {
        Err(error) => (impossible(RULES, SPEC, &error), Vec::new()),
        Ok(codegen::Outcome::Refused(found)) => {
            let findings = found.into_iter().map(|finding| Finding {
                check: RULES,
                place: SPEC.to_owned(),
                message: finding.describe(SPEC),
                fix: None,
            });
            (findings.collect(), Vec::new())
        }
        Ok(codegen::Outcome::Stale(changes)) => {
            let findings = changes.into_iter().map(|change| Finding {
                check: CODE,
                place: format!("{GENERATED}/{}", change.path),
                message: match (&change.old, &change.new) {
                    (None, _) => "is missing".to_owned(),
                    (_, None) => "is generated from nothing any more".to_owned(),
                    _ => "is not what the spec makes".to_owned(),
                },
                fix: Some(ACCEPT),
            });
            (Vec::new(), findings.collect())
        }
        Ok(codegen::Outcome::Fresh | codegen::Outcome::Written(_)) => (Vec::new(), Vec::new()),
    }
}

/// The hash in the generated code is that of the spec.
pub(crate) fn hash(root: &Path) -> Vec<Finding> {
    let file = format!("{GENERATED}/mod.rs");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let digest = openapi_codegen::spec::hash(&read(SPEC));
    if read(&file).contains(&openapi_codegen::hash_line(&digest)) {
        return Vec::new();
    }
    vec![Finding {
        check: HASH,
        place: file,
        message: format!("was generated from another edition of {SPEC}"),
        fix: Some(ACCEPT),
    }]
}

/// What only the tests can tell. Where they were built from stale code, that may be all that is wrong with those that
/// fail. What a run that ended early cannot tell is said to be unknown.
fn check_tests(root: &Path, is_stale: bool) -> Vec<Checked> {
    let tests = |findings| Checked {
        check: TESTS,
        findings,
    };
    let mut screen = io::sink();
    let outcome = match snapshots::run(root, Mode::Check, &mut Log::without_file(&mut screen)) {
        Ok(outcome) => outcome,
        Err(error) => return vec![tests(impossible(TESTS, "tests", &error))],
    };
    if let Some(said) = outcome.unbuilt {
        let error = anyhow!("cannot be built\n{}", said.trim());
        return vec![tests(impossible(TESTS, "tests", &error))];
    }
    let stale = |check, message: &str, paths: Vec<String>| {
        let finding = |place| Finding {
            check,
            place,
            message: message.to_owned(),
            fix: Some(ACCEPT),
        };
        let findings = paths.into_iter().map(finding).collect();
        Checked { check, findings }
    };
    let differing = stale(SNAPSHOTS, "is not what the tests make", outcome.differing);
    let orphans = stale(ORPHANS, "no test asks for it", outcome.orphans);
    if outcome.failures.is_empty() {
        return vec![differing, orphans, tests(Vec::new())];
    }
    let failed: Vec<_> = match is_stale {
        true => vec![follow(&outcome.failures)],
        false => outcome.failures.into_iter().map(failed).collect(),
    };
    let unknown = Checked {
        check: ORPHANS,
        findings: vec![Finding {
            check: ORPHANS,
            place: "tests".to_owned(),
            message: "were not looked for: a test that fails does not say what it asks for"
                .to_owned(),
            fix: failed.iter().all(|one| one.fix.is_some()).then_some(ACCEPT),
        }],
    };
    vec![differing, unknown, tests(failed)]
}

/// A test that fails, which may say itself that a command fixes it.
fn failed(failure: Failure) -> Finding {
    Finding {
        check: TESTS,
        place: failure.test,
        fix: failure.message.contains(ACCEPT).then_some(ACCEPT),
        message: failure.message,
    }
}

/// Tests that fail beside stale code. Their messages would drown what is the matter.
fn follow(failures: &[Failure]) -> Finding {
    let names: Vec<_> = failures.iter().map(|one| one.test.as_str()).collect();
    Finding {
        check: TESTS,
        place: "tests".to_owned(),
        message: format!(
            "these fail, perhaps for nothing but that: {}",
            names.join(", ")
        ),
        fix: Some(ACCEPT),
    }
}

/// Checks the listings of the public surface; `program` is this program.
pub fn public_surface(root: &Path, program: &Path) -> Checked {
    let findings = match surface::run(root, program, Mode::Check) {
        Err(error) => impossible(SURFACE, surface::FOLDER, &error),
        Ok(changes) => changes
            .into_iter()
            .map(|change| Finding {
                check: SURFACE,
                place: format!("{}/{}", surface::FOLDER, change.path),
                message: "is not the public surface".to_owned(),
                fix: Some(ACCEPT),
            })
            .collect(),
    };
    Checked {
        check: SURFACE,
        findings,
    }
}

fn docs(root: &Path) -> Vec<Finding> {
    match rules_page::run(root, Mode::Check) {
        Err(error) => impossible(DOCS, rules_page::PAGE, &error),
        Ok(None) => Vec::new(),
        Ok(Some(_)) => vec![Finding {
            check: DOCS,
            place: rules_page::PAGE.to_owned(),
            message: "is not what the rules make".to_owned(),
            fix: Some(ACCEPT),
        }],
    }
}
