//! One UDP socket with its options: quinn-udp's batches and addresses, without its habits of QUIC.
//!
//! quinn-udp forbids fragments, since QUIC probes the path; a RADIUS answer of 4,000 octets would then be refused with
//! EMSGSIZE or lost in silence. Its settings are undone here, each by a safe call, and `try_send` is used because
//! `send` hides that error.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::{BindError, canonical, holder};

/// What is asked of the kernel for datagrams that wait for us: a burst of 10,000 requests of 400 octets.
const RECEIVE_BUFFER_OCTETS: usize = 4 * 1024 * 1024;

/// What is asked of the kernel for answers that wait for the wire.
const SEND_BUFFER_OCTETS: usize = 1024 * 1024;

/// A bound socket, ready for batches.
pub(super) struct BatchSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    bound: SocketAddr,
}

impl BatchSocket {
    /// Opens, sets and binds; must be called within a tokio runtime.
    pub(super) fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let fail = |source| BindError::of(address, source, || holder::holder_of(address.port()));
        let socket = open(address).map_err(fail)?;
        let state = UdpSocketState::new((&socket).into()).map_err(fail)?;
        allow_fragments(&socket, address).map_err(fail)?;
        let socket = UdpSocket::from_std(socket.into()).map_err(fail)?;
        let bound = socket.local_addr().map_err(fail)?;
        Ok(Self { socket, state, bound })
    }

    /// Where it stands: the port is the real one, where 0 was asked for.
    pub(super) fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Octets that the kernel grants to datagrams that wait; Linux counts its own overhead in.
    pub(super) fn receive_buffer_octets(&self) -> usize {
        SockRef::from(&self.socket).recv_buffer_size().unwrap_or(0)
    }

    /// Waits for datagrams and fills as many buffers as there are; the answer is how many.
    pub(super) async fn receive(&self, buffers: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> io::Result<usize> {
        self.socket.async_io(Interest::READABLE, || self.state.recv((&self.socket).into(), buffers, meta)).await
    }

    /// Sends at once or says `WouldBlock`. It asks the kernel, not tokio's note of readiness, which a fresh socket
    /// lacks.
    pub(super) fn try_send(&self, bytes: &[u8], to: SocketAddr, from: SocketAddr) -> io::Result<()> {
        self.transmit(bytes, to, from)
    }

    /// Sends as soon as the kernel takes it.
    pub(super) async fn send(&self, bytes: &[u8], to: SocketAddr, from: SocketAddr) -> io::Result<()> {
        self.socket.async_io(Interest::WRITABLE, || self.transmit(bytes, to, from)).await
    }

    /// The address that a datagram was sent to: what the kernel noted, else where the socket stands.
    pub(super) fn asked(&self, meta: &RecvMeta) -> SocketAddr {
        canonical(SocketAddr::new(meta.dst_ip.unwrap_or_else(|| self.bound.ip()), self.bound.port()))
    }

    fn transmit(&self, bytes: &[u8], to: SocketAddr, from: SocketAddr) -> io::Result<()> {
        // A link-local peer carries its interface as the scope of `to`, which the kernel follows; the source needs
        // none.
        let src_ip = (!from.ip().is_unspecified()).then(|| from.ip());
        let transmit = Transmit { destination: to, ecn: None, contents: bytes, segment_size: None, src_ip };
        self.state.try_send((&self.socket).into(), &transmit)
    }
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // `[::]` takes IPv6 only, so that `0.0.0.0` stands beside it and no IPv4 peer comes in disguise.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Best effort: net.core.rmem_max bounds them, and the log says what was granted.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_OCTETS);
    socket.bind(&address.into())?;
    Ok(socket)
}

fn allow_fragments(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DONT)?;
    } else {
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DONT)?;
        setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
    }
    // Receive offload would glue datagrams together; kernels before 5.0 don't know it, and have nothing to undo.
    let _ = setsockopt(socket, sockopt::UdpGroSegment, &false);
    Ok(())
}
