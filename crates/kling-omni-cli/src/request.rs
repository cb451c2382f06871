//! The request, put together from options and a file.

mod fields;
mod file;
mod help;
mod json;
mod mode;

use std::marker::PhantomData;
use std::path::PathBuf;

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
use mode::Parts;

/// What to make, from the command line and from a file.
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

    /// Take the request from a JSON or YAML file, or from standard input for -; the other options override its fields
    #[arg(short, long, value_name = "FILE", value_parser = input::file_or_stdin())]
    request: Option<PathBuf>,

    /// Refuse what merely looks like a mistake, too
    #[arg(long)]
    deny_warnings: bool,

    /// Send the request as it is, checked by nobody but the service: for the day its rules move before this program's
    #[arg(long, conflicts_with = "deny_warnings")]
    unchecked: bool,
}

/// A request that is ready to be sent.
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
    /// Whether any part of a request was given.
    pub(crate) fn is_given(&self) -> bool {
        self.request.is_some() || self.tier.is_some() || self.fields.names().next().is_some()
    }

    /// Puts file and options together and holds them against the rules, unless told not to.
    pub(crate) fn into_request(self, has_route: bool) -> Result<Request, Failure> {
        let mut fields = self.fields;
        let from_stdin = self.request.as_deref().is_some_and(input::is_stdin);
        fields.read_texts(usize::from(from_stdin))?;
        let file = self.request.as_deref().map(file::read).transpose()?;
        let in_file = match &file {
            Some(file) => file.parse(PhantomData)?,
            None => Map::new(),
        };
        let parts = Parts {
            mode: self.mode,
            has_route,
            options: &fields,
            file: &in_file,
        };
        let mode = match parts.mode() {
            // Whoever sends what nobody checks, and says where to, is not to be stopped.
            Err(_) if self.unchecked && self.mode.is_some() => self.mode.unwrap_or_default(),
            mode => mode?,
        };
        if !self.unchecked
            && let Some(file) = &file
        {
            // A second look, which knows the place of what it does not understand.
            file.parse(RequestType::of(mode))?;
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
            return Err(nothing_asked());
        }
        let builder = RequestType::of(mode).deserialize(Value::Object(body));
        let builder = builder.map_err(|error| {
            Failure::usage("the request cannot be understood").with_cause(error)
        })?;
        let builder = fields.set_on(builder)?.deny_warnings(self.deny_warnings);
        let request = builder.build()?;
        Ok(Request::Checked {
            request: Box::new(request),
            denies_warnings: self.deny_warnings,
        })
    }
}

/// The option that a place in a request, such as `elements[0].frontal_image_url`, is given by.
pub(crate) fn option(at: &str) -> String {
    RequestFields::option(at.split(['[', '.']).next().unwrap_or(at))
}

/// Keeps what there is as it is, fields unknown to this version included.
fn unchecked(mode: Mode, mut body: Map<String, Value>) -> Result<Request, Failure> {
    let tier = body.remove("tier").map(serde_json::from_value).transpose();
    let tier =
        tier.map_err(|error| Failure::usage("the tier in the file is none").with_cause(error))?;
    if body.is_empty() {
        return Err(nothing_asked());
    }
    Ok(Request::Unchecked {
        mode,
        tier: tier.unwrap_or_default(),
        body: Value::Object(body),
    })
}

impl Request {
    /// What is checked of it; none if nobody is to check it.
    pub(crate) fn checked(&self) -> Option<&kling_omni::request::Request> {
        match self {
            Self::Checked { request, .. } => Some(request),
            Self::Unchecked { .. } => None,
        }
    }

    /// Whether what merely looks like a mistake is to be refused.
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

    /// What is legal and looks like a mistake.
    pub(crate) fn warnings(&self) -> &[Finding] {
        match self {
            Self::Checked { request, .. } => request.warnings(),
            Self::Unchecked { .. } => &[],
        }
    }

    /// Holds the request against the rules of its route, unless nobody is to check it.
    pub(crate) fn check(&self, route: Option<Route>) -> Result<(), Failure> {
        match self {
            Self::Checked { request, .. } => Ok(request.check(route.unwrap_or_default())?),
            Self::Unchecked { .. } => Ok(()),
        }
    }

    /// The body as it is sent.
    pub(crate) fn body(&self) -> Value {
        match self {
            Self::Checked { request, .. } => request.to_body(),
            Self::Unchecked { body, .. } => body.clone(),
        }
    }
}

/// Without a word of what is wanted there is nothing to check.
fn nothing_asked() -> Failure {
    Failure::usage("there is nothing to make a video from")
        .with_help("give --prompt, --shot, --video or --image, or a file to --request")
}
