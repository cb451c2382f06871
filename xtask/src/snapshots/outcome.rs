//! What the test harness wrote.

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The test, as `module::test`.
    pub test: String,
    /// What it said.
    pub message: String,
}

/// The failed tests in what `cargo test` wrote to stdout.
pub fn failures(stdout: &str) -> Vec<Failure> {
    let mut found: Vec<Failure> = Vec::new();
    let mut is_open = false;
    for line in stdout.lines() {
        let test = line.strip_prefix("---- ");
        if let Some(test) = test.and_then(|line| line.strip_suffix(" stdout ----")) {
            found.push(Failure {
                test: test.to_owned(),
                message: String::new(),
            });
            is_open = true;
        } else if line == "failures:" || line.starts_with("test result: ") {
            is_open = false;
        } else if is_open
            && let Some(failure) = found.last_mut()
            && !line.starts_with("note: run with `RUST_BACKTRACE")
        {
            failure.message.push_str(line);
            failure.message.push('\n');
        }
    }
    for failure in &mut found {
        failure.message = failure.message.trim().to_owned();
    }
    found
}
