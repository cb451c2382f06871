//! Random edits of a document are found.

use std::hash::{BuildHasher, RandomState};

use indexmap::IndexMap;
use openapi_diff::compare::compare;
use openapi_diff::tree::{Node, join};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::sample::{edit, edited};

/// An edit of the document, to be made wherever the numbers point.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Another text, number or truth.
    Scalar,
    /// A value of another form altogether.
    Form,
    /// One key or item less.
    Remove,
    /// An unknown key.
    Add,
    /// One item more.
    Insert,
    /// Two items that change places.
    Swap,
    /// A key that goes by another name.
    Rename,
    /// A component that goes by another name, wherever it is referred to.
    Component,
}

const EDITS: [Edit; 8] = [
    Edit::Scalar,
    Edit::Form,
    Edit::Remove,
    Edit::Add,
    Edit::Insert,
    Edit::Swap,
    Edit::Rename,
    Edit::Component,
];

/// The document with something in the schema that stands everywhere: a reference to an empty one is as good as nothing.
fn document() -> Node {
    edited(&[(
        "/components/schemas/Shared",
        "{type: object, minProperties: 1}",
    )])
}

/// Tries `test` on many values. A failure tells the smallest value that fails, and how to come by it again.
fn check<S: Strategy>(
    name: &str,
    values: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config::default();
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        // A random state has random keys: as good a seed as any.
        RngSeed::Random => RandomState::new().hash_one(name),
    };
    let config = Config {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..config
    };
    if let Err(error) = TestRunner::new(config).run(values, test) {
        panic!("{error}\nAgain: PROPTEST_RNG_SEED={seed} cargo test -p openapi-diff {name}");
    }
}

/// The pointers of every value that `fits`.
fn places(tree: &Node, fits: impl Fn(&str, &Node) -> bool) -> Vec<String> {
    let mut places = Vec::new();
    tree.walk("", &mut |pointer, node| {
        if fits(pointer, node) {
            places.push(pointer.to_owned());
        }
    });
    places
}

/// Makes the edit at one of the places where it can be made, and says what it did.
fn make(
    tree: &mut Node,
    what: Edit,
    one: prop::sample::Index,
    other: prop::sample::Index,
) -> String {
    let is_scalar = |node: &Node| !matches!(node, Node::List(_) | Node::Map(_));
    let pick = |places: Vec<String>| one.get(&places).clone();
    match what {
        Edit::Scalar => {
            let place = pick(places(tree, |_, node| is_scalar(node)));
            let node = tree.at_mut(&place).expect("the place");
            *node = match &*node {
                Node::Text(text) => Node::Text(format!("{text} and more")),
                Node::Number(number) => {
                    let more = number.as_f64().expect("a number") + 1.5;
                    serde_saphyr::from_str(&more.to_string()).expect("a number")
                }
                Node::Flag(flag) => Node::Flag(!flag),
                _ => Node::from("something"),
            };
            format!("another value at {place}")
        }
        Edit::Form => {
            let place = pick(places(tree, |pointer, _| !pointer.is_empty()));
            let forms = [
                Node::map(),
                Node::List(Vec::new()),
                Node::from(true),
                Node::from("odd"),
            ];
            let form = other.get(&forms).clone();
            let message = format!("{form:?} at {place}");
            *tree.at_mut(&place).expect("the place") = form;
            message
        }
        Edit::Remove => {
            let place = pick(places(tree, |pointer, _| !pointer.is_empty()));
            remove(tree, &place);
            format!("nothing at {place}")
        }
        Edit::Add => {
            let place = pick(places(tree, |_, node| node.as_map().is_some()));
            let node = tree.at_mut(&place).expect("the place");
            node.set("unheardOf", Node::from("something"));
            format!("one key more at {place}")
        }
        Edit::Insert => {
            let place = pick(places(tree, |_, node| matches!(node, Node::List(_))));
            let Some(Node::List(items)) = tree.at_mut(&place) else {
                unreachable!("a list");
            };
            let at = other.index(items.len() + 1);
            items.insert(at, Node::from("something"));
            format!("one item more at {place}/{at}")
        }
        Edit::Swap => {
            let place = pick(places(tree, |_, node| node.items().len() > 1));
            let Some(Node::List(items)) = tree.at_mut(&place) else {
                unreachable!("a list");
            };
            let at = other.index(items.len() - 1);
            items.swap(at, at + 1);
            format!("other order at {place}/{at}")
        }
        Edit::Rename => {
            let place = pick(places(tree, |_, node| node.entries().count() > 0));
            let node = tree.at_mut(&place).expect("the place");
            let keys: Vec<_> = node.entries().map(|(key, _)| key.to_owned()).collect();
            let key = other.get(&keys);
            let value = node.remove(key).expect("the key");
            node.set(&format!("{key}-renamed"), value);
            format!("another name for {key} at {place}")
        }
        Edit::Component => {
            let is_component = |pointer: &str| {
                pointer.starts_with("/components/") && pointer.matches('/').count() == 3
            };
            let place = pick(places(tree, |pointer, _| is_component(pointer)));
            let text = serde_json::to_string(tree).expect("JSON");
            let name = place.rsplit('/').next().expect("a name");
            let text = text
                .replace(&format!("\"#{place}\""), &format!("\"#{place}Renamed\""))
                .replace(&format!("\"{name}\":"), &format!("\"{name}Renamed\":"));
            *tree = serde_json::from_str(&text).expect("JSON");
            format!("another name for {place}")
        }
    }
}

fn remove(tree: &mut Node, place: &str) {
    let (parent, key) = place.rsplit_once('/').expect("a step");
    match tree.at_mut(parent) {
        Some(Node::List(items)) => {
            items.remove(key.parse().expect("an index"));
        }
        _ => edit(tree, place, Node::Null),
    }
}

/// The document in a form in which what means nothing is the same: order where order does not count, and nothing where
/// something is as good as nothing.
fn bare(node: &Node, pointer: &str) -> Node {
    let key = pointer.rsplit('/').next().unwrap_or_default();
    match node {
        Node::List(items) => {
            let items = items.iter().enumerate();
            let mut items: Vec<_> = items
                .map(|(index, item)| bare(item, &format!("{pointer}/{index}")))
                .collect();
            if ["required", "tags", "security", "parameters"].contains(&key) {
                items.sort_by_key(|item| serde_json::to_string(item).expect("JSON"));
            }
            Node::List(items)
        }
        Node::Map(map) => {
            let mut bare: IndexMap<_, _> = map
                .iter()
                .map(|(key, value)| (key.clone(), bare(value, &join(pointer, key))))
                .collect();
            bare.sort_keys();
            Node::Map(bare)
        }
        scalar => scalar.clone(),
    }
}

#[test]
fn any_edit_is_found() {
    let base = document();
    let bare_base = bare(&base, "");
    let values = (
        prop::sample::select(&EDITS[..]),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    );
    check("any_edit_is_found", &values, |(what, one, other)| {
        let mut head = base.clone();
        let done = make(&mut head, what, one, other);
        let meaningless = bare_base == bare(&head, "");
        for (old, new) in [(&base, &head), (&head, &base)] {
            let findings = compare(old, new);
            prop_assert_eq!(findings.is_empty(), meaningless, "{}: {:?}", done, findings);
        }
        Ok(())
    });
}

#[test]
fn the_same_document_in_other_clothes_has_no_findings() {
    let base = document();
    let keys = any::<u64>();
    check(
        "the_same_document_in_other_clothes_has_no_findings",
        &keys,
        |seed| {
            let json = serde_json::to_string(&shuffled(&base, seed)).expect("JSON");
            let head: Node = serde_json::from_str(&json).expect("a tree");
            prop_assert_eq!(compare(&base, &head), []);
            Ok(())
        },
    );
}

/// The same with the keys of every mapping in another order.
fn shuffled(node: &Node, seed: u64) -> Node {
    match node {
        Node::List(items) => Node::List(items.iter().map(|item| shuffled(item, seed)).collect()),
        Node::Map(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort_by_key(|key| {
                key.bytes().fold(seed, |sum, byte| {
                    (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                })
            });
            let entries = keys.into_iter();
            Node::Map(
                entries
                    .map(|key| (key.clone(), shuffled(&map[key], seed)))
                    .collect(),
            )
        }
        scalar => scalar.clone(),
    }
}
