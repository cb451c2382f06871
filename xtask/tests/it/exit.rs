//! The exit codes of the commands.

use std::fs;
use std::process::{Command, Output};

use xtask::codegen::SPEC;
use xtask::exit::Exit;

use crate::workspace::{Workspace, source};

fn xtask(copy: &Workspace, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).arg("--root").arg(copy.root());
    command.output().expect("the xtask runs")
}

#[test]
fn each_end_has_its_code() {
    let nothing = |_: &Workspace| {};
    let edit = Workspace::tighten;
    let typo = Workspace::misspell;
    let missing = |copy: &Workspace| fs::remove_file(copy.root().join(SPEC)).expect("removed");

    type Change<'a> = &'a dyn Fn(&Workspace);
    let cases: [(&str, Change<'_>, &[&str], Exit); 9] = [
        ("fresh", &nothing, &["codegen"], Exit::Done),
        (
            "fresh, checked",
            &nothing,
            &["codegen", "--check"],
            Exit::Done,
        ),
        ("stale, written", &edit, &["codegen"], Exit::Done),
        (
            "stale, checked",
            &edit,
            &["codegen", "--check"],
            Exit::Stale,
        ),
        ("refused", &typo, &["codegen"], Exit::NeedsHuman),
        (
            "refused, checked",
            &typo,
            &["codegen", "--check"],
            Exit::NeedsHuman,
        ),
        ("no spec", &missing, &["codegen"], Exit::Crashed),
        (
            "unknown flag",
            &nothing,
            &["codegen", "--checked"],
            Exit::Usage,
        ),
        ("no chore", &nothing, &[], Exit::Usage),
    ];
    for (name, change, arguments, exit) in cases {
        let copy = Workspace::new();
        change(&copy);
        let output = xtask(&copy, arguments);
        assert_eq!(
            output.status.code(),
            Some(exit as i32),
            "{name}: {output:?}"
        );
    }
}

#[test]
fn the_help_lists_every_code() {
    let copy = Workspace::new();
    let output = xtask(&copy, &["--help"]);
    let help = String::from_utf8(output.stdout).expect("text");
    let codes = [
        Exit::Done,
        Exit::Crashed,
        Exit::Usage,
        Exit::Findings,
        Exit::Stale,
        Exit::Unavailable,
        Exit::NeedsHuman,
    ];
    for code in codes {
        let code = format!("{} ", code as u8);
        assert!(help.contains(&code), "{code} is not in {help}");
    }
}

#[test]
fn a_stale_check_ends_with_the_command_that_fixes_it() {
    let copy = Workspace::new();
    copy.tighten();
    let output = xtask(&copy, &["codegen", "--check"]);
    let text = String::from_utf8(output.stdout).expect("text");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.ends_with("run `cargo xtask codegen`."), "{text}");
}

#[test]
fn a_refused_spec_says_what_to_do_next() {
    let edit = |from: &str, to: &str| {
        let text = source();
        assert!(text.contains(from), "the spec has no `{from}`");
        text.replacen(from, to, 1).into_bytes()
    };
    let cases = [
        (
            "a list of types",
            edit(
                "    Prompt:\n      type: string\n",
                "    Prompt:\n      type: [string, 'null']\n",
            ),
            "and `nullable: true` for null",
        ),
        (
            "Latin-1",
            [b"# \xe9\n", source().as_bytes()].concat(),
            ":1:3: unreadable\n  byte 0xE9 is not UTF-8; convert the file, as with `iconv",
        ),
        (
            "a missing variant name",
            edit("Portrait, ", ""),
            "; add a name for ",
        ),
    ];
    for (name, text, wanted) in cases {
        let copy = Workspace::new();
        fs::write(copy.root().join(SPEC), text).expect("written");
        let output = xtask(&copy, &["codegen"]);
        assert_eq!(
            output.status.code(),
            Some(Exit::NeedsHuman as i32),
            "{name}"
        );
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(wanted), "{name}: {told}");
    }
}
