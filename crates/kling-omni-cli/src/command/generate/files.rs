//! The local files of a request: the preflight before paying, and the upload.

use std::str::FromStr;

use clap::Args;
use kling_omni::Create;
use kling_omni::preflight::{MediaChecks, Preflight, PreflightReport};
use kling_omni::request::{MediaField, MediaSource, Route};
#[cfg(feature = "object-store")]
use kling_omni::upload::ObjectStoreUploader;

use crate::failure::Failure;
use crate::media;
use crate::progress::Progress;
use crate::request::{self, Request};

#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
pub(super) struct FileArgs {
    /// Where local files are uploaded: to the service (service), to your own S3 bucket (s3://BUCKET/PREFIX), configured
    /// by the usual AWS_… variables, or nowhere (none), which rejects files [default: service]
    #[arg(long, value_name = "TARGET")]
    upload: Option<UploadTo>,

    /// Do not inspect the images and videos of the request
    #[arg(long)]
    no_preflight: bool,

    /// Inspect URLs, too; only a few ranges of each file are fetched
    #[arg(long, conflicts_with = "no_preflight")]
    check_urls: bool,

    /// Inspect URLs in private networks and on this machine, too
    #[arg(long, alias = "allow-private", requires = "check_urls")]
    allow_private_networks: bool,
}

/// Where local files are uploaded.
#[derive(Clone, Debug, Default)]
enum UploadTo {
    /// To the service itself.
    #[default]
    Service,
    /// To a bucket of the user.
    #[cfg(feature = "object-store")]
    Bucket(ObjectStoreUploader),
    /// Nowhere: only URLs are accepted.
    None,
}

impl FromStr for UploadTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            // The name before 0.1.
            "service" | "vendor" => Ok(Self::Service),
            "none" => Ok(Self::None),
            #[cfg(feature = "object-store")]
            url if url.starts_with("s3:") => ObjectStoreUploader::from_url(url)
                .map(Self::Bucket)
                .map_err(|error| match error.help() {
                    Some(help) => format!("{}: {help}", error.summary()),
                    None => error.summary().to_owned(),
                }),
            _ => Err("expected service, none or an s3:// URL".to_owned()),
        }
    }
}

impl FileArgs {
    /// Inspects the images and videos of a request, unless `--no-preflight` is given. Sends nothing to the service, and
    /// needs no key.
    pub(super) async fn preflight(
        &self,
        request: &Request,
        route: Option<Route>,
    ) -> Result<Option<PreflightReport>, Failure> {
        let Some(checked) = request.checked() else {
            return Ok(None);
        };
        for (field, source) in checked.media() {
            self.check_upload(field, &source)?;
        }
        let checks = match (self.no_preflight, self.check_urls) {
            (true, _) => MediaChecks::Off,
            (false, true) => MediaChecks::All,
            (false, false) => MediaChecks::Local,
        };
        let preflight = Preflight::new(checked.clone())
            .checks(checks)
            .route(route.unwrap_or_default())
            .allow_private_networks(self.allow_private_networks);
        let report = preflight.await;
        match report.has_errors() || request.denies_warnings() && report.severity().is_some() {
            true => Err(Failure::from_findings(report.findings())),
            false => Ok(Some(report)),
        }
    }

    /// Fails if a file does not exist or cannot be uploaded.
    fn check_upload(&self, field: MediaField, source: &MediaSource) -> Result<(), Failure> {
        let MediaSource::File(path) = source else {
            return Ok(());
        };
        let option = request::option(&field.to_string());
        if !path.exists() {
            return Err(Failure::file(format!("{option}: file {source} not found"))
                .with_help(media::URL_HELP));
        }
        match &self.upload {
            Some(UploadTo::None) => Err(Failure::usage(format!(
                "{option}: local file {source} cannot be used with --upload none"
            ))
            .with_help("remove --upload none, or give a URL")),
            _ => Ok(()),
        }
    }

    /// Configures the checks and the upload of a create, and passes on the preflight report.
    pub(super) fn set_on(
        &self,
        create: Create,
        report: Option<PreflightReport>,
        progress: &Progress,
    ) -> Create {
        let checks = match self.no_preflight {
            true => MediaChecks::Off,
            false => MediaChecks::Local,
        };
        let create = create
            .media_checks(checks)
            .on_upload_progress(progress.upload());
        let create = match report {
            Some(report) => create.preflight_report(report),
            None => create,
        };
        match &self.upload {
            #[cfg(feature = "object-store")]
            Some(UploadTo::Bucket(bucket)) => create.uploader(bucket.clone()),
            _ => create,
        }
    }
}
