//! Inspection and upload of the images and videos of a create.

use std::sync::Arc;

use crate::engine::error::Result;
use crate::engine::upload::{FileSource, UploadAll, Uploader};
use crate::preflight::{self, InspectedFile, MediaChecks, RemoteInspector};
use crate::request::Request;
use crate::route::CreateRoute;
use crate::validation::{Finding, ValidationError};

/// The images and videos of a create, and how to inspect and upload them.
pub(super) struct LocalMedia {
    pub(super) uploader: Arc<dyn Uploader>,
    pub(super) checks: MediaChecks,
    pub(super) allows_private: bool,
    pub(super) on_progress: Option<Box<dyn FnMut(u64, u64) + Send>>,
    /// Inspections of an earlier preflight, which [`inspect`](Self::inspect) replaces.
    pub(super) files: Vec<InspectedFile>,
}

impl LocalMedia {
    pub(super) fn new(uploader: Arc<dyn Uploader>) -> Self {
        Self {
            uploader,
            checks: MediaChecks::default(),
            allows_private: false,
            on_progress: None,
            files: Vec::new(),
        }
    }

    /// Inspects the files. Fails if the first route would reject one of them.
    pub(super) async fn inspect(
        &mut self,
        remote: &RemoteInspector,
        request: &Request,
        routes: &[CreateRoute],
    ) -> Result<()> {
        let private = self.allows_private;
        self.files =
            preflight::inspect_files(remote, request, self.checks, private, &self.files).await;
        let findings = preflight::check_routes(request, &self.files, routes);
        for warning in findings.iter().filter(|finding| !finding.is_error()) {
            tracing::warn!(code = %warning.code(), %warning, "media file has a warning");
        }
        fail_on_errors(findings)
    }

    /// Checks the inspected files against the rules of another route.
    pub(super) fn check(&self, request: &Request, route: CreateRoute) -> Result<()> {
        fail_on_errors(preflight::check_route(request, &self.files, route))
    }

    /// Uploads the local files, and replaces them in the request by their URLs.
    pub(super) async fn upload(&mut self, request: &mut Request) -> Result<()> {
        let mut local = request.media();
        local.retain(|(_, source)| source.is_local());
        if local.is_empty() {
            return Ok(());
        }
        let sources = local.iter().map(|(field, source)| {
            let file = self.files.iter().find(|file| file.field == *field);
            let format = file.and_then(|file| file.probed()?.format);
            FileSource::from_media(source, format)
        });
        let mut upload = UploadAll::new(Arc::clone(&self.uploader), sources.flatten().collect());
        if let Some(callback) = self.on_progress.take() {
            upload = upload.on_progress(callback);
        }
        let uploaded = upload
            .await
            .map_err(|error| error.with_context("nothing was created"))?;
        for ((field, _), uploaded) in local.into_iter().zip(uploaded) {
            request.set_media(field, uploaded.url);
        }
        Ok(())
    }
}

/// Fails if one of the findings is an error.
fn fail_on_errors(findings: Vec<Finding>) -> Result<()> {
    match findings.iter().any(Finding::is_error) {
        true => Err(ValidationError::new(findings).into()),
        false => Ok(()),
    }
}
