use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many chunks may wait for the disk. A chunk is what one read from a socket gave, some 100 kB at the most.
const WAITING: usize = 16;

/// Hashes and writes on a thread of its own, so that the network need not wait for it.
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<io::Result<Option<String>>>,
}

enum Order {
    Append(Bytes),
    Restart,
    Finish,
}

impl Writer {
    pub(super) fn start(file: File) -> Self {
        let (orders, inbox) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || work(file, inbox));
        Self { orders, thread }
    }

    pub(super) async fn append(&mut self, chunk: Bytes) -> io::Result<()> {
        self.order(Order::Append(chunk)).await
    }

    /// Forgets everything that was written.
    pub(super) async fn restart(&mut self) -> io::Result<()> {
        self.order(Order::Restart).await
    }

    /// Sees to it that everything is on disk, and answers its SHA-256 in hexadecimal digits.
    pub(super) async fn finish(mut self) -> io::Result<String> {
        self.order(Order::Finish).await?;
        match join(&mut self.thread).await? {
            Some(hash) => Ok(hash),
            None => Err(io::Error::other("the writer ended early")),
        }
    }

    async fn order(&mut self, order: Order) -> io::Result<()> {
        if self.orders.send(order).await.is_ok() {
            return Ok(());
        }
        // The thread takes orders until something fails.
        join(&mut self.thread).await?;
        Err(io::Error::other("the writer ended early"))
    }
}

async fn join(thread: &mut JoinHandle<io::Result<Option<String>>>) -> io::Result<Option<String>> {
    thread.await.map_err(io::Error::other)?
}

/// Follows the orders; answers a hash if the last one was to finish.
fn work(mut file: File, mut inbox: mpsc::Receiver<Order>) -> io::Result<Option<String>> {
    let mut digest = Sha256::new();
    while let Some(order) = inbox.blocking_recv() {
        match order {
            Order::Append(chunk) => {
                file.write_all(&chunk)?;
                digest.update(&chunk);
            }
            Order::Restart => {
                file.set_len(0)?;
                file.rewind()?;
                digest = Sha256::new();
            }
            Order::Finish => {
                file.sync_all()?;
                return Ok(Some(hex(digest)));
            }
        }
    }
    Ok(None)
}

pub(super) fn hex(digest: Sha256) -> String {
    let digest = digest.finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_restart_leaves_no_trace() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::start(file.reopen().unwrap());
        writer.append(Bytes::from_static(b"longer")).await.unwrap();
        writer.restart().await.unwrap();
        writer.append(Bytes::from_static(b"a")).await.unwrap();
        writer.append(Bytes::from_static(b"bc")).await.unwrap();
        let hash = writer.finish().await.unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"abc");
        // The example of the standard.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash, expected);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_is_told_while_there_is_more_to_come() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut writer = Writer::start(full);
        let chunk = Bytes::from_static(&[0; 4096]);
        let error = loop {
            if let Err(error) = writer.append(chunk.clone()).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
