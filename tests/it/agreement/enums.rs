//! Enums, hosts, operations and key headers of the crates, compared with the document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use heck::{ToShoutySnakeCase as _, ToUpperCamelCase as _};
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

/// The enums of responses and uploads, value by value. A new value can wait: a status is an unknown one then, and no extension
/// stands for a content type. The values of request fields are compared with those of their fields.
pub(super) fn agreement() -> Agreement {
    let mut agreement = Agreement::default();
    statuses(enums::TaskStatus::VALUES, &mut agreement);
    content_types(enums::UploadContentType::VALUES, &mut agreement);
    agreement
}

fn statuses(values: &[&str], agreement: &mut Agreement) {
    let file = format!("{OURS}/engine/state.rs");
    let is_ours =
        |value: &str| !matches!(TaskStatus::from(value.to_owned()), TaskStatus::Unknown(_));
    list(agreement, "TaskStatus", values, &file, is_ours);
    let ours = variants(OURS, "TaskStatus").into_iter();
    // One of the variants is for what is not known.
    let gone = ours.filter(|variant| {
        let value = variant.to_shouty_snake_case();
        variant != "Unknown" && !values.contains(&value.as_str())
    });
    for variant in gone {
        agreement.problems.push(format!(
            "TaskStatus: the spec has no value for the variant {variant}; remove it from {file}"
        ));
    }
}

fn content_types(values: &[&str], agreement: &mut Agreement) {
    let file = format!("{OURS}/engine/upload/source.rs");
    let text = sources::read(&file);
    let table = text.split_once("const CONTENT_TYPES");
    let (table, _) = table
        .and_then(|(_, rest)| rest.split_once("];"))
        .expect("the table");
    let ours: BTreeSet<_> = table.split('"').filter(|text| text.contains('/')).collect();
    list(agreement, "UploadContentType", values, &file, |value| {
        ours.contains(value)
    });
    for value in ours.iter().filter(|value| !values.contains(value)) {
        agreement.problems.push(format!(
            "UploadContentType: the spec has no value {value}; remove it from {file}"
        ));
    }
}

/// Lists the values of an enum of the spec.
fn list(
    agreement: &mut Agreement,
    name: &str,
    values: &[&str],
    file: &str,
    is_ours: impl Fn(&str) -> bool,
) {
    let (ours, missing): (Vec<&str>, Vec<&str>) = values.iter().partition(|value| is_ours(value));
    let _ = writeln!(agreement.text, "{name}  = {}", ours.join(" "));
    for value in missing {
        let _ = writeln!(
            agreement.text,
            "{name} {value} ({file})  only the spec: {NOT_OFFERED}"
        );
    }
}

/// Each value of ours, taken out of the document, is named with its file, and a new one waits.
#[test]
fn a_removed_value_is_named_and_a_new_one_waits() {
    type Compare = fn(&[&str], &mut Agreement);
    let cases: [(&[&str], Compare); 2] = [
        (enums::TaskStatus::VALUES, statuses),
        (enums::UploadContentType::VALUES, content_types),
    ];
    for (values, compare) in cases {
        let mut agreement = Agreement::default();
        compare(&[values, &["image/new"]].concat(), &mut agreement);
        assert_eq!(agreement.problems, [""; 0]);
        let waits = agreement
            .text
            .lines()
            .find(|line| line.contains("image/new"));
        assert!(waits.expect("a line").ends_with(NOT_OFFERED));

        let mut named = 0;
        for removed in values {
            let rest: Vec<_> = values
                .iter()
                .copied()
                .filter(|value| value != removed)
                .collect();
            let mut agreement = Agreement::default();
            compare(&rest, &mut agreement);
            let name = removed.to_upper_camel_case();
            let is_named = |problem: &String| problem.contains(removed) || problem.contains(&name);
            assert!(
                agreement.problems.iter().all(is_named),
                "{:?}",
                agreement.problems
            );
            assert!(
                agreement
                    .problems
                    .iter()
                    .all(|problem| problem.contains(OURS))
            );
            named += agreement.problems.len();
        }
        assert!(named > 0);
    }
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
