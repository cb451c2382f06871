//! What `cargo xtask accept` shows at its end.

use xtask::accept::{Outcome, render};
use xtask::summary::open::Open;
use xtask::tracked::{FileDiff, FileStatus, Kind};

use crate::workspace::SCREEN;

fn files(kind: &Kind, count: usize) -> Vec<FileDiff> {
    (0..count)
        .map(|index| FileDiff {
            kind: kind.clone(),
            path: format!("{kind}/{index}.snap"),
            added: 2,
            removed: 1,
            status: FileStatus::Changed,
        })
        .collect()
}

#[test]
fn a_change_of_any_size_stays_on_one_screen() {
    let read = Kind::Snapshots("agreement".to_owned());
    for (generated, read_files) in [(0, 1), (1, 0), (3, 4), (200, 300)] {
        let written = [files(&Kind::Generated, generated), files(&read, read_files)].concat();
        let waiting = vec![
            Open {
                what: "the field Request.seed".to_owned(),
                is_new: true,
            };
            3
        ];
        let stopped = Outcome::Stopped {
            reason: "A reason.".to_owned(),
            written: written.clone(),
        };
        for outcome in [Outcome::Accepted { written, waiting }, stopped] {
            let text = render(&outcome);
            assert!(text.lines().count() <= SCREEN, "{text}");
            let shown = text.matches("agreement/").count();
            assert_eq!(shown, read_files.min(shown.max(20)), "{text}");
            let rest = read_files - shown;
            let is_told = text.contains(&format!("{rest} more files"));
            assert_eq!(is_told, rest > 0, "{text}");
            let is_counted = text.contains(&format!("{generated} files"));
            assert_eq!(is_counted, generated > 0, "{text}");
        }
    }
}

#[test]
fn what_waits_is_named() {
    let field = "the field Request.seed";
    let outcome = Outcome::Accepted {
        written: files(&Kind::Generated, 1),
        waiting: vec![Open {
            what: field.to_owned(),
            is_new: true,
        }],
    };
    let wanted = format!("Not offered yet: {field}.");
    assert!(render(&outcome).lines().any(|line| line == wanted));
}
