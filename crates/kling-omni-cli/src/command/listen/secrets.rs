//! Reads webhook secrets from variables and files, never from the command line, which other users can read.

use std::path::{Path, PathBuf};

use clap::Args;
use kling_omni::webhook::{Secret, Verifier};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::next::{CommandOption, ConnectionOptions, NextCommand};
use crate::{environment, input};

/// The variable that is read by default.
pub(in crate::command) const VARIABLE: &str = "KLING_OMNI_WEBHOOK_SECRET";

#[derive(Args, Debug)]
pub(in crate::command) struct SecretArgs {
    /// Read a webhook secret from this environment variable; may be repeated [default: KLING_OMNI_WEBHOOK_SECRET]
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,

    /// Read webhook secrets from this file, one per line; - reads standard input; may be repeated
    #[arg(long, value_name = "FILE", value_parser = input::file_or_stdin())]
    secret_file: Vec<PathBuf>,
}

/// The maximum size of a file with secrets, in bytes.
const MAX_FILE_SIZE: u64 = 64 * 1024;

/// At least one secret.
pub(in crate::command) struct Secrets {
    first: Secret,
    others: Vec<Secret>,
}

impl SecretArgs {
    /// Whether no option is given.
    pub(in crate::command) fn is_empty(&self) -> bool {
        self.secret_env.is_empty() && self.secret_file.is_empty()
    }

    /// Returns the options with the same meaning.
    pub(in crate::command) fn command_options(&self) -> impl Iterator<Item = CommandOption> {
        let variables = self.secret_env.iter();
        let variables = variables.map(|name| ("--secret-env", name.into()));
        let files = self.secret_file.iter();
        variables.chain(files.map(|path| ("--secret-file", path.into())))
    }

    pub(in crate::command) fn files(&self) -> impl Iterator<Item = &Path> {
        self.secret_file.iter().map(PathBuf::as_path)
    }

    pub(in crate::command) fn read(&self) -> Result<Secrets, Failure> {
        let mut secrets = Vec::new();
        for name in &self.secret_env {
            secrets.push(from_variable("--secret-env", name)?);
        }
        for path in &self.secret_file {
            secrets.extend(from_file("--secret-file", path)?);
        }
        if self.is_empty() {
            secrets.push(read_variable(VARIABLE, VARIABLE)?);
        }
        let mut secrets = secrets.into_iter();
        let first = secrets
            .next()
            .ok_or_else(|| missing("no webhook secret given"))?;
        Ok(Secrets {
            first,
            others: secrets.collect(),
        })
    }
}

impl Secrets {
    pub(super) fn first(&self) -> &Secret {
        &self.first
    }

    pub(in crate::command) fn into_verifier(self) -> Verifier {
        let first = Verifier::new(self.first);
        self.others.into_iter().fold(first, Verifier::add_secret)
    }
}

/// Reads the secret in the variable of an option. Errors do not contain the name, which may be a misplaced secret.
pub(super) fn from_variable(option: &str, name: &str) -> Result<Secret, Failure> {
    read_variable(name, &format!("the variable of {option}"))
}

fn read_variable(name: &str, shown: &str) -> Result<Secret, Failure> {
    let Some(text) = environment::variable(name) else {
        return Err(missing(&format!("no webhook secret: {shown} is not set")));
    };
    match text.to_str() {
        Some(text) => parse(text, shown),
        None => Err(Failure::custom(
            "configuration",
            Exit::Access,
            format!("{shown} is not valid UTF-8"),
        )),
    }
}

/// Reads the secrets in the file of an option, one per line. Errors do not contain the name of a missing file, which may
/// be a misplaced secret.
pub(super) fn from_file(option: &str, path: &Path) -> Result<Vec<Secret>, Failure> {
    if !input::is_stdin(path)
        && let Err(error) = path.metadata()
    {
        let summary = format!("cannot read the file of {option}");
        return Err(Failure::file(summary).with_cause(error));
    }
    let input = input::read(path, MAX_FILE_SIZE)?;
    let name = input.name.clone();
    let text = input.text()?;
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let secrets: Vec<_> = lines
        .map(|(number, line)| parse(line, &format!("{name}, line {number}")))
        .collect::<Result<_, _>>()?;
    if secrets.is_empty() {
        return Err(missing(&format!("{name} contains no webhook secret")));
    }
    Ok(secrets)
}

fn parse(text: &str, place: &str) -> Result<Secret, Failure> {
    Secret::new(text).map_err(|error| {
        let failure = Failure::custom(
            "configuration",
            Exit::Access,
            format!("{place}: {}", error.summary()),
        );
        match error.help() {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    })
}

fn missing(message: &str) -> Failure {
    Failure::custom("configuration", Exit::Access, message).with_help(format!(
        "set {VARIABLE} to the secret in the webhook settings of the account or in the output of `{}`, or use \
         --secret-env or --secret-file",
        NextCommand::Sandbox.to_shell(&ConnectionOptions::new())
    ))
}
