//! Where webhook secrets come from: never the command line itself, which others can read.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use kling_omni::webhook::{Secret, Verifier};

use crate::exit::Exit;
use crate::failure::Failure;

/// The variable that is read unless another place is named.
pub(super) const VARIABLE: &str = "KLING_OMNI_WEBHOOK_SECRET";

#[derive(Args, Debug)]
pub(super) struct SecretArgs {
    /// Take a webhook secret from this environment variable; may be given several times [default:
    /// KLING_OMNI_WEBHOOK_SECRET]
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,

    /// Take webhook secrets from this file, one on a line; - reads standard input; may be given several times
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
}

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
            secrets.push(from_variable(name)?);
        }
        for path in &self.secret_file {
            secrets.extend(from_file(path)?);
        }
        if self.secret_env.is_empty() && self.secret_file.is_empty() {
            secrets.push(from_variable(VARIABLE)?);
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
        self.others.into_iter().fold(first, Verifier::or)
    }
}

pub(super) fn from_variable(name: &str) -> Result<Secret, Failure> {
    match env::var(name) {
        Ok(text) => parse(&text, name),
        Err(env::VarError::NotPresent) => {
            Err(none(&format!("no webhook secret: {name} is not set")))
        }
        Err(env::VarError::NotUnicode(_)) => Err(Failure::own(
            "configuration",
            Exit::Access,
            format!("{name} is not UTF-8 text"),
        )),
    }
}

/// The secrets of a file, one on a line.
pub(super) fn from_file(path: &Path) -> Result<Vec<Secret>, Failure> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        ("standard input".to_owned(), read.map(|_| text))
    } else {
        (path.display().to_string(), fs::read_to_string(path))
    };
    let text =
        text.map_err(|error| Failure::file(format!("{name} could not be read")).with_cause(error))?;
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
        let failure = Failure::own(
            "configuration",
            Exit::Access,
            format!("{place}: {}", error.summary()),
        );
        match error.advice() {
            Some(advice) => failure.with_advice(advice),
            None => failure,
        }
    })
}

fn none(message: &str) -> Failure {
    Failure::own("configuration", Exit::Access, message).with_advice(format!(
        "set {VARIABLE} to the secret in the webhook settings of the account, or to that which `kling-omni sandbox` \
         shows; --secret-env and --secret-file name other places"
    ))
}
