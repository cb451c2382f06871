//! Random requests, valid and with one broken rule.

use std::ops::RangeInclusive;

use kling_omni::request::FieldKind;
use kling_omni::validation::FindingCode;
use kling_omni_api::Field;
use kling_omni_api::limits::video_request::ELEMENTS;
use kling_omni_test_support::spec::{SPEC, entries, items};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Lengths and counts where the spec has no bound.
const SOME: usize = 5000;
const FEW: usize = 3;

/// Values that obey every rule of a schema of the spec, with such fields as `ours`, a schema of our own, has as well.
pub(super) fn valid(schema: &Value, ours: Ours<'_>) -> BoxedStrategy<Value> {
    let schema = SPEC.resolve(schema);
    let size = |key: &str| schema[key].as_u64().map(|size| size as usize);
    let number = |key: &str, otherwise| schema[key].as_f64().unwrap_or(otherwise);
    if schema.get("enum").is_some() {
        // A value that our type does not have yet cannot be sent.
        let offered: Vec<_> = items(&ours.node["enum"]).collect();
        let values = items(&schema["enum"]).filter(|value| offered.contains(value));
        return select(values.cloned().collect::<Vec<_>>()).boxed();
    }
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "uri" => url().prop_map(Value::from).boxed(),
        Some("string") => {
            let most = size("maxLength").unwrap_or(SOME);
            let texts = text(size("minLength").unwrap_or_default()..=most);
            texts.prop_map(Value::from).boxed()
        }
        Some("number") => {
            let (least, most) = (number("minimum", -9.0), number("maximum", 9.0));
            prop_oneof![Just(least), least..=most, Just(most)]
                .prop_map(Value::from)
                .boxed()
        }
        Some("integer") => {
            let least = schema["minimum"].as_i64().unwrap_or(-9);
            let most = schema["maximum"]
                .as_i64()
                .unwrap_or(least.saturating_add(99));
            prop_oneof![Just(least), least..=most, Just(most)]
                .prop_map(Value::from)
                .boxed()
        }
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("array") => {
            let least = size("minItems").unwrap_or(1);
            let most = size("maxItems").unwrap_or(FEW);
            let lists = vec(valid(&schema["items"], ours.items()), least..=most);
            lists.prop_map(Value::from).boxed()
        }
        Some("object") => object(schema, ours),
        other => panic!("teach this test to make a value of the type {other:?}"),
    }
}

fn object(schema: &Value, ours: Ours<'_>) -> BoxedStrategy<Value> {
    let required: Vec<_> = items(&schema["required"]).collect();
    let members: Vec<_> = entries(&schema["properties"])
        .filter_map(|(name, property)| {
            let values = valid(property, ours.property(name)?);
            let name = name.to_owned();
            let values = match required.iter().any(|one| **one == name) {
                true => values.prop_map(Some).boxed(),
                false => option::of(values).boxed(),
            };
            Some(values.prop_map(move |value| Some((name.clone(), value?))))
        })
        .collect();
    members
        .prop_map(|members| members.into_iter().flatten().collect())
        .boxed()
}

/// A place in a schema that schemars made.
#[derive(Clone, Copy)]
pub(super) struct Ours<'a> {
    root: &'a Value,
    node: &'a Value,
}

impl<'a> Ours<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, node: root }
    }

    fn at(self, node: &'a Value) -> Self {
        Self { node, ..self }
    }

    /// The node, or what it refers to; what stands beside a reference is about the one place.
    fn target(self) -> &'a Value {
        let target = self.node["$ref"].as_str();
        let target = target.and_then(|place| self.root.pointer(place.trim_start_matches('#')));
        target.unwrap_or(self.node)
    }

    fn property(self, name: &str) -> Option<Self> {
        Some(self.at(self.target()["properties"].get(name)?))
    }

    fn items(self) -> Self {
        self.at(&self.target()["items"])
    }
}

/// Repairs what a request from text has in conflict with the rules on several fields, and leaves the field `kept` as it is.
pub(super) fn repair(body: &mut Map<String, Value>, kept: &str) {
    let len = |body: &Map<String, Value>, list: &str| body[list].as_array().map_or(0, Vec::len);
    let has = |body: &Map<String, Value>, name: &str| body.contains_key(name);
    if !has(body, "prompt") && !has(body, "multi_prompt") {
        body.insert("prompt".to_owned(), json!("A slow river"));
    }
    let has_start = has(body, "image_url") || has(body, "start_image_url");
    if has_start && has(body, "prompt") && has(body, "multi_prompt") {
        let other = if kept == "prompt" {
            "multi_prompt"
        } else {
            "prompt"
        };
        body.remove(other);
    }
    if has(body, "elements")
        && has(body, "image_urls")
        && len(body, "elements") + len(body, "image_urls")
            > ELEMENTS.max_items.unwrap_or(usize::MAX)
    {
        let other = if kept == "elements" {
            "image_urls"
        } else {
            "elements"
        };
        body.remove(other);
    }
}

/// One rule of the spec, and values of the field that break it.
pub(super) struct Broken {
    /// The field as a finding names it, and as a JSON pointer.
    pub(super) at: String,
    pub(super) pointer: String,
    pub(super) breach: Breach,
    /// The whole value of the outermost field; nothing when it is to be missing.
    pub(super) values: BoxedStrategy<Option<Value>>,
}

/// A way to break one rule of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    Missing,
    TooShort,
    TooLong,
    TooFew,
    TooMany,
    BelowMinimum,
    AboveMaximum,
    NotAllowed,
    NotAUrl,
}

/// Every rule that a field of `kind` has, for itself, its items and their fields, and that a builder's call can break.
pub(super) fn broken(field: &'static Field, kind: FieldKind) -> Vec<Broken> {
    // A builder takes no other value of an enum of ours; a request file that has one is in a test of its own.
    let is_ours = matches!(kind, FieldKind::Choice(_));
    let own = [
        (field.required, Breach::Missing),
        // A shorter text than one of a single character is empty, and one of a list is not sent.
        (
            field.min_length.is_some_and(|least| least > 0),
            Breach::TooShort,
        ),
        (field.max_length.is_some(), Breach::TooLong),
        (
            field.min_items.is_some_and(|least| least > 1),
            Breach::TooFew,
        ),
        (field.max_items.is_some(), Breach::TooMany),
        (field.minimum.is_some(), Breach::BelowMinimum),
        (field.maximum.is_some(), Breach::AboveMaximum),
        (!field.values.is_empty() && !is_ours, Breach::NotAllowed),
        (field.format == Some("uri"), Breach::NotAUrl),
    ];
    let own = own.into_iter().filter(|(applies, _)| *applies);
    let own = own.map(|(_, breach)| Broken {
        at: String::new(),
        pointer: String::new(),
        breach,
        values: breach.values(field, kind),
    });
    let of_items = field
        .items
        .into_iter()
        .flat_map(|item| broken(item, kind))
        .map(|inner| Broken {
            at: format!("[0]{}", inner.at),
            pointer: format!("/0{}", inner.pointer),
            values: inner.values.prop_map(|value| Some(json!([value?]))).boxed(),
            ..inner
        });
    let of_members = field.fields.iter().flat_map(|member| {
        assert!(!member.required, "teach this test to leave out a member");
        let name = member.name;
        broken(member, FieldKind::Media)
            .into_iter()
            .map(move |inner| Broken {
                at: format!(".{name}{}", inner.at),
                pointer: format!("/{name}{}", inner.pointer),
                values: inner
                    .values
                    .prop_map(move |value| Some(json!({ name: value? })))
                    .boxed(),
                ..inner
            })
    });
    own.chain(of_items).chain(of_members).collect()
}

impl Breach {
    pub(super) fn code(self) -> FindingCode {
        match self {
            Self::Missing => FindingCode::MissingField,
            Self::TooShort => FindingCode::TextTooShort,
            Self::TooLong => FindingCode::TextTooLong,
            Self::TooFew => FindingCode::TooFewItems,
            Self::TooMany => FindingCode::TooManyItems,
            Self::BelowMinimum => FindingCode::BelowMinimum,
            Self::AboveMaximum => FindingCode::AboveMaximum,
            Self::NotAllowed => FindingCode::UnsupportedValue,
            Self::NotAUrl => FindingCode::InvalidUrl,
        }
    }

    fn values(self, field: &'static Field, kind: FieldKind) -> BoxedStrategy<Option<Value>> {
        let bound = |bound: Option<f64>| bound.unwrap_or_default();
        let is_whole = matches!(kind, FieldKind::Integer);
        let values = match self {
            Self::Missing => return Just(None).boxed(),
            Self::TooShort => {
                let least = field.min_length.unwrap_or_default();
                text(0..=least - 1).prop_map(Value::from).boxed()
            }
            Self::TooLong => {
                let most = field.max_length.unwrap_or_default();
                text(most + 1..=most + 100).prop_map(Value::from).boxed()
            }
            Self::TooFew => {
                let least = field.min_items.unwrap_or_default();
                (1..least)
                    .prop_map(move |count| some_items(field, count))
                    .boxed()
            }
            Self::TooMany => {
                let most = field.max_items.unwrap_or_default();
                let counts = most + 1..=most + 9;
                counts
                    .prop_map(move |count| some_items(field, count))
                    .boxed()
            }
            Self::BelowMinimum if is_whole => {
                let least = bound(field.minimum) as i64;
                (1..1000_i64)
                    .prop_map(move |less| json!(least - less))
                    .boxed()
            }
            Self::AboveMaximum if is_whole => {
                let most = bound(field.maximum) as i64;
                (1..1000_i64)
                    .prop_map(move |more| json!(most + more))
                    .boxed()
            }
            Self::BelowMinimum => {
                let least = bound(field.minimum);
                prop_oneof![Just(least.next_down()), least - 10.0..least, Just(f64::MIN)]
                    .prop_map(Value::from)
                    .boxed()
            }
            Self::AboveMaximum => {
                let most = bound(field.maximum);
                let above = prop_oneof![
                    Just(most.next_up()),
                    most.next_up()..most + 10.0,
                    Just(f64::MAX)
                ];
                above.prop_map(Value::from).boxed()
            }
            Self::NotAllowed => prop_oneof![0..100_u32, any::<u32>()]
                .prop_map(|value| value.to_string())
                .prop_filter("allowed", |value| !field.values.contains(&value.as_str()))
                .prop_map(Value::from)
                .boxed(),
            Self::NotAUrl => not_a_url().prop_map(Value::from).boxed(),
        };
        values.prop_map(Some).boxed()
    }
}

/// So many items that break no rule of their own.
fn some_items(list: &Field, count: usize) -> Value {
    let item = match list.items {
        Some(item) if !item.fields.is_empty() => json!({}),
        _ => json!("https://example.com/one.png"),
    };
    Value::Array(vec![item; count])
}

/// Texts of so many characters of any kind, built of a few that repeat: as good as random ones, and quick to shrink.
fn text(length: RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let ends = [*length.start(), *length.end()];
    let length = prop_oneof![select(ends.to_vec()), length];
    (vec(any::<char>(), 1..8), length)
        .prop_map(|(characters, length)| characters.into_iter().cycle().take(length).collect())
}

/// URLs by the book, RFC 3986.
fn url() -> impl Strategy<Value = String> {
    const HOST: &str = "([a-z]{1,8}[.]){1,2}(com|example)|127[.]0[.]0[.]1|\\[::1\\]";
    const PATH: &str = "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,8}){0,3}";
    const QUERY: &str = "(\\?[a-z0-9=&/?~]{0,12})?(#[a-z]{0,4})?";
    let port = option::of(1..=u16::MAX);
    (select(vec!["http", "https"]), HOST, port, PATH, QUERY).prop_map(
        |(scheme, host, port, path, query)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{host}{port}{path}{query}")
        },
    )
}

/// What people and programs take for URLs: blanks, umlauts, brackets and half-encoded characters included.
pub(super) fn careless_url() -> impl Strategy<Value = String> {
    "https?://[a-zä.-]{1,8}(:[0-9]{1,5})?(/[ -~äß]{0,8}){0,3}(\\?[ -~ä]{0,8})?(#[ -~]{0,4})?"
}

/// References that lack a scheme, which only a browser could complete.
fn not_a_url() -> impl Strategy<Value = String> {
    prop_oneof![
        "(//?)?[a-z]{0,8}(/[a-z0-9]{1,8}){0,3}([.]mp4)?",
        "[a-z]{1,8}[.]example[.]com/[a-z0-9]{1,8}",
        "https? ://example[.]com/[a-z]{1,8}",
    ]
}
