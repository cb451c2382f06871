//! The connection options, and the client: for the service, or for a sandbox in this process.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use kling_omni::polling::TaskDurations;
use kling_omni::{
    ApiKey, Charged, Client, ClientBuilder, Error, ErrorKind, Host, Task, accept_malformed_headers,
};
use kling_omni_sandbox::Sandbox;
use tempfile::NamedTempFile;

use crate::choice::one_of;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::faults::SeededFaultArgs;
use crate::next::{ConnectionOptions, NextCommand};
use crate::output::OutputArgs;
use crate::{duration, environment, input, report};

/// The duration of a task with `--sandbox`.
const SANDBOX_TASK_TIME: Duration = Duration::from_secs(3);

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// The host of the service; its key is FREEPIK_API_KEY or MAGNIFIC_API_KEY [default: the host whose key is set,
    /// freepik first]
    #[arg(long, global = true, value_name = "HOST", value_parser = one_of(Host::ALL, Host::as_str))]
    pub(crate) host: Option<Host>,

    /// Another server with the same API; it receives the key [env: KLING_OMNI_BASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) base_url: Option<String>,

    /// Maximum number of retries of a request; only requests that are safe to retry are retried
    #[arg(long, alias = "retries", global = true, value_name = "N")]
    pub(crate) max_retries: Option<u32>,

    /// Keep the task durations that the polling schedule is based on in this file; not used with --sandbox [env:
    /// KLING_OMNI_TASK_DURATIONS]
    #[arg(long, alias = "task-times", global = true, value_name = "FILE", value_parser = input::file())]
    pub(crate) task_durations: Option<PathBuf>,

    /// Simulate the service in this process: no key, no network, no charge
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,
}

/// A client, and the options that select its server.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// The sandbox of `--sandbox`, which stops on drop.
    sandbox: Option<Sandbox>,
    /// The options that select the same server in another run.
    options: ConnectionOptions,
    /// The journal of the task.
    pub(crate) journal: Option<PathBuf>,
    durations: Option<DurationsFile>,
}

impl ConnectArgs {
    /// Fails if the video would replace the file with the task durations.
    pub(crate) fn refuse_shared(&self, output: &OutputArgs) -> Result<(), Failure> {
        match &self.task_durations {
            Some(file) => output.refuse_shared("--task-durations", file),
            None => Ok(()),
        }
    }

    /// Builds a client for the service, or starts a sandbox. Sends nothing to the service.
    pub(crate) async fn open(&self, faults: SeededFaultArgs) -> Result<Connection, Failure> {
        self.open_with(faults, |client| client).await
    }

    /// Like [`open`](Self::open), with more settings of the client.
    pub(crate) async fn open_with(
        &self,
        faults: SeededFaultArgs,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Connection, Failure> {
        if !self.sandbox {
            if !faults.is_empty() {
                return Err(Failure::usage("--fault needs --sandbox"));
            }
            let opened = self.open_service(settings);
            return opened.map_err(|failure| match failure.exit() {
                Exit::Access => failure.adding_help("or try it with --sandbox"),
                _ => failure,
            });
        }
        if self.host.is_some() || self.base_url.is_some() {
            return Err(Failure::usage(
                "--sandbox cannot be used with --host or --base-url",
            ));
        }
        Connection::to_sandbox(faults, settings).await
    }

    /// Builds a client for the service, for commands about existing tasks.
    pub(crate) fn open_existing(&self) -> Result<Connection, Failure> {
        self.open_existing_with(|client| client)
    }

    /// Like [`open_existing`](Self::open_existing), with more settings of the client.
    pub(crate) fn open_existing_with(
        &self,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Connection, Failure> {
        if self.sandbox {
            return Err(Failure::usage(
                "--sandbox cannot be used here: a new sandbox has no tasks",
            )
            .with_help(sandbox_help()));
        }
        self.open_service(settings)
    }

    /// Builds a client for the service.
    pub(crate) fn open_service(
        &self,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Connection, Failure> {
        let mut builder = settings(self.with_key()?.user_agent(user_agent()));
        let mut options = ConnectionOptions::new();
        if let Some(host) = self.host {
            builder = builder.host(host);
            options.push(("--host", host.as_str().into()));
        }
        if let Some(max_retries) = self.max_retries {
            builder = builder.max_retries(max_retries);
        }
        if let Some(url) = &self.base_url {
            builder = builder.base_url(url);
            options.push(("--base-url", url.into()));
        }
        // The prefix makes `-` a file name here, not standard input.
        let from_env = environment::variable("KLING_OMNI_TASK_DURATIONS")
            .map(|name| Path::new(".").join(name));
        let durations = self.task_durations.clone().or(from_env).map(DurationsFile);
        if let Some(durations) = &durations {
            builder = builder.task_durations(durations.load()?);
        }
        Ok(Connection {
            client: builder.build()?,
            sandbox: None,
            options,
            journal: None,
            durations,
        })
    }

    /// Reads the key from the environment: the one of `--host` if it is set, else any.
    fn with_key(&self) -> Result<ClientBuilder, Failure> {
        let of_host = match self.host {
            Some(host) => ClientBuilder::from_env_for(host).transpose(),
            None => None,
        };
        let builder = of_host.unwrap_or_else(ClientBuilder::from_env);
        builder.map_err(|error| Failure::from(error).with_exit(Exit::Access))
    }
}

impl Connection {
    async fn to_sandbox(
        faults: SeededFaultArgs,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, Failure> {
        let has_faults = !faults.is_empty();
        let sandbox = faults
            .add_to(Sandbox::builder().task_time(SANDBOX_TASK_TIME))
            .start()
            .await
            .map_err(|error| Failure::unexpected("cannot start the sandbox").with_cause(error))?;
        // Loopback needs no proxy and no TLS certificates.
        let http = accept_malformed_headers(reqwest::Client::builder())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(user_agent());
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let http = http.tls_certs_only([]);
        let http = http.build().map_err(|error| {
            Failure::unexpected("cannot build the HTTP client").with_cause(error)
        })?;
        let client = settings(Client::builder())
            .api_key(ApiKey::new(sandbox.api_key())?)
            .base_url(sandbox.base_url())
            .http_client(http.clone())
            .upload_client(http.clone())
            .download_client(http)
            .build()?;
        report::say("sandbox: simulating the service in this process (no network, no charge)");
        if has_faults {
            report::say(format_args!("sandbox: seed {}", sandbox.seed()));
        }
        Ok(Self {
            client,
            sandbox: Some(sandbox),
            options: ConnectionOptions::new(),
            journal: None,
            durations: None,
        })
    }

    /// Returns how long a task is likely to take.
    pub(crate) fn expected_duration(&self, task: &Task) -> Duration {
        match self.is_sandbox() {
            true => SANDBOX_TASK_TIME,
            false => task.expected_duration(),
        }
    }

    /// Saves the task durations for the next run.
    pub(crate) fn save_durations(&self) {
        let Some(durations) = &self.durations else {
            return;
        };
        if let Err(error) = durations.store(&self.client.task_durations()) {
            report::warn(format_args!("cannot write the task durations: {error}"));
        }
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// Returns the webhook secret of the sandbox of this process.
    pub(crate) fn sandbox_webhook_secret(&self) -> Option<&str> {
        self.sandbox.as_ref().map(Sandbox::webhook_secret)
    }

    /// Returns the command that continues with a task, which resumes the journal if there is one. Returns `None` if the
    /// task exists in this process only.
    pub(crate) fn resume(&self, next: NextCommand<'_>) -> Option<String> {
        match &self.journal {
            _ if self.is_sandbox() => None,
            Some(journal) => Some(self.command(NextCommand::Resume { journal })),
            None => Some(self.command(next)),
        }
    }

    /// Returns the path of the journal, which is empty without one.
    pub(crate) fn journal(&self) -> &Path {
        self.journal.as_deref().unwrap_or(Path::new(""))
    }

    /// Returns a command for the same server.
    pub(crate) fn command(&self, next: NextCommand<'_>) -> String {
        next.to_shell(&self.options)
    }

    /// Converts an error of the library. The help names commands of this program.
    pub(crate) fn explain(&self, error: Error, output: Option<&Path>) -> Failure {
        let help = self.help(&error, output);
        let failure = self.without_sandbox_charges(Failure::from(error));
        match help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }

    /// Converts an error of a create. If a paid task may exist, the exit code is [`Exit::Ambiguous`], so a script does not
    /// retry.
    pub(crate) fn explain_create(&self, error: Error, output: Option<&Path>) -> Failure {
        let failure = self.explain(error, output);
        match failure.charged() {
            Some(Charged::Unknown) => failure.with_exit(Exit::Ambiguous),
            _ => failure,
        }
    }

    /// Reports a charge of the sandbox as none. An unknown charge stays unknown, as it would be with the service.
    pub(crate) fn without_sandbox_charges(&self, failure: Failure) -> Failure {
        if self.is_sandbox() && failure.charged() == Some(Charged::Yes) {
            failure.with_charged(Charged::No)
        } else {
            failure
        }
    }

    /// Marks the outcome of a create as unknown.
    pub(crate) fn ambiguous(&self, failure: Failure) -> Failure {
        failure
            .with_charged(Charged::Unknown)
            .with_help(self.ambiguous_help())
    }

    /// Returns the help for a create with an unknown outcome.
    fn ambiguous_help(&self) -> String {
        match &self.journal {
            Some(journal) => format!(
                "run `{}` to find the task, or to create it if it does not exist",
                self.command(NextCommand::Resume { journal })
            ),
            None if self.is_sandbox() => {
                "with the service, check whether the task exists before you create it again, or use --journal FILE and \
                 then --resume FILE"
                    .to_owned()
            }
            None => format!(
                "check with `{}` whether the task exists before you create it again (use --journal FILE and then \
                 --resume FILE to automate this)",
                self.command(NextCommand::List)
            ),
        }
    }

    fn help(&self, error: &Error, output: Option<&Path>) -> Option<String> {
        let Some(id) = error.task_id() else {
            return (error.charged() == Charged::Unknown).then(|| self.ambiguous_help());
        };
        let wait = self.resume(NextCommand::Wait { id, output });
        match error.kind() {
            ErrorKind::Timeout => Some(match wait {
                Some(wait) => format!("run `{wait}` to continue waiting for the task, at no cost"),
                None => "use a longer --timeout".to_owned(),
            }),
            ErrorKind::Transport
            | ErrorKind::Server
            | ErrorKind::RateLimited
            | ErrorKind::CorruptResult => {
                let when = error
                    .retry_after()
                    .map(|delay| Duration::from_secs(duration::whole_seconds(delay)))
                    .map(|delay| format!("in {} ", duration::text(delay)));
                let when = when.unwrap_or_default();
                Some(format!("{when}run `{}` to resume, at no cost", wait?))
            }
            ErrorKind::PlanLimit | ErrorKind::InsufficientCredits => Some(format!(
                "{}, then run `{}` to resume, at no cost",
                error.help()?,
                wait?
            )),
            ErrorKind::File => {
                let output = Some(Path::new("OTHER"));
                let download = self.resume(NextCommand::Download { id, output })?;
                Some(match self.journal {
                    None => format!(
                        "run `{download}` to save the video to another path, at no cost, or add --force to overwrite"
                    ),
                    Some(_) => format!(
                        "run `{download}` to resume, at no cost, with -o OTHER to save the video to another path or with \
                         --force to overwrite"
                    ),
                })
            }
            // The library's help is for programs.
            ErrorKind::UnexpectedResponse => {
                Some(format!("run `{}` to wait for the task, at no cost", wait?))
            }
            _ => None,
        }
    }
}

/// The file with the task durations of earlier runs.
struct DurationsFile(PathBuf);

impl DurationsFile {
    /// Reads the durations, which are empty if the file does not exist.
    fn load(&self) -> Result<TaskDurations, Failure> {
        let name = input::name(&self.0);
        if let Ok(false) = self.0.try_exists() {
            return Ok(TaskDurations::default());
        }
        let text = input::read(&self.0, input::MAX_TEXT_SIZE)?.text()?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::file(format!("{name} does not contain task durations"))
                .with_cause(error)
                .with_help("use another file, or delete this one")
        })
    }

    /// Replaces the file atomically.
    fn store(&self, durations: &TaskDurations) -> io::Result<()> {
        let folder = self
            .0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut file, durations)?;
        file.flush()?;
        // Without a sync, a power failure may leave an empty file under the new name.
        file.as_file().sync_all()?;
        file.persist(&self.0)?;
        Ok(())
    }
}

/// Returns the help for starting a sandbox that outlives a command.
pub(crate) fn sandbox_help() -> String {
    format!(
        "run `{}` in another terminal and use its URL with --base-url",
        NextCommand::Sandbox.to_shell(&ConnectionOptions::new())
    )
}

pub(crate) fn user_agent() -> &'static str {
    concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))
}
