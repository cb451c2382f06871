//! Writing the generated code, and checking it.

use std::fs;

use insta::Settings;
use xtask::codegen::write::Change;
use xtask::codegen::{self, Mode, Outcome, report};

use crate::workspace::{Workspace, snapshot, source};

#[test]
fn a_fresh_copy_is_fresh_and_stays_untouched() {
    let copy = Workspace::new();
    let before = copy.files();
    assert_eq!(copy.run(Mode::Check), Outcome::Fresh);
    assert_eq!(copy.run(Mode::Write), Outcome::Fresh);
    assert_eq!(copy.files(), before);
}

/// Git may check the spec out with other line ends than those it was generated from.
#[test]
fn line_ends_and_a_byte_order_mark_make_nothing_stale() {
    let text = source();
    for text in [text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
        let copy = Workspace::new();
        fs::write(copy.root().join(codegen::SPEC), text).expect("written");
        assert_eq!(copy.run(Mode::Check), Outcome::Fresh);
    }
}

#[test]
fn a_check_of_a_stale_copy_says_what_a_run_would_write_and_writes_nothing() {
    let copy = Workspace::new();
    let before = copy.files();
    copy.tighten();
    let outcome = copy.run(Mode::Check);
    let Outcome::Stale(changes) = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(copy.files(), before);
    let paths: Vec<_> = changes.iter().map(|change| change.path.clone()).collect();
    let (limits, others): (Vec<_>, Vec<_>) =
        paths.iter().partition(|path| path.starts_with("limits/"));
    assert!(!limits.is_empty());
    assert_eq!(others, ["mod.rs"]);
    assert_eq!(copy.run(Mode::Write), Outcome::Written(paths));
}

#[test]
fn what_would_change_is_shown_as_a_diff_of_bearable_length() {
    let change = |path: &str, old: Option<&str>, new: Option<&str>| Change {
        path: path.to_owned(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
    };
    let numbers: String = (1..=100).map(|number| format!("{number}\n")).collect();
    let outcome = Outcome::Stale(vec![
        change(
            "bound.rs",
            Some("a\nb\nc\nmax: 2\nd\n"),
            Some("a\nb\nc\nmax: 1\nd\n"),
        ),
        change("long.rs", None, Some(&numbers)),
        change("old.rs", Some("gone\n"), None),
    ]);
    snapshot("codegen.stale", &report::report(&outcome, codegen::COMMAND));

    let many = (0..20).map(|number| change(&format!("{number}.rs"), Some("a\n"), Some("b\n")));
    let text = report::report(&Outcome::Stale(many.collect()), codegen::COMMAND);
    assert!(text.contains("… 8 more files"), "{text}");
}

#[test]
fn a_run_writes_what_changed_and_only_that() {
    let copy = Workspace::new();
    let before = copy.files();
    copy.tighten();
    let Outcome::Written(paths) = copy.run(Mode::Write) else {
        panic!("nothing was written");
    };
    for (path, content) in copy.files() {
        let name = path.strip_prefix(copy.generated()).expect("below");
        let written = paths.iter().any(|path| name == std::path::Path::new(path));
        assert_eq!(content != before[&path], written, "{}", name.display());
    }
    assert_eq!(copy.run(Mode::Check), Outcome::Fresh);
}

#[test]
fn what_is_missing_is_written_and_what_belongs_nowhere_goes() {
    let copy = Workspace::new();
    let before = copy.files();
    fs::remove_dir_all(copy.generated().join("types")).expect("removed");
    fs::create_dir(copy.generated().join("old")).expect("made");
    fs::write(copy.generated().join("old/thing.rs"), "fn thing() {}\n").expect("written");
    fs::write(copy.generated().join("enums.rs"), "edited by hand").expect("written");
    let Outcome::Stale(changes) = copy.run(Mode::Check) else {
        panic!("it is stale");
    };
    let old = changes.iter().find(|change| change.path == "old/thing.rs");
    assert_eq!(old.and_then(|change| change.new.as_ref()), None);
    copy.run(Mode::Write);
    assert_eq!(copy.files(), before);
    assert!(!copy.generated().join("old").exists());
}

#[test]
fn a_first_run_makes_the_whole_folder() {
    let copy = Workspace::new();
    let before = copy.files();
    fs::remove_dir_all(copy.generated()).expect("removed");
    copy.run(Mode::Write);
    assert_eq!(copy.files(), before);
}

/// The last file of the run cannot be staged, so none of the earlier ones may have been replaced.
#[test]
fn a_run_that_fails_on_the_way_leaves_all_files_as_they_were() {
    let copy = Workspace::new();
    copy.tighten();
    let types = copy.generated().join("types");
    fs::remove_dir_all(&types).expect("removed");
    fs::write(&types, "a file where a folder belongs").expect("written");
    let before = copy.files();
    let error = codegen::run(copy.root(), Mode::Write).expect_err("it cannot be written");
    assert!(format!("{error:#}").contains("types"), "{error:#}");
    assert_eq!(copy.files(), before);
}

#[test]
fn a_refused_spec_writes_nothing_and_shows_each_finding_with_its_place() {
    let copy = Workspace::new();
    let before = copy.files();
    copy.edit("openapi: 3.0.3", "openapi: 3.1.0");
    copy.misspell();
    let outcome = copy.run(Mode::Write);
    assert_eq!(copy.files(), before);
    let text = report::report(&outcome, codegen::COMMAND);
    let mut settings = Settings::clone_current();
    // The lines move with every edit of the spec; tests of the lint look at them.
    settings.add_filter(r"\.yaml:[\d:]+", ".yaml:[line]:");
    settings.bind(|| snapshot("codegen.refused", &text));
}

#[cfg(unix)]
#[test]
fn written_files_have_the_permissions_of_source_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let copy = Workspace::new();
    let ordinary = copy.generated().join("ordinary");
    fs::write(&ordinary, "").expect("written");
    let mode = |path| fs::metadata(path).expect("there").permissions().mode();
    let wanted = mode(&ordinary);
    fs::remove_file(copy.generated().join("enums.rs")).expect("removed");
    copy.run(Mode::Write);
    assert_eq!(mode(&copy.generated().join("enums.rs")), wanted);
}
