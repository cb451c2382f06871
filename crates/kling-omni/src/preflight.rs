//! The inspection of the files of a request before anything is paid for.

pub(crate) mod fit;
pub(crate) mod fix;
pub(crate) mod inspect;
pub(crate) mod inspected_file;
pub(crate) mod remote;
pub(crate) mod rules;

/// What a file is: the types behind [`PreflightReport::files`].
pub use media_probe as probe;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use media_probe::MediaInfo;

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
/// An inspection costs nothing, and a file that the service cannot use costs a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaChecks {
    /// None.
    Off,
    /// Those on this machine.
    #[default]
    Local,
    /// Those behind URLs, too. A few ranges of each are asked for, never the whole file.
    All,
}

/// An inspection of the files of a request. Await it to start.
///
/// Nothing is created, uploaded or changed. What cannot be found out is a warning, never an error.
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
    /// An inspection without a client, and so without a key; [`Client::preflight`](crate::Client::preflight) knows besides which
    /// routes of the service still answer.
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

    pub(crate) fn of_client(
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

    /// Which files to inspect. Default: [`MediaChecks::All`].
    pub fn checks(mut self, checks: MediaChecks) -> Self {
        self.checks = checks;
        self
    }

    /// The route whose rules count. Default: the client's own, or [`Route::Auto`].
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Also inspects URLs that lead to this machine or its own network. They are refused otherwise, so that a URL from a
    /// stranger makes the client ask nobody whom the stranger could not ask; and the service could not read them anyway.
    ///
    /// The guard judges the target of a URL, not a proxy. Behind a proxy, whose resolver decides in the end, a name must
    /// resolve on this machine to public addresses alone.
    pub fn allow_private_networks(mut self, allow: bool) -> Self {
        self.allows_private = allow;
        self
    }

    async fn run(self) -> PreflightReport {
        let private = self.allows_private;
        let files = inspect_files(&self.remote, &self.request, self.checks, private, &[]).await;
        let plan = self
            .route
            .plan(self.request.mode(), self.request.tier(), &self.replaced);
        let findings = check_plan(&self.request, &files, &plan);
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
    /// Everything that is wrong or looks so, errors first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether a create would be stopped by it.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// The worst of the findings; none if there are none.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.first().map(Finding::severity)
    }

    pub(crate) fn into_files(self) -> Vec<InspectedFile> {
        self.files
    }

    /// Each file that was inspected: its field, where it is, and what it was found to be unless it could not be read.
    pub fn files(&self) -> impl Iterator<Item = (MediaField, &MediaSource, Option<&MediaInfo>)> {
        let files = self.files.iter();
        files.map(|file| (file.field, &file.source, file.probed()))
    }
}

/// Inspects the files of a request, all at once. What `known` has of them is not inspected again, as long as it holds.
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
        // Taken before the inspection, so that a change meanwhile makes the stamp one of the past.
        let stamp = FileStamp::of(&source).await;
        let mut known = known.iter();
        if let Some(known) = known.find(|known| known.still_holds(field, &source, stamp)) {
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

/// Checks what was found against the rules of the routes that a create would try.
pub(crate) fn check_plan(
    request: &Request,
    files: &[InspectedFile],
    plan: &[CreateRoute],
) -> Vec<Finding> {
    by_plan(plan, |route| check_route(request, files, route))
}

/// What the routes that a create would try come to: the first one decides, and what only a later one refuses is a
/// warning. Errors come first.
fn by_plan(plan: &[CreateRoute], check: impl Fn(CreateRoute) -> Vec<Finding>) -> Vec<Finding> {
    let Some((first, successors)) = plan.split_first() else {
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
        findings.extend(more.into_iter().map(Finding::of_successor));
    }
    findings.sort_by_key(Finding::severity);
    findings
}

/// Checks what was found against the rules of a route.
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
