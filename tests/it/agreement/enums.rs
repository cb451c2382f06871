//! Enums, hosts, operations and key headers of the crates, compared with the document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kling_omni::Host;
use kling_omni::polling::TaskStatus;
use kling_omni::request::{AspectRatio, ShotType};
use kling_omni_api::{enums, service};
use kling_omni_test_support::sources;
use kling_omni_test_support::spec::{SPEC, entries, items};
use syn::Item;

use super::{Agreement, NOT_OFFERED};

const OURS: &str = "crates/kling-omni/src";

#[test]
fn values_of_generated_enums_are_those_of_the_spec() {
    for (name, values) in [
        ("AspectRatio", enums::AspectRatio::VALUES),
        ("OutputDuration", enums::OutputDuration::VALUES),
        ("ShotType", enums::ShotType::VALUES),
        ("TaskStatus", enums::TaskStatus::VALUES),
    ] {
        let spec: Vec<_> = items(&SPEC.schema(name)["enum"])
            .filter_map(|value| value.as_str())
            .collect();
        assert_eq!(values, spec, "{name}");
    }
}

/// An enum that we write by hand.
struct Handwritten {
    name: &'static str,
    declared_in: &'static str,
    spec: &'static [&'static str],
    is_ours: fn(&str) -> bool,
    /// How many values we know.
    count: usize,
}

/// The handwritten enums, value by value. A new value of the spec can wait: nobody sends it, and in an answer it is an
/// unknown one.
pub(super) fn agreement() -> Agreement {
    let mut agreement = Agreement::default();
    for all in [
        Handwritten {
            name: "AspectRatio",
            declared_in: "request/aspect_ratio.rs",
            spec: enums::AspectRatio::VALUES,
            is_ours: |value| value.parse::<AspectRatio>().is_ok(),
            count: AspectRatio::ALL.len(),
        },
        Handwritten {
            name: "ShotType",
            declared_in: "request/shot_type.rs",
            spec: enums::ShotType::VALUES,
            is_ours: |value| ShotType::ALL.iter().any(|kind| kind.as_str() == value),
            count: ShotType::ALL.len(),
        },
        Handwritten {
            name: "TaskStatus",
            declared_in: "engine/state.rs",
            spec: enums::TaskStatus::VALUES,
            is_ours: |value| !matches!(TaskStatus::from(value.to_owned()), TaskStatus::Unknown(_)),
            // One of the variants is for what is not known.
            count: variants(OURS, "TaskStatus").len() - 1,
        },
    ] {
        let name = all.name;
        let (ours, missing): (Vec<&str>, Vec<&str>) =
            all.spec.iter().partition(|value| (all.is_ours)(value));
        let _ = writeln!(agreement.text, "{name}  = {}", ours.join(" "));
        for value in missing {
            let _ = writeln!(
                agreement.text,
                "{name} {value} (crates/kling-omni/src/{})  only the spec: {NOT_OFFERED}",
                all.declared_in
            );
        }
        if ours.len() < all.count {
            agreement.problems.push(format!(
                "{name}: we have {} values, and the spec knows {} of them; take out what it dropped",
                all.count,
                ours.len()
            ));
        }
    }
    agreement
}

#[test]
fn every_aspect_ratio_is_listed() {
    assert_eq!(
        variants(OURS, "AspectRatio").len(),
        AspectRatio::ALL.len(),
        "a variant is missing in AspectRatio::ALL"
    );
}

#[test]
fn hosts_are_the_servers_of_the_spec() {
    let ours: Vec<_> = Host::ALL.iter().map(|host| host.base_url()).collect();
    let spec: Vec<_> = items(&SPEC.document["servers"])
        .filter_map(|server| server["url"].as_str())
        .collect();
    assert_eq!(ours, spec);
    assert_eq!(service::SERVERS, spec);
}

#[test]
fn operations_are_those_of_the_spec() {
    let spec: BTreeSet<_> = SPEC
        .operations()
        .into_iter()
        .filter(|operation| !operation.is_callback)
        .map(|operation| (operation.id, operation.method, operation.path))
        .collect();
    let ours: BTreeSet<_> = service::OPERATIONS
        .iter()
        .map(|operation| (operation.id, operation.method.to_owned(), operation.path))
        .collect();
    assert_eq!(ours, spec);
}

#[test]
fn key_headers_are_the_security_schemes_of_the_spec() {
    let spec: BTreeSet<_> = entries(&SPEC.document["components"]["securitySchemes"])
        .map(|(_, scheme)| scheme["name"].as_str().unwrap_or_default())
        .collect();
    let ours = BTreeSet::from([
        service::FREEPIK_API_KEY_HEADER,
        service::MAGNIFIC_API_KEY_HEADER,
    ]);
    assert_eq!(ours, spec);
    assert_eq!(ours.len(), Host::ALL.len());
}

/// The names of an enum's variants, from its source: an enum that may grow cannot be matched exhaustively from here.
fn variants(folder: &str, name: &str) -> Vec<String> {
    let files = sources::files_below(folder);
    let items = files
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .flat_map(|path| {
            let file = syn::parse_file(&sources::read(path))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            file.items
        });
    let mut enums = items.filter_map(|item| match item {
        Item::Enum(item) if item.ident == name => Some(item),
        _ => None,
    });
    let (Some(found), None) = (enums.next(), enums.next()) else {
        panic!("{folder} does not define exactly one enum {name}");
    };
    found
        .variants
        .iter()
        .map(|variant| variant.ident.to_string())
        .collect()
}
