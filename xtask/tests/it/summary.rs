//! The page of `cargo xtask summary`.

use xtask::summary::bump::suggest;
use xtask::summary::page::page;
use xtask::summary::renames::likely;
use xtask::summary::{Summary, coverage, help, limits, open, rust};
use xtask::tracked::TrackedFiles;

use crate::workspace::{edited, snapshot, spec};

fn held(files: &[(&str, &str)]) -> TrackedFiles {
    let files = files.iter();
    files
        .map(|(path, text)| ((*path).to_owned(), format!("---\nsource: x\n---\n{text}")))
        .collect()
}

const CONSTRAINTS: &str = "tests/snapshots/constraints/Request.snap";
const AGREEMENT: &str = "tests/snapshots/agreement/Request.snap";
const GENERATED: &str = "tests/snapshots/surface/kling-omni-api.txt";
const LISTING: &str = "tests/snapshots/surface/kling-omni.txt";

fn before() -> TrackedFiles {
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

fn after() -> TrackedFiles {
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
fn the_page_shows_what_changed() {
    let summary = Summary::between("abc1234", Vec::new(), &before(), &after(), "0.1.0");
    snapshot("summary.page", &page(&summary));
}

#[test]
fn without_a_change_it_is_one_line() {
    let summary = Summary::between("abc1234", Vec::new(), &before(), &before(), "0.1.0");
    let text = page(&summary);
    assert_eq!(
        text,
        "Nothing that follows from the spec changed since `abc1234`.\n"
    );
}

#[test]
fn limits_are_read_field_by_field() {
    let changed = limits::diff(&before(), &after());
    let changed: Vec<_> = changed
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
        changed,
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
        let bump = suggest(version, &[], &rust::diff(&before, &after));
        assert_eq!(
            bump.as_ref().map(|bump| bump.version.as_str()),
            want,
            "{version}: {bump:?}"
        );
    }
}

/// Edits of the document, and the renames that are likely.
#[test]
fn renames_are_found_by_place_and_type() {
    const FIELDS: &str = "/components/schemas/VideoReferenceRequest/properties";
    let at = |name: &str| format!("{FIELDS}/{name}");
    let field = |name: &str| {
        let spec = spec();
        let node = spec.tree.at(&at(name)).expect("the field").clone();
        serde_json::to_string(&node).expect("JSON")
    };
    let (video, scale) = (field("video_url"), field("cfg_scale"));
    let (gone, came) = (("video_url", "null"), ("source_video_url", video.as_str()));
    let renamed = "VideoReferenceRequest: video_url is likely renamed to source_video_url";
    let cases = [
        (vec![gone, came], vec![renamed]),
        // Of two that came, the one with the likelier name.
        (vec![gone, ("extra", &video), came], vec![renamed]),
        (vec![gone, ("scale", &scale)], vec![]),
        (vec![came], vec![]),
    ];
    for (edits, want) in cases {
        let nodes = edits.iter().map(|(name, value)| {
            let node = serde_json::from_str(value).expect("JSON");
            (at(name), node)
        });
        let found: Vec<_> = likely(&spec().tree, &edited(nodes).tree)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, want, "{edits:?}");
    }
}

const FIVE_RULES: &str = "crates/kling-omni-cli/tests/it/snapshots/usage-many-rules-broken.snap";
const HELP: &str = "crates/kling-omni-cli/tests/it/snapshots/help-generate.snap";

#[test]
fn snapshots_that_cover_less_are_found() {
    let then = held(&[(FIVE_RULES, "one\ntwo\n\n"), (HELP, "one\n")]);
    let narrowed = |text: &str| {
        let now = held(&[(FIVE_RULES, text), (HELP, "one\ntwo\n")]);
        let narrowed = coverage::narrowed(&then, &now);
        narrowed
            .into_iter()
            .map(|one| (one.path, one.is))
            .collect::<Vec<_>>()
    };
    // Three lines are those of insta's header.
    assert_eq!(narrowed("one\n"), [(FIVE_RULES.to_owned(), Some(4))]);
    assert_eq!(narrowed("other\nwords\n"), []);
}

#[test]
fn what_the_help_says_differently_is_shown_by_command() {
    let then = held(&[(HELP, "a\n-p  up to 2500\n")]);
    let now = held(&[(HELP, "a\n-p  up to 3000\n")]);
    let changed = help::diff(&then, &now);
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].command, "generate");
    assert_eq!(changed[0].lines, ["--p  up to 2500", "+-p  up to 3000"]);
    assert_eq!(help::diff(&then, &then), []);
}
