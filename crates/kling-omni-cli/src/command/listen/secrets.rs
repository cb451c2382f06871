//! Where webhook secrets come from: never the command line itself, which others can read.

use std::path::{Path, PathBuf};

use clap::Args;
use kling_omni::webhook::{Secret, Verifier};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::next::{Next, Options};
use crate::{environment, input};

/// The variable that is read unless another place is named.
pub(super) const VARIABLE: &str = "KLING_OMNI_WEBHOOK_SECRET";

#[derive(Args, Debug)]
pub(super) struct SecretArgs {
    /// Take a webhook secret from this environment variable; may be given several times [default:
    /// KLING_OMNI_WEBHOOK_SECRET]
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,

    /// Take webhook secrets from this file, one on a line; - reads standard input; may be given several times
    #[arg(long, value_name = "FILE", value_parser = input::file_or_stdin())]
    secret_file: Vec<PathBuf>,
}

/// The most that is read of a file with secrets.
const LARGEST_FILE: u64 = 64 * 1024;

/// One secret or several.
pub(super) struct Secrets {
    first: Secret,
    others: Vec<Secret>,
}

impl SecretArgs {
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.secret_file.iter().map(PathBuf::as_path)
    }

    pub(super) fn read(&self) -> Result<Secrets, Failure> {
        let mut secrets = Vec::new();
        for name in &self.secret_env {
            secrets.push(from_variable("--secret-env", name)?);
        }
        for path in &self.secret_file {
            secrets.extend(from_file("--secret-file", path)?);
        }
        if self.secret_env.is_empty() && self.secret_file.is_empty() {
            secrets.push(usual()?);
        }
        let mut secrets = secrets.into_iter();
        let first = secrets.next().ok_or_else(|| none("no webhook secret"))?;
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

    pub(super) fn into_verifier(self) -> Verifier {
        let first = Verifier::new(self.first);
        self.others.into_iter().fold(first, Verifier::add_secret)
    }
}

fn usual() -> Result<Secret, Failure> {
    from_named(VARIABLE, VARIABLE)
}

/// The secret in the variable that an option names. The name is not shown: it may be a secret in the wrong place.
pub(super) fn from_variable(option: &str, name: &str) -> Result<Secret, Failure> {
    from_named(name, &format!("the variable that {option} names"))
}

fn from_named(name: &str, shown: &str) -> Result<Secret, Failure> {
    let Some(text) = environment::variable(name) else {
        return Err(none(&format!("no webhook secret: {shown} is not set")));
    };
    match text.to_str() {
        Some(text) => parse(text, shown),
        None => Err(Failure::custom(
            "configuration",
            Exit::Access,
            format!("{shown} is not UTF-8 text"),
        )),
    }
}

/// The secrets of the file that an option names, one on a line. A name that leads to no file is not shown: it may be a
/// secret in the wrong place.
pub(super) fn from_file(option: &str, path: &Path) -> Result<Vec<Secret>, Failure> {
    if !input::is_stdin(path)
        && let Err(error) = path.metadata()
    {
        let summary = format!("the file that {option} names could not be read");
        return Err(Failure::file(summary).with_cause(error));
    }
    let input = input::read(path, LARGEST_FILE)?;
    let name = input.name.clone();
    let text = input.text()?;
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let secrets: Vec<_> = lines
        .map(|(number, line)| parse(line, &format!("{name}, line {number}")))
        .collect::<Result<_, _>>()?;
    if secrets.is_empty() {
        return Err(none(&format!("{name} holds no webhook secret")));
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
            Some(advice) => failure.with_help(advice),
            None => failure,
        }
    })
}

fn none(message: &str) -> Failure {
    Failure::custom("configuration", Exit::Access, message).with_help(format!(
        "set {VARIABLE} to the secret in the webhook settings of the account, or to that which `{}` shows; \
         --secret-env and --secret-file name other places",
        Next::Sandbox.command(&Options::new())
    ))
}
