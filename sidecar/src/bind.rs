//! Taking an address.

use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 1024;

/// Listens there, without waiting for anything from then on.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // The standard library asks for 128, which a burst overflows.
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether there is no such address on this machine.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    // A kernel without IPv6 says "unsupported", one with it switched off for
    // the loopback says "not available".
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}
