//! Inspects a single image or video.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use media_probe::{Format, Kind, MediaInfo};
use serde::{Serialize, Serializer};

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::named::by_name;
use crate::preflight::inspected_file::{
    InspectResult, InspectedFile, declared_format, inspect_file,
};
use crate::preflight::remote::RemoteInspector;
use crate::preflight::{check_each_route, rules};
use crate::request::validate::check_media_url;
use crate::route::{Mode, Route, Tier};
use crate::validation::{Finding, Severity};

/// Inspects one image or video, and reports what the service would reject. Needs no client, key or request, and costs
/// nothing.
///
/// Only a few parts of a file are read, local or behind a URL. The findings are those of a
/// [`Preflight`](crate::preflight::Preflight) about the file, without those about the rest of a request.
///
/// ```
/// use kling_omni::preflight::{MediaRole, inspect};
/// use kling_omni::validation::FindingCode;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let upload: Vec<u8> = b"<html>Not found</html>".to_vec();
/// let inspection = inspect(upload).role(MediaRole::StartFrame).await;
/// assert!(inspection.has_errors());
/// assert_eq!(inspection.findings()[0].code(), FindingCode::UnsupportedFormat);
/// # }
/// ```
pub fn inspect(source: impl Into<MediaSource>) -> Inspect {
    Inspect {
        source: source.into(),
        role: None,
        route: Route::default(),
        allows_private: false,
    }
}

/// An inspection of one image or video, created by [`inspect`]. Await it to start, within a Tokio runtime.
#[must_use = "nothing is inspected until it is awaited"]
#[derive(Clone, Debug)]
pub struct Inspect {
    source: MediaSource,
    role: Option<MediaRole>,
    route: Route,
    allows_private: bool,
}

impl Inspect {
    /// Sets the role of the file. Default: the reference video for a video and the start frame for an image. Other
    /// files are classified by their name, and otherwise as a video.
    pub fn role(mut self, role: MediaRole) -> Self {
        self.role = Some(role);
        self
    }

    /// Sets the route whose rules apply. Default: [`Route::Auto`], which reports violations of only the successor's
    /// rules as warnings.
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Allows URLs that lead to this machine or a private network; see
    /// [`Preflight::allow_private_networks`](crate::preflight::Preflight::allow_private_networks).
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.allows_private = allow;
        self
    }

    async fn run(self) -> Inspection {
        let remote = RemoteInspector::default();
        let result = inspect_file(&remote, &self.source, self.allows_private).await;
        let role = self
            .role
            .unwrap_or_else(|| guess_role(&self.source, &result));
        let file = InspectedFile {
            field: role.field(),
            source: self.source,
            result,
            stamp: None,
        };
        let routes = self
            .route
            .routes_to_try(Mode::Reference, Tier::default(), &[]);
        let url = file.source.as_url();
        let findings = match url.and_then(|url| check_media_url(file.field, url)) {
            Some(finding) => vec![finding],
            None => {
                let mut findings =
                    check_each_route(&routes, |route| rules::check_file(&file, route.limits()));
                let limits = routes.iter().map(|route| route.limits());
                findings.extend(rules::not_checked(file.field, limits));
                findings
            }
        };
        Inspection {
            role,
            media_info: file.probed().cloned(),
            source: file.source,
            findings,
        }
    }
}

/// Chooses a role by the content of the file, or else by its name.
fn guess_role(source: &MediaSource, result: &InspectResult) -> MediaRole {
    let content = result.probed().and_then(|probed| probed.format);
    let formats = [content, declared_format(source)].into_iter().flatten();
    let role = |format: Format| match format.kind() {
        Kind::Video | Kind::Audio => Some(MediaRole::ReferenceVideo),
        Kind::Image => Some(MediaRole::StartFrame),
        _ => None,
    };
    let mut roles = formats.filter_map(role);
    roles.next().unwrap_or(MediaRole::ReferenceVideo)
}

impl IntoFuture for Inspect {
    type Output = Inspection;
    type IntoFuture = Pin<Box<dyn Future<Output = Inspection> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The result of an inspection of one image or video.
///
/// In JSON, `source` is as in `Display`: a URL has no query.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    #[serde(serialize_with = "serialize_redacted")]
    source: MediaSource,
    role: MediaRole,
    media_info: Option<MediaInfo>,
    findings: Vec<Finding>,
}

impl Inspection {
    /// The inspected source.
    pub fn source(&self) -> &MediaSource {
        &self.source
    }

    /// The role for which the file was checked.
    pub fn role(&self) -> MediaRole {
        self.role
    }

    /// The properties of the file; `None` if it could not be read, which is a finding.
    pub fn media_info(&self) -> Option<&MediaInfo> {
        self.media_info.as_ref()
    }

    /// All findings, errors first. Their fields are those of a [`VideoReference`](crate::VideoReference).
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a create with this file would fail.
    pub fn has_errors(&self) -> bool {
        self.severity() == Some(Severity::Error)
    }

    /// The highest severity of the findings, if there are any.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.first().map(Finding::severity)
    }
}

/// Serialises without possible tokens.
fn serialize_redacted<S: Serializer>(
    source: &impl fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

/// The role of an image or a video, which determines its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum MediaRole {
    /// The reference video that guides motion and style.
    #[serde(rename = "video")]
    ReferenceVideo,
    /// The first frame of the video.
    #[serde(rename = "image")]
    StartFrame,
}

impl MediaRole {
    /// All roles.
    pub const ALL: &[Self] = &[Self::ReferenceVideo, Self::StartFrame];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReferenceVideo => "video",
            Self::StartFrame => "image",
        }
    }

    /// The field of a request with this role.
    fn field(self) -> MediaField {
        match self {
            Self::ReferenceVideo => MediaField::ReferenceVideo,
            Self::StartFrame => MediaField::StartFrame,
        }
    }
}

by_name!(MediaRole);
