//! The secrets of `listen`.

use super::{Listening, OTHER, SECRET, VARIABLE, listen, signed, task};
use crate::support::{Program, Snapshots};

#[test]
fn are_required() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.txt"), "\n \n").unwrap();
    std::fs::write(
        folder.path().join("bad.txt"),
        format!("{SECRET}\nwhsec_*needle*\n"),
    )
    .unwrap();
    std::fs::write(folder.path().join("two.txt"), "one\ntwo\n").unwrap();
    for (name, code, options) in [
        ("none", 3, ""),
        ("unset", 3, "--secret-env NOWHERE"),
        ("empty", 3, "--secret-file empty.txt"),
        ("no-base64", 3, "--secret-file bad.txt"),
        ("missing", 7, "--secret-file nowhere.txt"),
        ("twice-stdin", 2, "--secret-file - --replay -"),
        (
            "two-to-forward",
            2,
            "--secret-file two.txt --forward http://127.0.0.1:9 --forward-secret-file two.txt",
        ),
    ] {
        let program = Program::new(folder.path(), &format!("listen {options}"));
        let ended = program.run().expect(code);
        assert!(!ended.to_string().contains("needle"), "{ended}");
        snapshots.check(format!("secret-{name}"), &ended);
    }
}

#[test]
fn are_read_from_variables_files_and_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("secrets.txt"),
        format!("\n{OTHER}\n  whsec_c3RkaW4=\n"),
    )
    .unwrap();
    let program = Program::new(
        folder.path(),
        "listen --json --secret-env MINE --secret-file secrets.txt --secret-file -",
    );
    let program = program.env("MINE", SECRET).stdin("from-stdin\n");
    // The options replace the default variable.
    let mut listening = Listening::start(program.env(VARIABLE, "usual"));
    let body = task("CREATED", &[]);
    for (number, (secret, status)) in [
        (SECRET, 200),
        (OTHER, 200),
        ("stdin", 200),
        ("from-stdin", 200),
        ("usual", 401),
        ("whsec_", 401),
    ]
    .into_iter()
    .enumerate()
    {
        // An empty secret is invalid, so the last one is replaced.
        let secret = if secret == "whsec_" {
            "whsec_d2hhdA=="
        } else {
            secret
        };
        let headers = signed(secret, &format!("msg_{number}"), 0, &body);
        assert_eq!(listening.post("/", &headers, &body), status, "{secret}");
        listening.event();
    }
}

/// Other users can read the command line of a process.
#[test]
fn are_not_options() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--secret", "--webhook-secret", "--forward-secret"] {
        listen(folder.path(), option).arg("text").run().expect(2);
    }
}
