//! A connection that is read a line at a time, so that nothing that came in the clear is still waiting when TLS begins.
//!
//! Whoever sits on the way can add answers behind the server's answer to STARTTLS. RFC 3207 §6 (and CVE-2011-0411) wants them thrown
//! away; lettre 0.11 keeps them in its buffer and would take them for answers that came encrypted: a refused letter would count as
//! delivered. Read through this, its buffer never holds more than the line it asked for, and what follows meets the handshake,
//! which refuses it. It changes no octet and judges none.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Octets read ahead of the reader at most.
const AHEAD_OCTETS_MAX: usize = 4096;

/// A TCP connection that gives out no octet behind a line's end in the same read.
#[derive(Debug)]
pub(super) struct Lines {
    stream: TcpStream,
    ahead: Box<[u8; AHEAD_OCTETS_MAX]>,
    from: usize,
    to: usize,
}

impl Lines {
    pub(super) fn of(stream: TcpStream) -> Self {
        Self { stream, ahead: Box::new([0; AHEAD_OCTETS_MAX]), from: 0, to: 0 }
    }
}

impl AsyncRead for Lines {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.from == this.to {
            let mut ahead = ReadBuf::new(&mut this.ahead[..]);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut ahead))?;
            (this.from, this.to) = (0, ahead.filled().len());
        }
        let waiting = &this.ahead[this.from..this.to];
        let line = waiting.iter().position(|octet| *octet == b'\n').map_or(waiting.len(), |end| end + 1);
        let given = line.min(out.remaining());
        out.put_slice(&waiting[..given]);
        this.from += given;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Lines {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
