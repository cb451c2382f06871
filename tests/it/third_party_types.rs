//! The types of other crates in the public API of `kling-omni`: a new major version of one of these is one of ours.

use std::collections::{BTreeMap, BTreeSet};

use kling_omni_test_support::{fail_on, sources};

const SURFACE: &str = "tests/snapshots/surface/kling-omni.txt";

/// Each crate, with the features that its types need; none for the default API.
const ALLOWED: &[(&str, &[&str])] = &[
    ("bytes", &[]),
    ("futures_core", &[]),
    ("http", &["webhook"]),
    ("http_body", &["webhook"]),
    ("http_body_util", &["webhook"]),
    ("kling_omni_api", &["raw"]),
    ("kling_omni_clock", &[]),
    ("media_probe", &[]),
    ("object_store", &["object-store"]),
    ("reqwest", &["reqwest-client"]),
    ("schemars", &["schemars"]),
    ("serde_core", &[]),
    ("serde_json", &[]),
    ("tower_service", &["webhook"]),
    ("url", &[]),
];

/// Not foreign crates; `str` is a type with methods.
const OWN: [&str; 5] = ["alloc", "core", "kling_omni", "std", "str"];

/// The crates that a line of the listing names: what paths begin with.
fn crates(line: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let ends = line.match_indices("::").map(|(at, _)| &line[..at]);
    let roots = ends.filter_map(|before| {
        let start = before.rfind(|c| !is_name(c)).map_or(0, |at| at + 1);
        let is_root = !before[..start].ends_with(':');
        let name = &before[start..];
        let is_crate = name.starts_with(|c: char| c.is_ascii_lowercase());
        (is_root && is_crate && !OWN.contains(&name)).then_some(name)
    });
    roots.collect()
}

#[test]
fn every_foreign_crate_is_named() {
    let listing = sources::read(SURFACE);
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut findings = BTreeSet::new();
    let mut used = BTreeSet::new();
    for line in listing.lines() {
        for name in crates(line) {
            used.insert(name);
            if !allowed.contains_key(name) {
                findings.insert(format!(
                    "{name} is not in the list of foreign crates: {line}"
                ));
            }
        }
    }
    for name in allowed.keys().filter(|name| !used.contains(*name)) {
        findings.insert(format!(
            "{name} is in the list, and its types are not in the API"
        ));
    }
    fail_on(findings);
}

#[test]
fn every_feature_of_the_list_exists_and_is_not_a_default_one() {
    let manifest = sources::read("crates/kling-omni/Cargo.toml");
    let default = manifest.lines().find(|line| line.starts_with("default = "));
    let default = default.expect("there are default features");
    let features: BTreeSet<_> = ALLOWED.iter().flat_map(|(_, features)| *features).collect();
    fail_on(features.into_iter().filter_map(|feature| {
        if default.contains(&format!("\"{feature}\"")) {
            return Some(format!("{feature} is a default feature"));
        }
        let exists = manifest.contains(&format!("\n{feature} = ["));
        (!exists).then(|| format!("there is no feature {feature}"))
    }));
}

#[test]
fn crates_are_found_in_a_line() {
    let line = "impl<T: a_b::C<d::E>> kling_omni::x::Y for f::g::H where i::J: core::k::L";
    let found: Vec<_> = crates(line).into_iter().collect();
    assert_eq!(found, ["a_b", "d", "f", "i"]);
}
