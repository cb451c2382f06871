//! Preflight: inspects the files of a request before it is paid for.

pub(crate) mod fit;
pub(crate) mod fix;
pub(crate) mod inspect;
pub(crate) mod inspected_file;
pub(crate) mod remote;
pub(crate) mod rules;

/// The types of a probed file; see [`PreflightReport::files`].
pub use media_probe as probe;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use media_probe::MediaInfo;
use serde::{Deserialize, Serialize};

pub use crate::preflight::inspect::{Inspect, Inspection, MediaRole, inspect};
pub(crate) use crate::preflight::inspected_file::InspectedFile;
use crate::preflight::inspected_file::{FileStamp, inspect_file};
pub(crate) use crate::preflight::remote::RemoteInspector;

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::request::{IntoRequest, Request};
use crate::route::{CreateRoute, Route};
use crate::validation::{Finding, Severity};

/// Which files of a request are inspected before a task is created.
///
/// An inspection is free; a file that the service cannot use wastes a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaChecks {
    /// No files.
    Off,
    /// Local files and bytes.
    #[default]
    Local,
    /// Files behind URLs, too. Only a few byte ranges of each are requested, never the entire file.
    All,
}

/// An inspection of the files of a request. Await it to start.
///
/// It creates, uploads and changes nothing. Properties that cannot be determined are reported as warnings, never as
/// errors.
#[must_use = "nothing is inspected until it is awaited"]
pub struct Preflight {
    remote: Arc<RemoteInspector>,
    replaced: Vec<CreateRoute>,
    request: Request,
    route: Route,
    checks: MediaChecks,
    allows_private: bool,
}

impl Preflight {
    /// Creates an inspection without a client and a key. [`Client::preflight`](crate::Client::preflight) additionally
    /// uses what the client knows about routes that no longer exist.
    ///
    /// ```
    /// use std::path::Path;
    /// use kling_omni::preflight::Preflight;
    /// use kling_omni::validation::FindingCode;
    /// use kling_omni::VideoReference;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), kling_omni::validation::ValidationError> {
    /// let request = VideoReference::builder()
    ///     .prompt("The dancer of @Video1 as a paper puppet")
    ///     .reference_video(Path::new("nowhere.mov"))
    ///     .build()?;
    /// let report = Preflight::new(request).await;
    /// assert_eq!(report.findings()[0].code(), FindingCode::FileUnreadable);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(request: impl IntoRequest) -> Self {
        Self {
            remote: Arc::default(),
            replaced: Vec::new(),
            request: request.into_request(),
            route: Route::default(),
            checks: MediaChecks::All,
            allows_private: false,
        }
    }

    pub(crate) fn for_client(
        remote: Arc<RemoteInspector>,
        route: Route,
        replaced: Vec<CreateRoute>,
        request: Request,
    ) -> Self {
        Self {
            remote,
            route,
            replaced,
            ..Self::new(request)
        }
    }

    /// Sets which files to inspect. Default: [`MediaChecks::All`].
    pub fn checks(mut self, checks: MediaChecks) -> Self {
        self.checks = checks;
        self
    }

    /// Sets the route whose rules apply. Default: the route of the client, or [`Route::Auto`].
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Allows URLs that lead to this machine or a private network. Default: false. This SSRF guard prevents an
    /// untrusted URL from making the client request an internal address. The service could not read such a URL anyway.
    ///
    /// The guard checks the target of a URL, not a proxy. Behind a proxy, which resolves names itself, the name must
    /// also resolve to public addresses only on this machine.
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.allows_private = allow;
        self
    }

    async fn run(self) -> PreflightReport {
        let private = self.allows_private;
        let files = inspect_files(&self.remote, &self.request, self.checks, private, &[]).await;
        let routes =
            self.route
                .routes_to_try(self.request.mode(), self.request.tier(), &self.replaced);
        let findings = check_routes(&self.request, &files, &routes);
        PreflightReport { findings, files }
    }
}

impl IntoFuture for Preflight {
    type Output = PreflightReport;
    type IntoFuture = Pin<Box<dyn Future<Output = PreflightReport> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preflight")
            .field("request", &self.request)
            .field("route", &self.route)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

/// The result of an inspection of the files of a request.
#[derive(Clone, Debug)]
pub struct PreflightReport {
    findings: Vec<Finding>,
    files: Vec<InspectedFile>,
}

impl PreflightReport {
    /// All findings, errors first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a create would fail because of a finding.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// The highest severity of the findings, if there are any.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.first().map(Finding::severity)
    }

    pub(crate) fn into_files(self) -> Vec<InspectedFile> {
        self.files
    }

    /// Each inspected file: its field, its source, and its properties unless it could not be read.
    pub fn files(&self) -> impl Iterator<Item = (MediaField, &MediaSource, Option<&MediaInfo>)> {
        let files = self.files.iter();
        files.map(|file| (file.field, &file.source, file.probed()))
    }
}

/// Inspects the files of a request concurrently. Reuses the results in `known` that are current.
pub(crate) async fn inspect_files(
    remote: &RemoteInspector,
    request: &Request,
    checks: MediaChecks,
    allows_private: bool,
    known: &[InspectedFile],
) -> Vec<InspectedFile> {
    let media = request.media().into_iter();
    let chosen = media.filter(|(_, source)| match checks {
        MediaChecks::Off => false,
        MediaChecks::Local => source.is_local(),
        MediaChecks::All => true,
    });
    let inspections = chosen.map(|(field, source)| async move {
        // Read before the inspection, so a change during it makes the stamp outdated.
        let stamp = FileStamp::read(&source).await;
        let mut known = known.iter();
        if let Some(known) = known.find(|known| known.is_current(field, &source, stamp)) {
            return known.clone();
        }
        let result = inspect_file(remote, &source, allows_private).await;
        InspectedFile {
            field,
            source,
            result,
            stamp,
        }
    });
    join_all(inspections).await
}

/// Checks the inspected files against the rules of the routes that a create would try.
pub(crate) fn check_routes(
    request: &Request,
    files: &[InspectedFile],
    routes: &[CreateRoute],
) -> Vec<Finding> {
    check_each_route(routes, |route| check_route(request, files, route))
}

/// Combines the findings of the routes that a create would try. Findings of the first route stay as they are; errors of
/// only a later route become warnings. Errors come first.
fn check_each_route(
    routes: &[CreateRoute],
    check: impl Fn(CreateRoute) -> Vec<Finding>,
) -> Vec<Finding> {
    let Some((first, successors)) = routes.split_first() else {
        return Vec::new();
    };
    let mut findings = check(*first);
    for successor in successors {
        let mut more = check(*successor);
        more.retain(|finding| {
            let is_known = |known: &Finding| {
                known.field() == finding.field() && known.code() == finding.code()
            };
            finding.is_error() && !findings.iter().any(is_known)
        });
        findings.extend(more.into_iter().map(Finding::into_successor_warning));
    }
    findings.sort_by_key(Finding::severity);
    findings
}

/// Checks the inspected files against the rules of one route.
pub(crate) fn check_route(
    request: &Request,
    files: &[InspectedFile],
    route: CreateRoute,
) -> Vec<Finding> {
    let rules = route.limits();
    let each = files.iter().flat_map(|file| rules::check_file(file, rules));
    each.chain(fit::check_together(request, files, rules))
        .collect()
}
