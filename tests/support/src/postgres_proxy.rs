//! A TCP proxy between a client and Postgres that breaks connections, also at the moment of a commit.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresFault {
    /// Nothing: everything gets through.
    Pass,
    /// New connections are refused, and open ones are reset.
    Refuse,
    /// Open connections are reset, and new ones as soon as they are accepted.
    Reset,
    /// Connections stay open, and nothing gets through.
    Silence,
    /// Everything arrives so much later.
    Delay(Duration),
    /// The n-th `COMMIT` from now on does not get through, and its connection is reset. The others get through.
    CutBeforeCommit(usize),
    /// The n-th `COMMIT` from now on gets through. When the server has answered it, the connection is reset without the answer.
    CutAfterCommit(usize),
}

/// A running proxy. It stops when dropped.
#[derive(Debug)]
pub struct PostgresProxy {
    address: SocketAddr,
    shared: Arc<ProxyState>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct ProxyState {
    upstream: SocketAddr,
    fault: watch::Sender<PostgresFault>,
    /// The fault that follows a cut.
    next: Mutex<Option<PostgresFault>>,
    /// The commits since the fault was set.
    commits: AtomicUsize,
    cuts: AtomicUsize,
    held: AtomicUsize,
    resets: AtomicUsize,
}

impl PostgresProxy {
    /// A proxy of the server at a port of loopback.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(ProxyState {
            upstream: (Ipv4Addr::LOCALHOST, port).into(),
            fault: watch::channel(PostgresFault::Pass).0,
            next: Mutex::new(None),
            commits: AtomicUsize::new(0),
            cuts: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            resets: AtomicUsize::new(0),
        });
        let server = tokio::spawn(accept_all(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            server,
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it does from now on.
    pub fn set(&self, fault: PostgresFault) {
        self.shared.commits.store(0, Ordering::SeqCst);
        self.shared.fault.send_replace(fault);
    }

    /// Sets a fault that cuts a commit, and the one that follows before another connection can be made.
    pub fn set_with_next(&self, fault: PostgresFault, next: PostgresFault) {
        *self.shared.next.lock().unwrap() = Some(next);
        self.set(fault);
    }

    /// How many commits came since the fault was set.
    pub fn commits(&self) -> usize {
        self.shared.commits.load(Ordering::SeqCst)
    }

    /// How often something was held back by [`PostgresFault::Silence`].
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::SeqCst)
    }

    /// How many connections were reset by [`PostgresFault::Reset`] or [`PostgresFault::Refuse`].
    pub fn resets(&self) -> usize {
        self.shared.resets.load(Ordering::SeqCst)
    }

    /// How many commits were cut so far.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for PostgresProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl ProxyState {
    fn fault(&self) -> PostgresFault {
        *self.fault.borrow()
    }

    /// What happens to a commit that is about to get through, if it is the one to cut.
    fn cut(&self) -> Option<PostgresFault> {
        let count = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = self.fault();
        match fault {
            PostgresFault::CutBeforeCommit(at) | PostgresFault::CutAfterCommit(at)
                if at == count =>
            {
                Some(fault)
            }
            _ => None,
        }
    }

    /// Waits while nothing gets through.
    async fn until_open(&self) {
        match self.fault() {
            PostgresFault::Silence => {
                self.held.fetch_add(1, Ordering::SeqCst);
                let mut faults = self.fault.subscribe();
                let is_open = |fault: &PostgresFault| *fault != PostgresFault::Silence;
                let _ = faults.wait_for(is_open).await;
            }
            PostgresFault::Delay(delay) => tokio::time::sleep(delay).await,
            _ => {}
        }
    }

    /// Waits until connections are to be reset.
    async fn until_reset(&self) {
        let mut faults = self.fault.subscribe();
        let resets =
            |fault: &PostgresFault| matches!(fault, PostgresFault::Refuse | PostgresFault::Reset);
        let _ = faults.wait_for(resets).await;
    }
}

async fn accept_all(listener: TcpListener, shared: Arc<ProxyState>) {
    let address = listener.local_addr().unwrap();
    let mut faults = shared.fault.subscribe();
    let mut listener = Some(listener);
    loop {
        if *faults.borrow_and_update() == PostgresFault::Refuse {
            listener = None;
            let opens = |fault: &PostgresFault| *fault != PostgresFault::Refuse;
            let _ = faults.wait_for(opens).await;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => bind(address).await,
        };
        tokio::select! {
            accepted = open.accept() => {
                let shared = Arc::clone(&shared);
                let (client, _) = accepted.unwrap();
                // What breaks is what was asked for.
                tokio::spawn(async move { serve(client, &shared).await });
            }
            _ = faults.changed() => {}
        }
        listener = Some(open);
    }
}

/// Listens at an address that was given up before. Another process may have it for a moment.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Serves one connection until either end closes it. Both ends are reset then.
async fn serve(mut client: TcpStream, shared: &ProxyState) -> io::Result<()> {
    let mut server = TcpStream::connect(shared.upstream).await?;
    for stream in [&client, &server] {
        stream.set_zero_linger()?;
        stream.set_nodelay(true)?;
    }
    let (mut requests, mut responses) = (Vec::new(), Vec::new());
    // The first message has no type.
    let mut type_length = 0;
    loop {
        tokio::select! {
            biased;
            () = shared.until_reset() => {
                shared.resets.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            read = server.read_buf(&mut responses) => {
                if read? == 0 {
                    return Ok(());
                }
                shared.until_open().await;
                client.write_all(&responses).await?;
                responses.clear();
            }
            read = client.read_buf(&mut requests) => {
                if read? == 0 {
                    return Ok(());
                }
                shared.until_open().await;
                while let Some(length) = message_length(&requests, type_length) {
                    let message: Vec<_> = requests.drain(..length).collect();
                    type_length = 1;
                    let cut = is_commit(&message).then(|| shared.cut()).flatten();
                    if !matches!(cut, Some(PostgresFault::CutBeforeCommit(_))) {
                        server.write_all(&message).await?;
                    }
                    if let Some(PostgresFault::CutAfterCommit(_)) = cut {
                        // What comes now is the response.
                        server.read_buf(&mut responses).await?;
                    }
                    if cut.is_some() {
                        if let Some(next) = shared.next.lock().unwrap().take() {
                            shared.fault.send_replace(next);
                        }
                        shared.cuts.fetch_add(1, Ordering::SeqCst);
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// The length of the first message, once all of it is there.
fn message_length(bytes: &[u8], type_length: usize) -> Option<usize> {
    let length = bytes.get(type_length..type_length + 4)?;
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + type_length;
    (bytes.len() >= length).then_some(length)
}

/// Whether a message is the simple query `COMMIT`, or prepares it.
fn is_commit(message: &[u8]) -> bool {
    let text = message.get(5..).unwrap_or_default();
    let query = match message.first() {
        Some(b'Q') => text.split(|byte| *byte == 0).next(),
        // The name of the statement comes first.
        Some(b'P') => text.split(|byte| *byte == 0).nth(1),
        _ => None,
    };
    query.is_some_and(|query| query.trim_ascii().eq_ignore_ascii_case(b"commit"))
}
