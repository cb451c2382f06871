use std::fs::File;
use std::io::{self, Seek, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::digest::hex;
use crate::engine::folder;

/// How many chunks may wait for the disk, or to be hashed. A chunk is what one read from a socket gave, some 100 kB at
/// the most.
const WAITING: usize = 16;

/// Writes and hashes at the same time, each on a thread of its own: on the network's, or one after the other, either
/// would slow a fast download down.
pub(crate) struct Writer {
    file: Lane<File>,
    digest: Lane<Sha256>,
}

impl Writer {
    pub(crate) fn start(file: File) -> Self {
        Self {
            file: Lane::start(file),
            digest: Lane::start(Sha256::new()),
        }
    }

    pub(crate) async fn append(&mut self, chunk: Bytes) -> io::Result<()> {
        self.digest.order(Order::Append(chunk.clone())).await?;
        self.file.order(Order::Append(chunk)).await
    }

    /// Forgets everything that was written.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        self.digest.order(Order::Restart).await?;
        self.file.order(Order::Restart).await
    }

    /// Sees to it that everything is on disk, and answers its SHA-256 in hexadecimal digits.
    pub(crate) async fn finish(self) -> io::Result<String> {
        let file = self.file.end().await?;
        let synced = tokio::task::spawn_blocking(move || folder::sync_file(&file));
        synced.await.map_err(io::Error::other)??;
        Ok(hex(self.digest.end().await?))
    }
}

/// What takes the bytes of a file in their order.
trait Sink: Send + 'static {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn restart(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn restart(&mut self) -> io::Result<()> {
        self.set_len(0)?;
        self.rewind()
    }
}

impl Sink for Sha256 {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.update(bytes);
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        *self = Self::new();
        Ok(())
    }
}

enum Order {
    Append(Bytes),
    Restart,
}

/// A sink on a thread of its own.
struct Lane<S> {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<io::Result<S>>,
}

impl<S: Sink> Lane<S> {
    fn start(mut sink: S) -> Self {
        let (orders, mut inbox) = mpsc::channel(WAITING);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(order) = inbox.blocking_recv() {
                match order {
                    Order::Append(chunk) => sink.append(&chunk)?,
                    Order::Restart => sink.restart()?,
                }
            }
            Ok(sink)
        });
        Self { orders, thread }
    }

    async fn order(&mut self, order: Order) -> io::Result<()> {
        if self.orders.send(order).await.is_ok() {
            return Ok(());
        }
        // The thread takes orders until something fails.
        (&mut self.thread).await.map_err(io::Error::other)??;
        Err(io::Error::other("the thread ended early"))
    }

    /// Waits until all orders are carried out.
    async fn end(self) -> io::Result<S> {
        drop(self.orders);
        self.thread.await.map_err(io::Error::other)?
    }
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
