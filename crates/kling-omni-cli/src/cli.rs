//! The command line: the options that all commands share, the help, and the log.

use std::env;
use std::io::stderr;
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use kling_omni::Charged;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::command::Command;
use crate::connect::ConnectArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::Style;

/// Makes videos from text, images or a reference video with Kling 3 Omni (Freepik / Magnific API)
#[derive(Debug, Parser)]
#[command(name = "kling-omni", version, max_term_width = 100, after_help = after_help())]
pub(crate) struct Cli {
    /// Log requests and responses to stderr, without keys; -vv adds each attempt
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    #[command(flatten)]
    connect: ConnectArgs,

    #[command(subcommand)]
    command: Command,
}

/// The commands that do not contact the service. Their help hides the connection options.
const WITHOUT_CONNECTION: [&str; 6] =
    ["check", "listen", "sandbox", "schema", "completions", "man"];

/// The commands of `batch` that do not contact the service.
const BATCH_WITHOUT_CONNECTION: [&str; 7] = [
    "check", "status", "retry", "pause", "stop", "show", "report",
];

fn after_help() -> String {
    format!(
        "A video is a paid task of the service. The task takes a minute or two, continues when this program exits, and \
         cannot be cancelled. Waiting for a task is free and can be repeated.\n\n\
         {}\n  FREEPIK_API_KEY      The API key, for api.freepik.com\n  \
         MAGNIFIC_API_KEY     The API key, for api.magnific.com\n  \
         KLING_OMNI_BASE_URL  Another server, same as --base-url\n  \
         HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY\n                       \
         Proxies with the schemes http, https, socks4, socks4a, socks5, socks5h\n  \
         XDG_STATE_HOME       The folder in which --journal keeps the ids of the account's tasks\n                       \
         [default: ~/.local/state]\n\n\
         {}\n{}",
        Style::Heading.paint("Environment:"),
        Style::Heading.paint("Exit codes:"),
        Exit::table().trim_end()
    )
}

/// Returns the command line that help and completions show.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command();
    let hidden: Vec<_> = command
        .get_arguments()
        .filter(|arg| arg.is_global_set() && arg.get_id() != "verbose")
        .map(|arg| arg.clone().hide(true))
        .collect();
    let hide = |command: clap::Command, names: &[&'static str]| {
        names.iter().fold(command, |command, name| {
            let hidden = hidden.clone();
            command.mut_subcommand(name, |command| command.args(hidden))
        })
    };
    hide(command, &WITHOUT_CONNECTION)
        .mut_subcommand("batch", |batch| hide(batch, &BATCH_WITHOUT_CONNECTION))
}

/// Parses the command line and runs the command.
pub(crate) fn run() -> ExitCode {
    let exit = match parse() {
        Ok(cli) => cli.run(),
        Err(exit) => exit,
    };
    exit.into()
}

impl Cli {
    fn run(self) -> Exit {
        start_log(self.verbose);
        let json = self.command.json();
        match self.command.run(&self.connect, self.verbose > 0) {
            Ok(()) => Exit::Done,
            Err(failure) => {
                failure.print(json);
                failure.exit()
            }
        }
    }
}

/// Returns the long name of the option of a command that `text` is, alone or followed by `=`.
pub(crate) fn find_option(name: &str, text: &str) -> Option<String> {
    let all = command();
    let command = all.find_subcommand(name)?;
    let (long, short) = match text.strip_prefix("--") {
        Some(long) => (long.split('=').next()?, None),
        None => {
            let mut rest = text.strip_prefix('-')?.chars();
            ("", rest.next().filter(|_| rest.as_str().is_empty()))
        }
    };
    let options = command.get_arguments().chain(all.get_arguments());
    let matches = |option: &&clap::Arg| {
        let longs = option.get_long_and_visible_aliases().unwrap_or_default();
        longs.contains(&long) || short.is_some() && option.get_short() == short
    };
    let long = options.into_iter().find(matches)?.get_long()?;
    Some(format!("--{long}"))
}

/// Removes the user's input from an error: a secret in the wrong place must not reach a terminal or a log. Only text
/// that looks like the name of an option or a command is kept.
fn redact_values(mut error: clap::Error) -> clap::Error {
    let hidden = || ContextValue::String("…".to_owned());
    let is_name = |text: &str| {
        let is_letter = |c: char| c.is_ascii_lowercase() || c == '-';
        text.len() <= 24 && text.chars().all(is_letter)
    };
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        let is_typed = matches!(
            error.kind(),
            ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
        );
        if is_typed && matches!(error.get(kind), Some(ContextValue::String(text)) if !is_name(text))
        {
            error.insert(kind, hidden());
            // Suggestions repeat it.
            error.remove(ContextKind::Suggested);
        }
    }
    if error.get(ContextKind::InvalidValue).is_some() {
        error.insert(ContextKind::InvalidValue, hidden());
    }
    error
}

fn parse() -> Result<Cli, Exit> {
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let error = redact_values(error);
        // Help and version are not errors.
        if !error.use_stderr() {
            let _ = error.print();
            return Exit::Done;
        }
        let _ = error.print();
        if error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            && env::args_os().any(|arg| arg == "--json")
        {
            Failure::usage(first_line(&error.to_string()))
                .with_charged(Charged::No)
                .print_json();
        }
        Exit::Usage
    })
}

fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

/// Starts the log of this project's crates. Events of other crates are left out, because they may contain secrets.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let has_colors = AutoStream::choice(&stderr()) != ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_ansi(has_colors)
        .with_timer(tracing_subscriber::fmt::time::uptime());
    tracing_subscriber::registry()
        .with(lines)
        .with(Targets::new().with_target("kling_omni", level))
        .init();
}

#[cfg(test)]
mod tests {
    #[test]
    fn command_line_is_consistent() {
        super::command().debug_assert();
    }
}
