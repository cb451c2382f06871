//! Builds the request from options and a file.

mod fields;
mod file;
mod help;
mod mode;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use clap::Args;
use kling_omni::request::{RequestType, Route};
use kling_omni::validation::Finding;
use kling_omni::{Mode, Tier};
use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use crate::choice::one_of;
use crate::failure::Failure;
use crate::input;
use fields::RequestFields;
use mode::RequestParts;

/// The options of a request.
#[derive(Args, Debug)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    #[arg(
        long,
        value_name = "MODE",
        value_parser = one_of(Mode::ALL, Mode::as_str),
        help = help::mode()
    )]
    mode: Option<Mode>,

    #[command(flatten)]
    fields: RequestFields,

    #[arg(
        long,
        value_name = "TIER",
        value_parser = one_of(Tier::ALL, Tier::as_str),
        help = help::tier()
    )]
    tier: Option<Tier>,

    /// Read the request from a JSON or YAML file, or from standard input for -; the other options override its fields
    #[arg(short, long, value_name = "FILE", value_parser = input::file_or_stdin())]
    request: Option<PathBuf>,

    /// Treat warnings as errors
    #[arg(long)]
    deny_warnings: bool,

    /// Send the request without validation, in case the rules of the service changed
    #[arg(long, conflicts_with = "deny_warnings")]
    unchecked: bool,
}

/// Reads the fields of a request file, which are not validated.
pub(crate) fn read_fields(path: &Path) -> Result<Map<String, Value>, Failure> {
    file::read(path)?.parse(PhantomData)
}

/// A request to send.
pub(crate) enum Request {
    Checked {
        request: Box<kling_omni::request::Request>,
        denies_warnings: bool,
    },
    Unchecked {
        mode: Mode,
        tier: Tier,
        body: Value,
    },
}

impl RequestArgs {
    /// Returns whether any part of a request was given.
    pub(crate) fn is_given(&self) -> bool {
        self.request.is_some() || self.tier.is_some() || self.fields.names().next().is_some()
    }

    /// Merges the file and the options, and validates the request unless `--unchecked` is given.
    pub(crate) fn into_request(self, has_route: bool) -> Result<Request, Failure> {
        let mut fields = self.fields;
        let from_stdin = self.request.as_deref().is_some_and(input::is_stdin);
        fields.read_texts(usize::from(from_stdin))?;
        let file = self.request.as_deref().map(file::read).transpose()?;
        let in_file = match &file {
            Some(file) => file.parse(PhantomData)?,
            None => Map::new(),
        };
        let parts = RequestParts {
            mode: self.mode,
            has_route,
            options: &fields,
            file: &in_file,
        };
        let mode = match parts.mode() {
            // An unchecked request with a mode is sent in any case.
            Err(_) if self.unchecked && self.mode.is_some() => self.mode.unwrap_or_default(),
            mode => mode?,
        };
        if !self.unchecked
            && let Some(file) = &file
        {
            // Parsed again with the type of the mode, so errors have a position in the file.
            file.parse(RequestType::for_mode(mode))?;
        }
        let mut body = in_file;
        if let Some(tier) = self.tier {
            body.insert("tier".to_owned(), tier.as_str().into());
        }
        if self.unchecked {
            body.extend(fields.body()?);
            return unchecked(mode, body);
        }
        for name in fields.names() {
            body.remove(name);
        }
        if body.keys().all(|name| name == "tier") && fields.names().next().is_none() {
            return Err(empty_request());
        }
        let builder = RequestType::for_mode(mode).deserialize(Value::Object(body));
        let builder = builder
            .map_err(|error| Failure::usage("cannot parse the request").with_cause(error))?;
        let builder = fields.set_on(builder)?.deny_warnings(self.deny_warnings);
        let request = builder.build()?;
        Ok(Request::Checked {
            request: Box::new(request),
            denies_warnings: self.deny_warnings,
        })
    }
}

/// Returns the option for a field of a request, such as `elements[0].frontal_image_url`.
pub(crate) fn option(at: &str) -> String {
    RequestFields::option(at.split(['[', '.']).next().unwrap_or(at))
}

/// Builds an unchecked request, with unknown fields included.
fn unchecked(mode: Mode, mut body: Map<String, Value>) -> Result<Request, Failure> {
    let tier = body.remove("tier").map(serde_json::from_value).transpose();
    let tier =
        tier.map_err(|error| Failure::usage("invalid tier in the file").with_cause(error))?;
    if body.is_empty() {
        return Err(empty_request());
    }
    Ok(Request::Unchecked {
        mode,
        tier: tier.unwrap_or_default(),
        body: Value::Object(body),
    })
}

impl Request {
    /// Returns the validated request, or `None` for an unchecked one.
    pub(crate) fn checked(&self) -> Option<&kling_omni::request::Request> {
        match self {
            Self::Checked { request, .. } => Some(request),
            Self::Unchecked { .. } => None,
        }
    }

    /// Returns whether warnings are errors.
    pub(crate) fn denies_warnings(&self) -> bool {
        match self {
            Self::Checked {
                denies_warnings, ..
            } => *denies_warnings,
            Self::Unchecked { .. } => false,
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        match self {
            Self::Checked { request, .. } => request.mode(),
            Self::Unchecked { mode, .. } => *mode,
        }
    }

    pub(crate) fn tier(&self) -> Tier {
        match self {
            Self::Checked { request, .. } => request.tier(),
            Self::Unchecked { tier, .. } => *tier,
        }
    }

    /// Returns the warnings of the validation.
    pub(crate) fn warnings(&self) -> &[Finding] {
        match self {
            Self::Checked { request, .. } => request.warnings(),
            Self::Unchecked { .. } => &[],
        }
    }

    /// Validates the request against the rules of a route, unless it is unchecked.
    pub(crate) fn check(&self, route: Option<Route>) -> Result<(), Failure> {
        match self {
            Self::Checked { request, .. } => Ok(request.check(route.unwrap_or_default())?),
            Self::Unchecked { .. } => Ok(()),
        }
    }

    /// Returns the body as it is sent.
    pub(crate) fn body(&self) -> Value {
        match self {
            Self::Checked { request, .. } => request.to_body(),
            Self::Unchecked { body, .. } => body.clone(),
        }
    }
}

/// The failure for a request without any field.
fn empty_request() -> Failure {
    Failure::usage("the request is empty")
        .with_help("use --prompt, --shot, --video or --image, or --request with a file")
}
