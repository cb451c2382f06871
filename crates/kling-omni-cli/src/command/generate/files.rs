//! Files on this machine: the look at them before anything is paid for, and how they get to the service.

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
    /// How files on this machine get to where the service can read them: by its own uploads (vendor), by a bucket of
    /// yours that speaks S3, whose settings are in the usual AWS_… variables (s3://BUCKET/PREFIX), or not at all (none)
    /// [default: vendor]
    #[arg(long, value_name = "WHERE")]
    upload: Option<UploadTo>,

    /// Send the request without a look at its images and videos
    #[arg(long)]
    no_preflight: bool,

    /// Look at those behind URLs, too; a few parts of each are fetched
    #[arg(long, conflicts_with = "no_preflight")]
    check_urls: bool,

    /// Look at URLs that lead to this machine or its own network, too
    #[arg(long, requires = "check_urls")]
    allow_private_networks: bool,
}

/// Where the service finds what is on this machine.
#[derive(Clone, Debug, Default)]
enum UploadTo {
    /// The service's own uploads.
    #[default]
    Vendor,
    /// A bucket of one's own.
    #[cfg(feature = "object-store")]
    Bucket(ObjectStoreUploader),
    /// Nowhere: a request may have URLs only.
    Nowhere,
}

impl FromStr for UploadTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "vendor" => Ok(Self::Vendor),
            "none" => Ok(Self::Nowhere),
            #[cfg(feature = "object-store")]
            url if url.starts_with("s3:") => ObjectStoreUploader::from_url(url)
                .map(Self::Bucket)
                .map_err(|error| match error.help() {
                    Some(advice) => format!("{}: {advice}", error.summary()),
                    None => error.summary().to_owned(),
                }),
            _ => Err("it is neither vendor nor none nor an s3:// URL".to_owned()),
        }
    }
}

impl FileArgs {
    /// Inspects the images and videos of a request, unless checks are off. Nothing is sent to the service, and no key is
    /// needed.
    pub(super) async fn preflight(
        &self,
        request: &Request,
        route: Option<Route>,
    ) -> Result<Option<PreflightReport>, Failure> {
        let Some(checked) = request.checked() else {
            return Ok(None);
        };
        for (field, source) in checked.media() {
            self.accept(field, &source)?;
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
            true => Err(Failure::refused(report.findings())),
            false => Ok(Some(report)),
        }
    }

    /// Refuses a file that cannot get to the service, whatever it is.
    fn accept(&self, field: MediaField, source: &MediaSource) -> Result<(), Failure> {
        let MediaSource::File(path) = source else {
            return Ok(());
        };
        let option = request::option(&field.to_string());
        if !path.exists() {
            return Err(
                Failure::file(format!("{option}: there is no file {source}"))
                    .with_help(media::URLS),
            );
        }
        match &self.upload {
            Some(UploadTo::Nowhere) => Err(Failure::usage(format!(
                "{option}: {source} is on this machine, where the service cannot read it without an upload"
            ))
            .with_help("leave --upload none out, or give a URL")),
            _ => Ok(()),
        }
    }

    /// Has a create upload what is on this machine, which was inspected before.
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
