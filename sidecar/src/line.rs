//! How a client is reached: by a connection, or by a stream of one.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Requests of HTTP/1.1 in one direction and answers in the other.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin {
    /// Ends it in a way that tells that the answer is not whole.
    fn cut(&mut self);
}

impl Line for TcpStream {
    fn cut(&mut self) {
        // The reset is what tells; without it the end must do.
        let _ = self.set_zero_linger();
    }
}
