//! The options about images and videos: the checks before paying, and the upload of local files.

use std::str::FromStr;

use clap::Args;
use kling_omni::preflight::{MediaChecks, Preflight, PreflightReport};
use kling_omni::request::{MediaField, MediaSource, Route};
#[cfg(feature = "object-store")]
use kling_omni::upload::ObjectStoreUploader;
use kling_omni::{ClientBuilder, Create};

use crate::failure::Failure;
use crate::media;
use crate::next::CommandOption;
use crate::progress::Progress;
use crate::request::{self, Request};

#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
pub(super) struct UploadArgs {
    /// Where local files are uploaded: to the service (service), to your own S3 bucket (s3://BUCKET/PREFIX), configured
    /// by the usual AWS_… variables, or nowhere (none), which rejects files [default: service]
    #[arg(long, value_name = "TARGET")]
    upload: Option<UploadTo>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Files")]
pub(super) struct FileArgs {
    #[command(flatten)]
    upload: UploadArgs,

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
    /// To a bucket of the user, with its URL.
    #[cfg(feature = "object-store")]
    Bucket(ObjectStoreUploader, String),
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
                .map(|bucket| Self::Bucket(bucket, url.to_owned()))
                .map_err(|error| match error.help() {
                    Some(help) => format!("{}: {help}", error.summary()),
                    None => error.summary().to_owned(),
                }),
            _ => Err("expected service, none or an s3:// URL".to_owned()),
        }
    }
}

impl UploadArgs {
    /// Sets where a client uploads files.
    pub(super) fn set_on_client(&self, client: ClientBuilder) -> ClientBuilder {
        match &self.upload {
            #[cfg(feature = "object-store")]
            Some(UploadTo::Bucket(bucket, _)) => client.uploader(bucket.clone()),
            _ => client,
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
        let preflight = Preflight::new(checked.clone())
            .checks(self.checks())
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
        self.refuse_file(&option, source)
    }

    /// Whether files are uploaded nowhere.
    pub(super) fn refuses_files(&self) -> bool {
        matches!(self.upload.upload, Some(UploadTo::None))
    }

    /// Fails for a local file if files are uploaded nowhere.
    pub(super) fn refuse_file(&self, place: &str, source: &MediaSource) -> Result<(), Failure> {
        if !self.refuses_files() || !matches!(source, MediaSource::File(_)) {
            return Ok(());
        }
        let message = format!("{place}: local file {source} cannot be used with --upload none");
        Err(Failure::usage(message).with_help("remove --upload none, or give a URL"))
    }

    /// Which images and videos are inspected.
    pub(super) fn checks(&self) -> MediaChecks {
        match (self.no_preflight, self.check_urls) {
            (true, _) => MediaChecks::Off,
            (false, true) => MediaChecks::All,
            (false, false) => MediaChecks::Local,
        }
    }

    pub(super) fn allows_private_networks(&self) -> bool {
        self.allow_private_networks
    }

    /// Sets where a client uploads files.
    pub(super) fn set_on_client(&self, client: ClientBuilder) -> ClientBuilder {
        self.upload.set_on_client(client)
    }

    /// Returns the flags and the options with the same meaning.
    pub(super) fn command_options(&self) -> (Vec<&'static str>, Vec<CommandOption>) {
        let flags = [
            ("--no-preflight", self.no_preflight),
            ("--check-urls", self.check_urls),
            ("--allow-private-networks", self.allow_private_networks),
        ];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
        let upload = match &self.upload.upload {
            None | Some(UploadTo::Service) => None,
            #[cfg(feature = "object-store")]
            Some(UploadTo::Bucket(_, url)) => Some(url.as_str()),
            Some(UploadTo::None) => Some("none"),
        };
        let upload = upload.map(|target| ("--upload", target.into()));
        (
            flags.map(|(flag, _)| flag).collect(),
            upload.into_iter().collect(),
        )
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
        match &self.upload.upload {
            #[cfg(feature = "object-store")]
            Some(UploadTo::Bucket(bucket, _)) => create.uploader(bucket.clone()),
            _ => create,
        }
    }
}
