//! Takes deliveries of a saved file in again, as if they came now.

use std::path::Path;
use std::time::SystemTime;

use kling_omni::webhook::correlation::PARAMETER;
use kling_omni::webhook::{Secret, Verifier};
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader, stdin};

use super::delivery_handler::DeliveryHandler;
use super::event::Printer;
use super::forward::{Forward, Forwarded};
use super::saved::{Defect, LONGEST_LINE, Saved};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{self, unreadable};
use crate::report;

/// What has been done of a file.
#[derive(Default)]
struct Progress {
    replayed: u64,
    /// How many the other program did not take in.
    unaccepted: u64,
    /// How many lines are the rest of deliveries that could not be saved as a whole.
    torn: u64,
}

pub(super) async fn run(
    path: &Path,
    secret: Secret,
    forward: Option<Forward>,
    printer: Printer,
) -> Result<(), Failure> {
    let name = input::name(path);
    let mut lines: Box<dyn AsyncBufRead + Unpin> = if input::is_stdin(path) {
        Box::new(BufReader::new(stdin()))
    } else {
        let file = input::open_regular(path).map_err(|error| unreadable(&name, error))?;
        Box::new(BufReader::new(File::from_std(file)))
    };
    let handler = DeliveryHandler::new(Verifier::new(secret.clone()), forward, None, printer, None);
    let mut progress = Progress::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let mut limited = (&mut lines).take(LONGEST_LINE as u64 + 1);
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
        let taken = take(&handler, &secret, &line).await?;
        match taken {
            Ok(forwarded) => {
                progress.replayed += 1;
                let is_accepted = forwarded.is_none_or(|forwarded| forwarded.is_accepted());
                progress.unaccepted += u64::from(!is_accepted);
            }
            Err(Defect::Torn(problem)) => {
                progress.torn += 1;
                report::warn(format_args!(
                    "{name}, line {number} was skipped, since it was not saved as a whole: {problem}"
                ));
            }
            Err(Defect::Foreign(problem)) => {
                return Err(Failure::usage(format!(
                    "{name}, line {number} is no saved delivery: {problem}"
                ))
                .with_help(format!(
                    "mend or delete the line; replayed before it: {}",
                    progress.replayed
                )));
            }
        }
    }
    if progress.torn > 0 && progress.replayed == 0 {
        return Err(Failure::usage(format!("{name} holds no saved delivery")));
    }
    progress.end()
}

/// Takes one line in, or says what is wrong with it.
async fn take(
    handler: &DeliveryHandler,
    secret: &Secret,
    line: &[u8],
) -> Result<Result<Option<Forwarded>, Defect>, Failure> {
    let foreign = |problem: String| Ok(Err(Defect::Foreign(problem)));
    if line.len() > LONGEST_LINE {
        return foreign(format!("it is longer than {LONGEST_LINE} bytes"));
    }
    let saved = match Saved::parse(line) {
        Ok(saved) => saved,
        Err(defect) => return Ok(Err(defect)),
    };
    let body = saved.body.as_bytes();
    let headers = match secret.headers(&saved.delivery_id, SystemTime::now(), body) {
        Ok(headers) => headers,
        Err(error) => return foreign(error.summary().to_owned()),
    };
    let query = saved
        .correlation
        .map(|token| format!("{PARAMETER}={token}"));
    match handler.receive(&headers, query.as_deref(), body) {
        Ok(received) => Ok(Ok(handler.handle(received, body).await?.forwarded)),
        Err(refusal) => foreign(refusal.summary().to_owned()),
    }
}

impl Progress {
    fn end(self) -> Result<(), Failure> {
        if self.unaccepted == 0 {
            match self.torn {
                0 => report::say(format_args!("replayed: {}", self.replayed)),
                torn => report::say(format_args!("replayed: {}, skipped: {torn}", self.replayed)),
            }
            return Ok(());
        }
        Err(Failure::custom(
            "forward_failed",
            Exit::Network,
            format!(
                "{} of {} deliveries were not accepted where they were forwarded to",
                self.unaccepted, self.replayed
            ),
        )
        .with_help(
            "see above how each was answered; the file is unchanged and can be replayed again",
        ))
    }
}
