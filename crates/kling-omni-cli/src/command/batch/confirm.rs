//! Asks before something may cost money.

use std::io::{self, IsTerminal as _};

use kling_omni::Charged;

use crate::failure::Failure;
use crate::report;

/// Asks a person on the terminal. `what` is a clause such as `3 tasks would be paid for`.
///
/// # Errors
///
/// The person does not agree, or there is no terminal.
pub(super) fn confirm(what: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(
            Failure::usage(format!("not confirmed, nothing was sent: {what}"))
                .with_charged(Charged::No)
                .with_help("add --yes to confirm it without a terminal"),
        );
    }
    report::say(format_args!("{what}; type y and Enter to continue:"));
    let mut answer = String::new();
    // A closed terminal is not an agreement.
    let _ = io::stdin().read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::interrupted("not confirmed, nothing was sent").with_charged(Charged::No)),
    }
}
