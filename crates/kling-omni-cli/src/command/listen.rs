//! `listen`: receives webhooks, and saves, forwards and replays them.

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
use delivery_handler::DeliveryHandler;
use event::Printer;
use forward::{Forward, ForwardArgs};
use saved::Save;
use secrets::SecretArgs;
use server::Server;
use until::{UntilArgs, UntilCondition};

/// The largest body that is read, in bytes. A delivery has less than a KiB.
const LARGEST_BODY: usize = 64 * 1024;

#[derive(Args, Debug)]
#[command(after_help = EXPLANATION)]
pub(crate) struct ListenArgs {
    /// Port to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,

    /// Address to listen on; anything but loopback lets other machines in
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST.into())]
    address: IpAddr,

    #[command(flatten)]
    secrets: SecretArgs,

    #[command(flatten)]
    forward: ForwardArgs,

    /// Append each authentic delivery to this file, as a line of JSON that --replay reads; it holds the URLs of results
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    save: Option<PathBuf>,

    /// Instead of listening, take the deliveries of a saved file in again, signed anew; - reads standard input
    #[arg(long, value_name = "FILE", value_parser = input::file_or_stdin(), conflicts_with_all = ["port", "address", "save", "end_condition"])]
    replay: Option<PathBuf>,

    #[command(flatten)]
    until: UntilArgs,

    /// End with 5 when what --exit-after or --until waits for has not come by then
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "end_condition")]
    timeout: Option<Duration>,

    /// Print one JSON object for each delivery
    #[arg(long)]
    pub(crate) json: bool,
}

const EXPLANATION: &str = "\
The secrets come from KLING_OMNI_WEBHOOK_SECRET, unless --secret-env or --secret-file names other places. One that fits \
is enough, so that they can be exchanged. What begins with whsec_ is base64, what begins with hex: is hexadecimal, anything else is text.

The answer to the sender:
  200            An authentic delivery, also one that is late or came before
  400, 401, 413  Refused: no delivery, not authentic or not fresh, too large
  405, 408       Not a POST; not whole in time
  503            Refused: it might be a replay, since more came than can be remembered
With --forward, an authentic delivery is answered as the other program answers it:
  2xx, 4xx, 5xx  Its own status
  502, 504       It could not be reached, or answered anything else; it did not answer in time

What is refused is neither saved nor forwarded. What is forwarded keeps its id and, byte for byte, its body, and gets a \
new time and signature; so do repetitions. Nothing but a connection that does not come about is tried again: the \
service hears of an error, and whether it repeats the delivery is up to it.";

/// Why it ends on its own.
type End = Result<(), Failure>;

pub(super) async fn run(args: ListenArgs) -> Result<(), Failure> {
    // Before the first word, so that whoever has read it may end the program.
    let mut interrupts = Interrupts::listen();
    let interrupted = interrupts.next();
    input::refuse_sharing(args.uses_of_stdin())?;
    let secrets = args.secrets.read()?;
    let printer = Printer::new(args.json, args.replay.is_none());
    if let Some(path) = args.replay {
        let secret = secrets.first().clone();
        let forward = Forward::from_args(args.forward, &secret)?;
        let replay = replay::run(&path, secret, forward, printer);
        return tokio::select! {
            end = replay => end,
            () = interrupted => Err(Failure::interrupted("stopped the replay before its end")),
        };
    }
    let forward = Forward::from_args(args.forward, secrets.first())?;
    let save = args.save.as_deref().map(Save::open).transpose()?;
    let server = Server::bind(args.address, args.port).await?;
    printer.listening(server.address())?;
    let (ended, mut end) = mpsc::channel(1);
    let condition = UntilCondition::new(args.until);
    let has_condition = condition.is_some();
    let handler = DeliveryHandler::new(secrets.into_verifier(), forward, save, printer, condition);
    let handler = Arc::new(handler);
    let until = async {
        tokio::select! {
            Some(end) = end.recv() => end,
            () = interrupted => match has_condition {
                true => Err(Failure::interrupted("stopped listening before the end that was asked for")),
                false => Ok(()),
            },
            () = expiry(args.timeout) => Err(Failure::unfinished(format!(
                "what was asked for did not come within {}",
                duration::text(args.timeout.unwrap_or_default())
            ))),
        }
    };
    let end = server.run(Arc::clone(&handler), ended, until).await;
    report::say(format_args!("listened to {}", handler.summary()));
    end
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

async fn expiry(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
