//! A server for long videos.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A service with one finished task, whose result is as long as asked for. It ends with the process.
pub struct Server {
    address: SocketAddr,
    length: u64,
}

/// The boxes before the media; the media has a box with a long size.
const HEAD: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov\0\0\0\x01mdat";
const SIZE: usize = size_of::<u64>();

impl Server {
    /// With a result of `length` bytes.
    pub fn start(length: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who goes away in the middle tells so on its own side.
                thread::spawn(move || answer(stream, address, length).ok());
            }
        });
        Ok(Self { address, length })
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn video(&self) -> String {
        format!("{}/a.mp4", self.base_url())
    }

    pub fn length(&self) -> u64 {
        self.length
    }
}

fn answer(mut stream: TcpStream, address: SocketAddr, length: u64) -> io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Ok(()),
            read => request.extend(&part[..read]),
        }
    }
    if request.starts_with(b"GET /a.mp4 ") {
        return send(&mut stream, length);
    }
    let body = serde_json::json!({"data": {
        "task_id": "a",
        "status": "COMPLETED",
        "generated": [format!("http://{address}/a.mp4")],
    }})
    .to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn send(stream: &mut TcpStream, length: u64) -> io::Result<()> {
    let media = length - (HEAD.len() + SIZE) as u64;
    // The size of the box counts its own sixteen bytes of header.
    let size = media + 16;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\netag: \"a\"\r\ncontent-type: video/mp4\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(HEAD)?;
    stream.write_all(&size.to_be_bytes())?;
    let block: Vec<u8> = (0..=u8::MAX).cycle().take(1024 * 1024).collect();
    let mut left = media;
    while left > 0 {
        let part = left.min(block.len() as u64);
        stream.write_all(&block[..part as usize])?;
        left -= part;
    }
    Ok(())
}
