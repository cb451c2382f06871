//! Writes and hashes a download on background threads.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::marker::PhantomData;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::blocking_thread::run_blocking;
use crate::digest::hex;
#[cfg(feature = "object-store")]
use crate::engine::download::object::ObjectUpload;
use crate::engine::folder;

/// The number of chunks that may wait to be written or hashed. A chunk is one read from a socket, at most about 100 kB.
const CAPACITY: usize = 16;

/// Writes and hashes concurrently, each on its own thread. On the thread of the network, or one after the other, they would
/// slow down a fast download.
pub(crate) struct Writer<'a> {
    output: Output<'a>,
    digest: Channel<Sha256>,
}

enum Output<'a> {
    File(Channel<File>, PhantomData<&'a ()>),
    #[cfg(feature = "object-store")]
    Object(&'a mut ObjectUpload),
}

impl<'a> Writer<'a> {
    pub(crate) fn to_file(file: File) -> Self {
        Self::new(Output::File(Channel::start(file), PhantomData))
    }

    /// Errors have an [`object_store::Error`] in them.
    #[cfg(feature = "object-store")]
    pub(crate) fn to_object(upload: &'a mut ObjectUpload) -> Self {
        Self::new(Output::Object(upload))
    }

    fn new(output: Output<'a>) -> Self {
        Self {
            output,
            digest: Channel::start(Sha256::new()),
        }
    }

    pub(crate) async fn append(&mut self, chunk: Bytes) -> io::Result<()> {
        self.digest
            .send(WriteCommand::Append(chunk.clone()))
            .await?;
        match &mut self.output {
            Output::File(file, _) => file.send(WriteCommand::Append(chunk)).await,
            #[cfg(feature = "object-store")]
            Output::Object(upload) => upload.append(chunk).await.map_err(io::Error::other),
        }
    }

    /// Discards everything that was written.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        self.digest.send(WriteCommand::Restart).await?;
        match &mut self.output {
            Output::File(file, _) => file.send(WriteCommand::Restart).await?,
            #[cfg(feature = "object-store")]
            Output::Object(upload) => upload.restart().await,
        }
        Ok(())
    }

    /// Syncs a file to disk, and returns the SHA-256 in hexadecimal digits.
    pub(crate) async fn finish(self) -> io::Result<String> {
        match self.output {
            Output::File(file, _) => {
                let file = file.finish().await?;
                run_blocking(move || folder::sync_file(&file)).await?;
            }
            #[cfg(feature = "object-store")]
            Output::Object(_) => {}
        }
        Ok(hex(self.digest.finish().await?))
    }
}

/// Receives the bytes of a file in order.
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

enum WriteCommand {
    Append(Bytes),
    Restart,
}

/// A sink on its own thread, and the channel to it.
struct Channel<S> {
    commands: mpsc::Sender<WriteCommand>,
    thread: JoinHandle<io::Result<S>>,
}

impl<S: Sink> Channel<S> {
    fn start(mut sink: S) -> Self {
        let (commands, mut receiver) = mpsc::channel(CAPACITY);
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(command) = receiver.blocking_recv() {
                match command {
                    WriteCommand::Append(chunk) => sink.append(&chunk)?,
                    WriteCommand::Restart => sink.restart()?,
                }
            }
            Ok(sink)
        });
        Self { commands, thread }
    }

    async fn send(&mut self, command: WriteCommand) -> io::Result<()> {
        if self.commands.send(command).await.is_ok() {
            return Ok(());
        }
        // The thread ends early only if a command fails.
        (&mut self.thread).await.map_err(io::Error::other)??;
        Err(io::Error::other("the thread ended early"))
    }

    /// Waits until all commands are executed.
    async fn finish(self) -> io::Result<S> {
        drop(self.commands);
        self.thread.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn restart_discards_all_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::to_file(file.reopen().unwrap());
        writer.append(Bytes::from_static(b"longer")).await.unwrap();
        writer.restart().await.unwrap();
        writer.append(Bytes::from_static(b"a")).await.unwrap();
        writer.append(Bytes::from_static(b"bc")).await.unwrap();
        let hash = writer.finish().await.unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"abc");
        // The example of FIPS 180.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash, expected);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn full_disk_is_reported_before_the_end() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut writer = Writer::to_file(full);
        let chunk = Bytes::from_static(&[0; 4096]);
        let error = loop {
            if let Err(error) = writer.append(chunk.clone()).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
