mod fields;
mod file;
mod help;

use std::path::PathBuf;

use clap::Args;
use kling_omni::{Tier, VideoReference};
use serde_json::{Map, Value};

use crate::failure::Failure;
use fields::RequestFields;

/// What to make, from the command line and from a file.
#[derive(Args, Debug)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    fields: RequestFields,

    /// Take the request from a JSON or YAML file, or from standard input for -; the options above override its fields
    #[arg(short, long, value_name = "FILE")]
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
    Checked(Box<VideoReference>),
    Unchecked { tier: Tier, body: Value },
}

impl RequestArgs {
    /// Puts file and options together and holds them against the rules, unless told not to.
    pub(crate) fn into_request(self) -> Result<Request, Failure> {
        if self.unchecked {
            return self.into_unchecked();
        }
        let fields = match &self.request {
            Some(path) => self.fields.over(file::read(path)?),
            None => self.fields,
        };
        if fields.is_empty() {
            return Err(nothing_asked());
        }
        let builder = fields.into_builder().deny_warnings(self.deny_warnings);
        Ok(Request::Checked(Box::new(builder.build()?)))
    }

    /// Keeps what the file has as it is, fields unknown to this version included.
    fn into_unchecked(self) -> Result<Request, Failure> {
        let mut body: Map<String, Value> = match &self.request {
            Some(path) => file::read(path)?,
            None => Map::new(),
        };
        let in_file = body.remove("tier").map(serde_json::from_value).transpose();
        let in_file = in_file
            .map_err(|error| Failure::usage("the tier in the file is none").with_cause(error))?;
        let tier = self.fields.tier.or(in_file).unwrap_or_default();
        if let Value::Object(options) = self.fields.into_builder().to_unchecked_body() {
            body.extend(options);
        }
        if body.is_empty() {
            return Err(nothing_asked());
        }
        let body = Value::Object(body);
        Ok(Request::Unchecked { tier, body })
    }
}

impl Request {
    pub(crate) fn tier(&self) -> Tier {
        match self {
            Self::Checked(request) => request.tier(),
            Self::Unchecked { tier, .. } => *tier,
        }
    }

    /// The body as it is sent.
    pub(crate) fn body(&self) -> Result<Value, Failure> {
        match self {
            Self::Unchecked { body, .. } => Ok(body.clone()),
            Self::Checked(request) => {
                let mut body = serde_json::to_value(request).map_err(|error| {
                    Failure::unexpected("the request could not be written as JSON")
                        .with_cause(error)
                })?;
                // The tier chooses the route, and is no part of the body.
                if let Value::Object(fields) = &mut body {
                    fields.remove("tier");
                }
                Ok(body)
            }
        }
    }
}

/// The API requires nothing at all, so that an empty request would be taken, and paid for.
fn nothing_asked() -> Failure {
    Failure::usage("there is nothing to make a video from")
        .with_advice("give --prompt, --video or --image, or a file to --request")
}
