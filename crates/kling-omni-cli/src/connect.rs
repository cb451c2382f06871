//! The client that a command works with, for the service or for a sandbox in this process.

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
use crate::next::{Next, Options};
use crate::output::OutputArgs;
use crate::{duration, environment, input, report};

/// How long a task takes in the sandbox that `--sandbox` starts.
const SANDBOX_TASK_TIME: Duration = Duration::from_secs(3);

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// Which of the service's hosts to use, keyed by FREEPIK_API_KEY or MAGNIFIC_API_KEY [default: the one whose key is
    /// set, freepik first]
    #[arg(long, global = true, value_name = "HOST", value_parser = one_of(Host::ALL, Host::as_str))]
    pub(crate) host: Option<Host>,

    /// Another server that speaks the same API; it gets the key [env: KLING_OMNI_BASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) base_url: Option<String>,

    /// How often to try again what is safe to try again, when the service cannot be reached or fails
    #[arg(long, global = true, value_name = "N")]
    pub(crate) retries: Option<u32>,

    /// Learn from one run to the next how long tasks take, in this file, and ask for the status accordingly; with
    /// --sandbox, nothing is learnt [env: KLING_OMNI_TASK_TIMES]
    #[arg(long, global = true, value_name = "FILE", value_parser = input::file())]
    pub(crate) task_durations: Option<PathBuf>,

    /// Play the service in this process: no key, no network, no charge
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,
}

/// A client, and how to get the same one again.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// Keeps the sandbox alive for as long as its client.
    sandbox: Option<Sandbox>,
    /// The options that lead back to the same server.
    options: Options,
    /// The journal that the task is kept in.
    pub(crate) journal: Option<PathBuf>,
    times: Option<TimesFile>,
}

impl ConnectArgs {
    /// Refuses a video where the task times are kept.
    pub(crate) fn refuse_shared(&self, output: &OutputArgs) -> Result<(), Failure> {
        match &self.task_durations {
            Some(file) => output.refuse_shared("--task-times", file),
            None => Ok(()),
        }
    }

    /// Connects to the service, or to a sandbox of its own. Nothing is sent yet.
    pub(crate) async fn open(&self, faults: SeededFaultArgs) -> Result<Connection, Failure> {
        if !self.sandbox {
            if !faults.is_empty() {
                return Err(Failure::usage(
                    "--fault is for the sandbox, so it needs --sandbox",
                ));
            }
            return self.open_service().map_err(|failure| match failure.exit() {
                Exit::Access => failure.adding_help("or see with --sandbox how it works"),
                _ => failure,
            });
        }
        if self.host.is_some() || self.base_url.is_some() {
            return Err(Failure::usage(
                "--sandbox takes the place of the service, so it cannot go with --host or --base-url",
            ));
        }
        Connection::to_sandbox(faults).await
    }

    /// Connects to the service for a command about tasks that exist already.
    pub(crate) fn open_existing(&self) -> Result<Connection, Failure> {
        if self.sandbox {
            return Err(
                Failure::usage("--sandbox starts a fresh sandbox, which has no tasks yet")
                    .with_help(start_a_sandbox()),
            );
        }
        self.open_service()
    }

    fn open_service(&self) -> Result<Connection, Failure> {
        let mut builder = self.with_key()?.user_agent(user_agent());
        let mut options = Options::new();
        if let Some(host) = self.host {
            builder = builder.host(host);
            options.push(("--host", host.as_str().into()));
        }
        if let Some(retries) = self.retries {
            builder = builder.max_retries(retries);
        }
        if let Some(url) = &self.base_url {
            builder = builder.base_url(url);
            options.push(("--base-url", url.into()));
        }
        // In front of a name that is no path yet, so that `-` is a file here, too.
        let named =
            environment::variable("KLING_OMNI_TASK_TIMES").map(|name| Path::new(".").join(name));
        let times = self.task_durations.clone().or(named).map(TimesFile::new);
        if let Some(times) = &times {
            builder = builder.task_durations(times.load()?);
        }
        Ok(Connection {
            client: builder.build()?,
            sandbox: None,
            options,
            journal: None,
            times,
        })
    }

    /// Takes the key from the environment: that of the chosen host if it is set, else whichever is.
    fn with_key(&self) -> Result<ClientBuilder, Failure> {
        let own = match self.host {
            Some(host) => ClientBuilder::from_env_for(host).transpose(),
            None => None,
        };
        let builder = own.unwrap_or_else(ClientBuilder::from_env);
        builder.map_err(|error| Failure::from(error).with_exit(Exit::Access))
    }
}

impl Connection {
    async fn to_sandbox(faults: SeededFaultArgs) -> Result<Self, Failure> {
        let faulty = !faults.is_empty();
        let sandbox = faults
            .add_to(Sandbox::builder().task_time(SANDBOX_TASK_TIME))
            .start()
            .await
            .map_err(|error| Failure::unexpected("the sandbox did not start").with_cause(error))?;
        // A proxy of this machine does not know the loopback of this process, and there is no TLS to verify here.
        let http = accept_malformed_headers(reqwest::Client::builder())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(user_agent());
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let http = http.tls_certs_only([]);
        let http = http.build().map_err(|error| {
            Failure::unexpected("the HTTP client could not be set up").with_cause(error)
        })?;
        let client = Client::builder()
            .api_key(ApiKey::new(sandbox.api_key())?)
            .base_url(sandbox.base_url())
            .http_client(http.clone())
            .upload_client(http.clone())
            .download_client(http)
            .build()?;
        report::say("sandbox: this process plays the service; no network, no charge");
        if faulty {
            report::say(format_args!("sandbox: seed {}", sandbox.seed()));
        }
        Ok(Self {
            client,
            sandbox: Some(sandbox),
            options: Options::new(),
            journal: None,
            times: None,
        })
    }

    /// How long a task is likely to take.
    pub(crate) fn expected_duration(&self, task: &Task) -> Duration {
        match self.is_sandbox() {
            true => SANDBOX_TASK_TIME,
            false => task.expected_duration(),
        }
    }

    /// Keeps what the client has learnt, for the next run.
    pub(crate) fn keep_times(&self) {
        let Some(times) = &self.times else { return };
        if let Err(error) = times.store(&self.client.task_durations()) {
            report::warn(format_args!("the task times could not be written: {error}"));
        }
    }

    pub(crate) fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// The command that takes a task up again; `None` if the task ends with this process. A journal knows its task, and where
    /// the video goes.
    pub(crate) fn resume(&self, next: Next<'_>) -> Option<String> {
        match &self.journal {
            _ if self.is_sandbox() => None,
            Some(journal) => Some(self.command(Next::Resume { journal })),
            None => Some(self.command(next)),
        }
    }

    /// The journal as it was named on the command line; empty without one.
    pub(crate) fn journal(&self) -> &Path {
        self.journal.as_deref().unwrap_or(Path::new(""))
    }

    /// A command for the same server.
    pub(crate) fn command(&self, next: Next<'_>) -> String {
        next.command(&self.options)
    }

    /// An error of the library in the words of this program, and with the commands that help.
    pub(crate) fn explain(&self, error: Error, output: Option<&Path>) -> Failure {
        let help = self.help(&error, output);
        let failure = self.without_sandbox_charges(Failure::from(error));
        match help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }

    /// An error of a create. Whatever it is, a script must not take it for one after which it may simply try again, unless
    /// it is sure that there is no paid task.
    pub(crate) fn explain_create(&self, error: Error, output: Option<&Path>) -> Failure {
        let failure = self.explain(error, output);
        match failure.charged() {
            Some(Charged::Unknown) => failure.with_exit(Exit::Ambiguous),
            _ => failure,
        }
    }

    /// In a sandbox nothing is paid for, whatever a service would charge. What a service would leave unknown stays so,
    /// since that is what there is to see.
    pub(crate) fn without_sandbox_charges(&self, failure: Failure) -> Failure {
        if self.is_sandbox() && failure.charged() == Some(Charged::Yes) {
            failure.with_charged(Charged::No)
        } else {
            failure
        }
    }

    /// A request went out, and nobody knows what became of it.
    pub(crate) fn ambiguous(&self, failure: Failure) -> Failure {
        failure
            .with_charged(Charged::Unknown)
            .with_help(self.look_first())
    }

    /// What to do when there may be a paid task.
    fn look_first(&self) -> String {
        match &self.journal {
            Some(journal) => format!(
                "`{}` finds out, and goes on with the task or creates it",
                self.command(Next::Resume { journal })
            ),
            None if self.is_sandbox() => {
                "nothing is paid for in a sandbox, which has ended; of the service, find out before you create it again: \
                 with --state FILE, --resume does it for you"
                    .to_owned()
            }
            None => format!(
                "look for the task with `{}` before you create it again; with --state FILE, --resume would do it for you",
                self.command(Next::List)
            ),
        }
    }

    fn help(&self, error: &Error, output: Option<&Path>) -> Option<String> {
        let Some(id) = error.task_id() else {
            return (error.charged() == Charged::Unknown).then(|| self.look_first());
        };
        let wait = self.resume(Next::Wait { id, output });
        match error.kind() {
            ErrorKind::Timeout => Some(match wait {
                Some(wait) => format!("the task goes on; `{wait}` waits for it again, at no cost"),
                None => {
                    "the sandbox has ended, and the task with it; give it more --timeout".to_owned()
                }
            }),
            ErrorKind::Transport
            | ErrorKind::Server
            | ErrorKind::RateLimited
            | ErrorKind::CorruptResult => {
                let when = error
                    .retry_after()
                    .map(|pause| Duration::from_secs(duration::whole_seconds(pause)))
                    .map(|pause| format!("in {} ", duration::text(pause)));
                let when = when.unwrap_or_default();
                Some(format!(
                    "{when}`{}` takes the task up again, at no cost",
                    wait?
                ))
            }
            ErrorKind::PlanLimit | ErrorKind::InsufficientCredits => Some(format!(
                "{}, then `{}` takes the task up again, at no cost",
                error.help()?,
                wait?
            )),
            ErrorKind::File => {
                let output = Some(Path::new("OTHER"));
                let download = self.resume(Next::Download { id, output })?;
                Some(match self.journal {
                    None => format!(
                        "`{download}` saves the video elsewhere, at no cost; --force overwrites"
                    ),
                    Some(_) => format!(
                        "`{download}` takes the task up again, at no cost; -o OTHER saves the video elsewhere, and --force \
                         overwrites"
                    ),
                })
            }
            // What the library says is for programs that are written with it.
            ErrorKind::UnexpectedResponse => Some(format!(
                "the task exists: `{}` waits for it, at no cost",
                wait?
            )),
            _ => None,
        }
    }
}

/// What earlier runs have learnt of how long tasks take.
struct TimesFile(PathBuf);

impl TimesFile {
    fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads it; a file that is not there yet has learnt nothing.
    fn load(&self) -> Result<TaskDurations, Failure> {
        let name = input::name(&self.0);
        if let Ok(false) = self.0.try_exists() {
            return Ok(TaskDurations::default());
        }
        let text = input::read(&self.0, input::LARGEST_TEXT)?.text()?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::file(format!("{name} holds no task times"))
                .with_cause(error)
                .with_help("name another file, or delete this one to start over")
        })
    }

    /// Writes it, whole or not at all.
    fn store(&self, times: &TaskDurations) -> io::Result<()> {
        let folder = self
            .0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut draft = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut draft, times)?;
        draft.flush()?;
        // A name that reaches the disk before its content would leave an empty file after a power cut.
        draft.as_file().sync_all()?;
        draft.persist(&self.0)?;
        Ok(())
    }
}

/// How to get a sandbox that outlives its command.
pub(crate) fn start_a_sandbox() -> String {
    format!(
        "start one that stays with `{}`, and name it with --base-url",
        Next::Sandbox.command(&Options::new())
    )
}

fn user_agent() -> &'static str {
    concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))
}
