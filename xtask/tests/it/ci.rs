//! `cargo xtask ci`: the choice of steps, the report and the exit code.

use std::time::Duration;

use xtask::ci::steps::STEPS;
use xtask::ci::{Ci, Ended, Failure, choose, exit, list, report};
use xtask::exit::Exit;

use crate::workspace::{Workspace, root};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn ended(name: &str, failure: Option<Failure>) -> Ended {
    let step = STEPS.iter().find(|step| step.name == name);
    Ended {
        step: step.expect("a step"),
        took: Duration::from_secs(61),
        failure,
    }
}

#[test]
fn steps_are_chosen_by_name_and_keep_their_order() {
    let chosen = choose(&names(&["tests", "format"])).expect("steps");
    let chosen: Vec<_> = chosen.iter().map(|step| step.name).collect();
    assert_eq!(chosen, ["format", "tests"]);
    let by_default = STEPS.iter().filter(|step| !step.on_request);
    assert_eq!(choose(&[]).expect("all").len(), by_default.count());
    let error = choose(&names(&["formal"])).expect_err("no such step");
    assert!(
        error
            .to_string()
            .contains("formal; there are tools, format"),
        "{error}"
    );
}

#[test]
fn every_step_has_a_name_of_its_own_and_is_listed() {
    let list = list();
    for (index, step) in STEPS.iter().enumerate() {
        assert!(
            STEPS[..index].iter().all(|other| other.name != step.name),
            "{}",
            step.name
        );
        assert!(
            list.lines().any(|line| line.starts_with(step.name)),
            "{}",
            step.name
        );
    }
    assert_eq!(STEPS.first().map(|step| step.name), Some("tools"));
    assert_eq!(STEPS.last().map(|step| step.name), Some("clean"));
}

#[test]
fn the_end_is_that_of_the_worst_step() {
    let found = || Some(Failure::Found("no".to_owned()));
    let cases = [
        (vec![ended("format", None)], Exit::Done),
        (
            vec![ended("format", found()), ended("tests", None)],
            Exit::Stale,
        ),
        (
            vec![ended("format", found()), ended("tests", found())],
            Exit::NeedsHuman,
        ),
        (
            vec![ended("spelling", Some(Failure::NoTools))],
            Exit::NeedsHuman,
        ),
    ];
    for (all, want) in cases {
        assert_eq!(exit(&all), want, "{}", report(&all));
    }
}

#[test]
fn the_report_names_the_command_and_adds_the_time_up() {
    let text = report(&[
        ended("format", Some(Failure::Found(String::new()))),
        ended("tests", None),
    ]);
    assert!(text.contains("run `cargo fmt --all`"), "{text}");
    assert!(text.ends_with("1 of 2 failed in 2 min 2 s.\n"), "{text}");
}

/// A folder that is not a workspace, and a spec that is newer than the code.
#[test]
fn a_step_that_fails_does_not_hide_the_next() {
    let copy = Workspace::new();
    copy.tighten();
    let ci = Ci {
        root: copy.root().to_owned(),
        program: env!("CARGO_BIN_EXE_xtask").into(),
    };
    let all = ci.run(&choose(&names(&["format", "generated"])).expect("steps"));
    assert_eq!(all.len(), 2);
    assert!(
        all.iter().all(|ended| ended.failure.is_some()),
        "{}",
        report(&all)
    );
}

/// What CI runs is nothing but this program.
#[test]
fn the_script_ends_in_the_chore() {
    let script = std::fs::read_to_string(root().join(".ci/run")).expect("the script");
    let last = script.lines().last().unwrap_or_default();
    assert_eq!(last, r#"exec cargo run --quiet --bin xtask -- ci "$@""#);
}
