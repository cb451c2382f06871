//! The page of `cargo xtask summary`.

use xtask::held::Held;
use xtask::summary::bump::suggest;
use xtask::summary::page::page;
use xtask::summary::{Summary, limits, open, rust};

use crate::workspace::snapshot;

fn held(files: &[(&str, &str)]) -> Held {
    let files = files.iter();
    files
        .map(|(path, text)| ((*path).to_owned(), format!("---\nsource: x\n---\n{text}")))
        .collect()
}

const CONSTRAINTS: &str = "tests/snapshots/constraints/Request.snap";
const AGREEMENT: &str = "tests/snapshots/agreement/Request.snap";
const GENERATED: &str = "tests/snapshots/surface/kling-omni-api.txt";
const LISTING: &str = "tests/snapshots/surface/kling-omni.txt";

fn before() -> Held {
    held(&[
        (
            CONSTRAINTS,
            ".prompt  optional  string  maxLength=2500\n.shape  required  string  enum=a|b\n.url  optional  string\n.url  media  seconds=3..10\n",
        ),
        (
            AGREEMENT,
            ".prompt  = type\n.old  only the spec: not offered yet\n",
        ),
        (
            GENERATED,
            "impl core::clone::Clone for Request\nimpl core::cmp::Eq for Request\npub Request::prompt: Option<String>\n",
        ),
        (
            LISTING,
            "pub fn kling_omni::Client::list(&self)\npub fn kling_omni::Client::gone(&self)\n",
        ),
    ])
}

fn after() -> Held {
    held(&[
        (
            CONSTRAINTS,
            ".prompt  optional  string  maxLength=2000\n.shape  required  string  enum=a|b\n.style  optional  string  maxLength=9\n.url  optional  string\n.url  media  seconds=3..12\n",
        ),
        (
            AGREEMENT,
            ".prompt  = type\n.old  only the spec: not offered yet\n.style  only the spec: not offered yet\n",
        ),
        (
            GENERATED,
            "impl core::clone::Clone for Request\nimpl core::marker::Copy for Request\npub Request::prompt: Option<String>\npub Request::style: Option<String>\n",
        ),
        (LISTING, "pub fn kling_omni::Client::list(&self, u8)\n"),
    ])
}

#[test]
fn the_page_tells_what_moved() {
    let summary = Summary::between("abc1234", Vec::new(), &before(), &after(), "0.1.0");
    snapshot("summary.page", &page(&summary));
}

#[test]
fn without_a_change_it_is_one_line() {
    let summary = Summary::between("abc1234", Vec::new(), &before(), &before(), "0.1.0");
    let text = page(&summary);
    assert_eq!(
        text,
        "Nothing that follows from the spec has moved since `abc1234`.\n"
    );
}

#[test]
fn limits_are_read_field_by_field() {
    let moved = limits::moved(&before(), &after());
    let moved: Vec<_> = moved
        .iter()
        .map(|limit| {
            let side = |side: &Option<String>| side.clone().unwrap_or_default();
            format!(
                "{} {} {}>{}",
                limit.field,
                limit.rule,
                side(&limit.was),
                side(&limit.is)
            )
        })
        .collect();
    assert_eq!(
        moved,
        [
            "Request.prompt maxLength 2500>2000",
            "Request.style maxLength >9",
            "Request.url media.seconds 3..10>3..12",
        ]
    );
}

#[test]
fn what_is_not_offered_is_known_by_when_it_came() {
    let open = open::list(&before(), &after());
    let open: Vec<_> = open
        .iter()
        .map(|open| (open.what.as_str(), open.is_new))
        .collect();
    assert_eq!(
        open,
        [
            ("the field Request.old", false),
            ("the field Request.style", true)
        ]
    );
}

/// Version, what is held after, and the version that follows.
#[test]
fn the_version_follows_from_what_breaks() {
    let before = before();
    let with = |path: &str, text: &str| {
        let mut after = before.clone();
        after.extend(held(&[(path, text)]));
        after
    };
    let more = with(
        LISTING,
        "pub fn kling_omni::Client::list(&self)\npub fn kling_omni::Client::gone(&self)\npub fn kling_omni::new()\n",
    );
    let listed = |derived: &str| {
        let text = format!("{derived}pub Request::prompt: Option<String>\n");
        with(GENERATED, &text)
    };
    let derives_less = listed("impl core::clone::Clone for Request\n");
    let derives_more = listed(
        "impl core::clone::Clone for Request\nimpl core::cmp::Eq for Request\nimpl core::marker::Copy for Request\n",
    );
    let cases = [
        ("0.1.4", after(), Some("0.2.0")),
        ("1.1.4", after(), Some("2.0.0")),
        ("0.1.4", more.clone(), Some("0.1.5")),
        ("1.1.4", more, Some("1.2.0")),
        ("0.1.4", derives_less.clone(), Some("0.2.0")),
        ("1.1.4", derives_less, Some("2.0.0")),
        ("1.1.4", derives_more, Some("1.2.0")),
        ("0.1.4", before.clone(), None),
    ];
    for (version, after, want) in cases {
        let bump = suggest(version, &[], &rust::moved(&before, &after));
        assert_eq!(
            bump.as_ref().map(|bump| bump.version.as_str()),
            want,
            "{version}: {bump:?}"
        );
    }
}
