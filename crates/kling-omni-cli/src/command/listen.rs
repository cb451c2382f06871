//! `listen`: receives webhooks, and saves, forwards and replays their deliveries.

mod secrets;

mod connections;
mod replay;
mod server;

mod delivery_handler;
mod event;
mod forward;
mod saved;
mod until;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::{duration, input, report};
pub(super) use delivery_handler::DeliveryHandler;
use event::EventPrinter;
use forward::{ForwardArgs, Forwarder};
use saved::DeliveryFile;
pub(super) use secrets::{SecretArgs, VARIABLE as SECRET_VARIABLE};
pub(super) use server::Server;
use until::{UntilArgs, UntilCondition};

/// The maximum size of a body, in bytes. A delivery has less than 1 KiB.
const MAX_BODY_SIZE: usize = 64 * 1024;

#[derive(Args, Debug)]
#[command(after_help = DETAILS)]
pub(crate) struct ListenArgs {
    /// Port to listen on; 0 chooses a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// Address to listen on; any address but loopback accepts connections from other machines
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST.into())]
    address: IpAddr,

    #[command(flatten)]
    secrets: SecretArgs,

    #[command(flatten)]
    forward: ForwardArgs,

    /// Append each authentic delivery to this file, as a line of JSON for --replay; it contains the URLs of results
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    save: Option<PathBuf>,

    /// Instead of listening, replay the deliveries of a saved file with a new signature; - reads standard input
    #[arg(long, value_name = "FILE", value_parser = input::file_or_stdin(), conflicts_with_all = ["port", "address", "save", "end_condition"])]
    replay: Option<PathBuf>,

    #[command(flatten)]
    until: UntilArgs,

    /// Exit with 5 after this time, unless --exit-after or --until was satisfied before
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "end_condition")]
    timeout: Option<Duration>,

    /// Print one JSON object per delivery
    #[arg(long)]
    pub(crate) json: bool,
}

const DETAILS: &str = "\
The secret is read from KLING_OMNI_WEBHOOK_SECRET, or from the variables and files of --secret-env and --secret-file. A \
delivery is authentic if one of the secrets matches, which allows rotation. A secret that begins with whsec_ is base64, one \
that begins with hex: is hexadecimal, any other is text.

Response to the sender:
  200            Authentic delivery, also if it is a duplicate or out of order
  400, 401, 413  Rejected: not a delivery; signature or time invalid; body too large
  405, 408       Not a POST; body incomplete after the timeout
  503            Rejected: may be a replay, because older delivery ids were evicted
Response to the sender with --forward, for authentic deliveries:
  2xx, 4xx, 5xx  The status of the target's response
  502, 504       Target unreachable or any other response; no response before the timeout

A rejected delivery is neither saved nor forwarded. A forwarded delivery keeps its id and body and gets a new time and \
signature; duplicates are forwarded, too. Forwarding is retried only if no connection is established: any other failure is \
reported to the service, which may deliver again.";

/// The result of the command, when it stops without an interrupt.
pub(super) type ListenResult = Result<(), Failure>;

pub(super) async fn run(args: ListenArgs) -> Result<(), Failure> {
    // Before the first output, so a reader of it can interrupt the program.
    let mut interrupts = Interrupts::listen();
    let interrupted = interrupts.next();
    input::refuse_sharing(args.uses_of_stdin())?;
    let secrets = args.secrets.read()?;
    let printer = EventPrinter::new(args.json, args.replay.is_none());
    if let Some(path) = args.replay {
        let secret = secrets.first().clone();
        let forwarder = Forwarder::from_args(args.forward, &secret)?;
        let replay = replay::run(&path, secret, forwarder, printer);
        return tokio::select! {
            result = replay => result,
            () = interrupted => Err(Failure::interrupted("stopped the replay before it was complete")),
        };
    }
    let forwarder = Forwarder::from_args(args.forward, secrets.first())?;
    let file = args.save.as_deref().map(DeliveryFile::open).transpose()?;
    let server = Server::bind(args.address, args.port).await?;
    printer.print_listening(server.address())?;
    let (result_sender, mut results) = mpsc::channel(1);
    let condition = UntilCondition::new(args.until);
    let has_condition = condition.is_some();
    let handler =
        DeliveryHandler::new(secrets.into_verifier(), forwarder, file, printer, condition);
    let handler = Arc::new(handler);
    let until = async {
        tokio::select! {
            Some(result) = results.recv() => result,
            () = interrupted => match has_condition {
                true => Err(Failure::interrupted("stopped listening before --exit-after or --until was satisfied")),
                false => Ok(()),
            },
            () = wait_for_timeout(args.timeout) => Err(Failure::unfinished(format!(
                "--exit-after or --until was not satisfied within {}",
                duration::text(args.timeout.unwrap_or_default())
            ))),
        }
    };
    let result = server.run(Arc::clone(&handler), result_sender, until).await;
    report::say(format_args!("received {}", handler.summary()));
    result
}

impl ListenArgs {
    fn uses_of_stdin(&self) -> usize {
        let files = self.secrets.files().chain(self.forward.secret_file());
        files
            .chain(self.replay.as_deref())
            .filter(|path| input::is_stdin(path))
            .count()
    }
}

async fn wait_for_timeout(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
