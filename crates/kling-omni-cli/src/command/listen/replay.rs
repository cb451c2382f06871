//! Replays the deliveries of a saved file, as if they arrived now.

use std::path::Path;
use std::time::SystemTime;

use kling_omni::webhook::correlation::PARAMETER;
use kling_omni::webhook::{Secret, Verifier};
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader, stdin};

use super::delivery_handler::DeliveryHandler;
use super::event::EventPrinter;
use super::forward::{ForwardResult, Forwarder};
use super::saved::{LineError, MAX_LINE_LENGTH, SavedDelivery};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{self, unreadable};
use crate::report;

/// How many lines of a file were replayed, with which result.
#[derive(Default)]
struct ReplayCounts {
    replayed: u64,
    /// Replayed deliveries that the target did not accept.
    unaccepted: u64,
    /// Lines that were skipped because they are truncated.
    truncated: u64,
}

pub(super) async fn run(
    path: &Path,
    secret: Secret,
    forwarder: Option<Forwarder>,
    printer: EventPrinter,
) -> Result<(), Failure> {
    let name = input::name(path);
    let mut lines: Box<dyn AsyncBufRead + Unpin> = if input::is_stdin(path) {
        Box::new(BufReader::new(stdin()))
    } else {
        let file = input::open_regular(path).map_err(|error| unreadable(&name, error))?;
        Box::new(BufReader::new(File::from_std(file)))
    };
    let verifier = Verifier::new(secret.clone());
    let handler = DeliveryHandler::new(verifier, forwarder, None, printer, None);
    let mut counts = ReplayCounts::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let mut limited = (&mut lines).take(MAX_LINE_LENGTH as u64 + 1);
        let length = limited
            .read_until(b'\n', &mut line)
            .await
            .map_err(|error| unreadable(&name, error))?;
        if length == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match replay_line(&handler, &secret, &line).await? {
            Ok(forwarded) => {
                counts.replayed += 1;
                let is_accepted = forwarded.is_none_or(|forwarded| forwarded.is_accepted());
                counts.unaccepted += u64::from(!is_accepted);
            }
            Err(LineError::Truncated(problem)) => {
                counts.truncated += 1;
                report::warn(format_args!(
                    "{name}, line {number}: skipped a truncated delivery: {problem}"
                ));
            }
            Err(LineError::Invalid(problem)) => {
                return Err(Failure::usage(format!(
                    "{name}, line {number}: not a saved delivery: {problem}"
                ))
                .with_help(format!(
                    "correct or delete the line (deliveries replayed before it: {})",
                    counts.replayed
                )));
            }
        }
    }
    if counts.truncated > 0 && counts.replayed == 0 {
        return Err(Failure::usage(format!("{name} contains no saved delivery")));
    }
    counts.into_result()
}

/// Replays one line, or returns what is wrong with it.
async fn replay_line(
    handler: &DeliveryHandler,
    secret: &Secret,
    line: &[u8],
) -> Result<Result<Option<ForwardResult>, LineError>, Failure> {
    let invalid = |problem: String| Ok(Err(LineError::Invalid(problem)));
    if line.len() > MAX_LINE_LENGTH {
        return invalid(format!("longer than {MAX_LINE_LENGTH} bytes"));
    }
    let saved = match SavedDelivery::parse(line) {
        Ok(saved) => saved,
        Err(error) => return Ok(Err(error)),
    };
    let body = saved.body.as_bytes();
    let headers = match secret.headers(&saved.delivery_id, SystemTime::now(), body) {
        Ok(headers) => headers,
        Err(error) => return invalid(error.summary().to_owned()),
    };
    let query = saved
        .correlation
        .map(|token| format!("{PARAMETER}={token}"));
    match handler.receive(&headers, query.as_deref(), body) {
        Ok(received) => Ok(Ok(handler.handle(received, body).await?.forwarded)),
        Err(error) => invalid(error.summary().to_owned()),
    }
}

impl ReplayCounts {
    fn into_result(self) -> Result<(), Failure> {
        if self.unaccepted == 0 {
            match self.truncated {
                0 => report::say(format_args!("replayed: {}", self.replayed)),
                skipped => report::say(format_args!(
                    "replayed: {}, skipped: {skipped}",
                    self.replayed
                )),
            }
            return Ok(());
        }
        Err(Failure::custom(
            "forward_failed",
            Exit::Network,
            format!(
                "the target did not accept {} of {} deliveries",
                self.unaccepted, self.replayed
            ),
        )
        .with_help("see the responses above, then replay the file again"))
    }
}
