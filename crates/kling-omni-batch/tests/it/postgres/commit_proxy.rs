//! A proxy that loses a commit: on the way to the server, or its response on the way back.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A simple query with the text `commit`, as it is sent.
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";

/// What is lost. The connection is closed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitLoss {
    /// The commit. The server undoes the transaction.
    Request,
    /// The response. The server has committed.
    Response,
}

/// A running proxy. It stops when dropped.
pub(super) struct CommitProxy {
    port: u16,
    next: Arc<Mutex<Option<CommitLoss>>>,
    losses: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl CommitProxy {
    /// A proxy of the server at this port.
    pub(super) async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::<Mutex<_>>::default();
        let losses = Arc::<AtomicUsize>::default();
        let (next_loss, counter) = (Arc::clone(&next), Arc::clone(&losses));
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (next, losses) = (Arc::clone(&next_loss), Arc::clone(&counter));
                // An end of either connection ends both.
                tokio::spawn(async move { serve(client, server_port, &next, &losses).await });
            }
        });
        Self {
            port,
            next,
            losses,
            server,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Loses the next commit of any connection.
    pub(super) fn lose_next(&self, loss: CommitLoss) {
        *self.next.lock().unwrap() = Some(loss);
    }

    /// How many commits were lost.
    pub(super) fn losses(&self) -> usize {
        self.losses.load(Ordering::Relaxed)
    }
}

impl Drop for CommitProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    server_port: u16,
    next: &Mutex<Option<CommitLoss>>,
    losses: &AtomicUsize,
) -> io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await?;
    let (mut request, mut response) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let request = &request[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                let is_commit = request.ends_with(COMMIT);
                let loss = is_commit.then(|| next.lock().unwrap().take()).flatten();
                if loss.is_some() {
                    losses.fetch_add(1, Ordering::Relaxed);
                }
                if loss == Some(CommitLoss::Request) {
                    return Ok(());
                }
                server.write_all(request).await?;
                if loss == Some(CommitLoss::Response) {
                    server.read(&mut response).await?;
                    return Ok(());
                }
            }
            read = server.read(&mut response) => {
                let response = &response[..read?];
                if response.is_empty() {
                    return Ok(());
                }
                client.write_all(response).await?;
            }
        }
    }
}
