//! A port that refuses connections.

use tokio::net::TcpSocket;

/// A port that is bound and not listened on. It is held while this lives, so no other test can listen on it.
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    /// An http URL of the port, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}
