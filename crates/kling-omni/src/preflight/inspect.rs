//! The inspection of one image or video by itself.

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
use crate::preflight::{by_plan, rules};
use crate::request::validate::check_media_url;
use crate::route::{Mode, Route, Tier};
use crate::validation::{Finding, Severity};

/// Inspects one image or video, and says what about it the service would refuse. This needs no client, no key and no
/// request, and costs nothing.
///
/// Of a file on this machine as of one behind a URL, a few parts are read, never the whole of it. What is said is what a
/// [`Preflight`](crate::preflight::Preflight) says of the file; how it goes with the rest of a request is not known here.
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

/// An inspection of one image or video, made by [`inspect`]. Await it to start.
///
/// It has to be awaited within a Tokio runtime, as everything else here.
#[must_use = "nothing is inspected until it is awaited"]
#[derive(Clone, Debug)]
pub struct Inspect {
    source: MediaSource,
    role: Option<MediaRole>,
    route: Route,
    allows_private: bool,
}

impl Inspect {
    /// What the file is to be. Default: a video is the reference video, an image the start frame, and what is neither is
    /// taken for what its name says, or else for a video.
    pub fn role(mut self, role: MediaRole) -> Self {
        self.role = Some(role);
        self
    }

    /// The route whose rules count. Default: [`Route::Auto`], which makes a warning of what only the successor of the
    /// older route refuses.
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Also inspects a URL that leads to this machine or its own network; see
    /// [`Preflight::allow_private_networks`](crate::preflight::Preflight::allow_private_networks).
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.allows_private = allow;
        self
    }

    async fn run(self) -> Inspection {
        let remote = RemoteInspector::default();
        let result = inspect_file(&remote, &self.source, self.allows_private).await;
        let role = self.role.unwrap_or_else(|| likely(&self.source, &result));
        let file = InspectedFile {
            field: role.field(),
            source: self.source,
            result,
            stamp: None,
        };
        let plan = self.route.plan(Mode::Reference, Tier::default(), &[]);
        let url = file.source.as_url();
        let findings = match url.and_then(|url| check_media_url(file.field, url)) {
            Some(finding) => vec![finding],
            None => {
                let mut findings = by_plan(&plan, |route| rules::check_file(&file, route.limits()));
                let limits = plan.iter().map(|route| route.limits());
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

/// What a file is for, by its content or else by its name.
fn likely(source: &MediaSource, result: &InspectResult) -> MediaRole {
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
/// In JSON, `source` is as `Display` shows it, a URL without its query.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    #[serde(serialize_with = "shown")]
    source: MediaSource,
    role: MediaRole,
    media_info: Option<MediaInfo>,
    findings: Vec<Finding>,
}

impl Inspection {
    /// The file.
    pub fn source(&self) -> &MediaSource {
        &self.source
    }

    /// What the file was taken for.
    pub fn role(&self) -> MediaRole {
        self.role
    }

    /// What the file is; none if it could not be read, which is then among the findings.
    pub fn media_info(&self) -> Option<&MediaInfo> {
        self.media_info.as_ref()
    }

    /// Everything that is wrong with it or looks so, errors first. Their field is that of a request from a reference
    /// video.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a create with this file would be stopped.
    pub fn has_errors(&self) -> bool {
        self.severity() == Some(Severity::Error)
    }

    /// The worst of the findings; none if there are none.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.first().map(Finding::severity)
    }
}

/// Without what may be a token.
fn shown<S: Serializer>(source: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

/// What an image or a video is for, which decides the rules that it has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum MediaRole {
    /// The reference video that guides motion and style.
    #[serde(rename = "video")]
    ReferenceVideo,
    /// The image that the video starts with.
    #[serde(rename = "image")]
    StartFrame,
}

impl MediaRole {
    /// Every role.
    pub const ALL: &[Self] = &[Self::ReferenceVideo, Self::StartFrame];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReferenceVideo => "video",
            Self::StartFrame => "image",
        }
    }

    /// The field of a request that has it.
    fn field(self) -> MediaField {
        match self {
            Self::ReferenceVideo => MediaField::ReferenceVideo,
            Self::StartFrame => MediaField::StartFrame,
        }
    }
}

by_name!(MediaRole);
