//! The options about webhooks, and the server that receives them during a run.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clap::Args;
use kling_omni::webhook::{Secret, Verifier, WebhookReceiver};
use kling_omni_batch::RunOptions;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::super::listen::{DeliveryHandler, SecretArgs, Server};
use crate::connect::Connection;
use crate::failure::Failure;
use crate::next::CommandOption;
use crate::report;

#[derive(Args, Debug)]
#[command(next_help_heading = "Webhooks")]
pub(super) struct WebhookArgs {
    /// Receive webhooks at this URL, which has to lead to --address and --port. A wait ends with a delivery, and a task
    /// is polled less often. Rows with a webhook_url keep theirs
    #[arg(long, value_name = "URL", requires = "port")]
    webhook_url: Option<String>,

    /// Port to listen on
    #[arg(long, value_name = "PORT", requires = "webhook_url")]
    port: Option<u16>,

    /// Address to listen on; any address but loopback accepts connections from other machines
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST.into(), requires = "webhook_url")]
    address: IpAddr,

    #[command(flatten)]
    secrets: SecretArgs,
}

/// A server that receives webhooks until it is stopped.
pub(super) struct WebhookServer {
    url: String,
    receiver: WebhookReceiver,
    handler: Arc<DeliveryHandler>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), Failure>>,
}

impl WebhookArgs {
    /// Starts to listen, if a URL is given. Without the option of a secret, that of the sandbox is used with `--sandbox`.
    pub(super) async fn listen(
        &self,
        connection: &Connection,
        in_flight: usize,
    ) -> Result<Option<WebhookServer>, Failure> {
        let (Some(url), Some(port)) = (&self.webhook_url, self.port) else {
            return Ok(None);
        };
        let verifier = match connection.sandbox_webhook_secret() {
            Some(secret) if self.secrets.is_empty() => Verifier::new(Secret::new(secret)?),
            _ => self.secrets.read()?.into_verifier(),
        };
        let server = Server::bind(self.address, port).await?;
        report::say(format_args!(
            "receiving webhooks on http://{}",
            server.address()
        ));
        // A task has a few deliveries, which may be repeated.
        let receiver = WebhookReceiver::builder(verifier)
            .state_capacity(in_flight.saturating_mul(2).max(1_000))
            .dedup_capacity(in_flight.saturating_mul(20).max(10_000))
            .build();
        let handler = Arc::new(DeliveryHandler::without_output(receiver.clone()));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn({
            let handler = Arc::clone(&handler);
            async move {
                // Only an output can fail, and this handler has no output.
                let (results, _failures) = mpsc::channel(1);
                let until = async {
                    let _ = stopped.await;
                    Ok(())
                };
                server.run(handler, results, until).await
            }
        });
        Ok(Some(WebhookServer {
            url: url.clone(),
            receiver,
            handler,
            stop,
            serving,
        }))
    }

    /// Returns the options with the same meaning. A secret of a variable or a file is read again.
    pub(super) fn command_options(&self) -> Vec<CommandOption> {
        let mut options = Vec::new();
        if let (Some(url), Some(port)) = (&self.webhook_url, self.port) {
            options.push(("--webhook-url", url.into()));
            options.push(("--port", port.to_string().into()));
            if self.address != IpAddr::from(Ipv4Addr::LOCALHOST) {
                options.push(("--address", self.address.to_string().into()));
            }
            options.extend(self.secrets.command_options());
        }
        options
    }

    pub(super) fn uses_of_stdin(&self) -> usize {
        self.secrets
            .files()
            .filter(|path| crate::input::is_stdin(path))
            .count()
    }
}

impl WebhookServer {
    /// Lets the waits of a run receive the deliveries.
    pub(super) fn set_on(&self, options: RunOptions) -> RunOptions {
        options.webhook(&self.url, &self.receiver)
    }

    /// Stops to listen, after the deliveries in progress, and reports what arrived.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.serving.await;
        report::say(format_args!("received {}", self.handler.summary()));
    }
}
