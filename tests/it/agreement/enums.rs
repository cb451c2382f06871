//! Enums, hosts, operations and key headers of the crates, compared with the document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kling_omni::Host;
use kling_omni::polling::TaskStatus;
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

/// The statuses of tasks, value by value. A new one can wait: in a response it is an unknown one. The values of request
/// fields are compared with those of their fields.
pub(super) fn agreement() -> Agreement {
    let mut agreement = Agreement::default();
    let is_ours =
        |value: &str| !matches!(TaskStatus::from(value.to_owned()), TaskStatus::Unknown(_));
    let values = enums::TaskStatus::VALUES.iter();
    let (ours, missing): (Vec<&str>, Vec<&str>) = values.partition(|value| is_ours(value));
    let _ = writeln!(agreement.text, "TaskStatus  = {}", ours.join(" "));
    for value in missing {
        let _ = writeln!(
            agreement.text,
            "TaskStatus {value} ({OURS}/engine/state.rs)  only the spec: {NOT_OFFERED}"
        );
    }
    // One of the variants is for what is not known.
    let count = variants(OURS, "TaskStatus").len() - 1;
    if ours.len() < count {
        agreement.problems.push(format!(
            "TaskStatus: we have {count} values, and the spec knows {} of them; take out what it dropped",
            ours.len()
        ));
    }
    agreement
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
