use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::error::Result;
use crate::engine::upload::{FileSource, UploadAll, Uploader};
use crate::preflight::{self, Looked, MediaChecks, Remote};
use crate::request::Request;
use crate::route::CreateRoute;
use crate::validation::{Finding, ValidationError};

/// What a create does with images and videos before the request can be sent.
pub(super) struct LocalMedia {
    pub(super) uploader: Arc<dyn Uploader>,
    pub(super) checks: MediaChecks,
    pub(super) allows_private: bool,
    pub(super) on_progress: Option<Box<dyn FnMut(u64, u64) + Send>>,
    /// From an earlier look, until this one; then all that was looked at.
    pub(super) looked: Vec<Looked>,
}

impl LocalMedia {
    pub(super) fn new(uploader: Arc<dyn Uploader>) -> Self {
        Self {
            uploader,
            checks: MediaChecks::default(),
            allows_private: false,
            on_progress: None,
            looked: Vec::new(),
        }
    }

    /// Looks at what is to be checked, and ends the create where the first route of the plan would refuse it.
    pub(super) async fn look(
        &mut self,
        remote: &Remote,
        request: &Request,
        plan: &[CreateRoute],
    ) -> Result<()> {
        self.looked = preflight::look(
            remote,
            request,
            self.checks,
            self.allows_private,
            &self.looked,
        )
        .await;
        let findings = preflight::of_plan(request, &self.looked, plan);
        for warning in findings.iter().filter(|finding| !finding.is_error()) {
            tracing::warn!(code = %warning.code(), "{warning}");
        }
        refused(findings)
    }

    /// Holds what was seen against the rules of another route.
    pub(super) fn check(&self, request: &Request, route: CreateRoute) -> Result<()> {
        refused(preflight::of_route(request, &self.looked, route))
    }

    /// Uploads what is on this machine, and puts the URLs of the uploads in its place.
    pub(super) async fn upload(&mut self, request: &mut Request) -> Result<()> {
        let mut local = request.media();
        local.retain(|(_, source)| source.is_local());
        if local.is_empty() {
            return Ok(());
        }
        let sources = local.iter().map(|(at, source)| {
            let looked = self.looked.iter().find(|looked| looked.at == *at);
            let format = looked.and_then(|looked| looked.probed()?.format);
            FileSource::of(source, format)
        });
        let mut upload = UploadAll::new(Arc::clone(&self.uploader), sources.flatten().collect());
        if let Some(callback) = self.on_progress.take() {
            upload = upload.on_progress(callback);
        }
        let uploaded = upload
            .await
            .map_err(|error| error.after("nothing was created"))?;
        let urls: BTreeMap<_, _> = local
            .into_iter()
            .zip(uploaded)
            .map(|((at, _), uploaded)| (at, uploaded.url))
            .collect();
        request.set_urls(&urls);
        Ok(())
    }
}

/// The error of findings that stop a create, if one of them does.
fn refused(findings: Vec<Finding>) -> Result<()> {
    match findings.iter().any(Finding::is_error) {
        true => Err(ValidationError::new(findings).into()),
        false => Ok(()),
    }
}
