//! `doctor`: checks what the program depends on. Costs nothing and keeps nothing.

pub(super) mod check;
pub(super) mod machine;
pub(super) mod service;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use self::check::{Check, Checks};
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::input;
use crate::report;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// The folder to save videos in
    #[arg(short, long, value_name = "FOLDER", default_value = ".", value_parser = input::file())]
    output: PathBuf,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Each line is ok, warning or broken, with what to do. The key is tried by reading a list, which is free; nothing is created, \
uploaded or kept. The exit code is that of the first line that is broken.

Examples:
  Check everything before the first video:
    kling-omni doctor

  Check another service and another folder, for a script:
    kling-omni doctor --base-url https://kling.example.com -o clips --json";

/// The JSON output.
#[derive(Serialize)]
struct DoctorOutput {
    program: &'static str,
    api_document: &'static str,
    os: &'static str,
    arch: &'static str,
    base_url: Option<String>,
    /// How far the clock of the service is ahead of this machine's.
    clock_ahead_seconds: Option<i64>,
    #[serde(flatten)]
    checks: Checks,
}

pub(super) async fn run(args: DoctorArgs, connect: &ConnectArgs) -> Result<(), Failure> {
    if connect.sandbox {
        return Err(Failure::usage(
            "--sandbox cannot be used here: it needs no key, no network and no clock",
        ));
    }
    let mut output = DoctorOutput {
        program: env!("CARGO_PKG_VERSION"),
        api_document: kling_omni_api::document_version(),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        base_url: None,
        clock_ahead_seconds: None,
        checks: Checks::default(),
    };
    output.checks.push(Check::ok(
        "program",
        format!(
            "{} {}, API document {}, {} {}",
            env!("CARGO_BIN_NAME"),
            output.program,
            output.api_document,
            output.os,
            output.arch
        ),
    ));
    let proxies = machine::check_proxies();
    let is_proxy_broken = proxies.problem().is_some();
    output.checks.push(proxies);
    match is_proxy_broken {
        true => output.checks.push(Check::warning(
            "key",
            "it is not tried, because no request bypasses a proxy",
            "correct the proxy, and try again",
        )),
        false => check_service(connect, &mut output).await,
    }
    output.checks.push(machine::check_webhook_secret());
    output
        .checks
        .push(machine::check_output(&args.output).await);
    output.checks.push(machine::check_state().await);
    match args.json {
        true => report::json_line(&output)?,
        false => output.checks.print()?,
    }
    output.checks.into_result()
}

/// Checks the key, the service with its clock, and uploads.
async fn check_service(connect: &ConnectArgs, output: &mut DoctorOutput) {
    // A call that fails once is worth a line, so none is retried.
    let connection = match connect.open_existing_with(|client| client.max_retries(0)) {
        Ok(connection) => connection,
        Err(failure) => return output.checks.push(Check::from_failure("key", &failure)),
    };
    let url = connection.client.base_url().to_owned();
    let key = service::check_key(&connection).await;
    output.base_url = Some(url.clone());
    output.checks.push(key.check);
    match key.service {
        Err(check) => output.checks.push(check),
        Ok(()) => {
            let ahead = service::clock_ahead(&url).await;
            output.clock_ahead_seconds = *ahead.as_ref().unwrap_or(&None);
            output.checks.push(service::check_clock(&url, ahead));
        }
    }
    if key.is_accepted {
        output
            .checks
            .push(service::check_uploads(&connection).await);
    }
}
