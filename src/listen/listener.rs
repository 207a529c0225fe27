//! The receive loop: batches in, one call of the sink for each datagram, until it is cancelled; then answers only, until
//! the last that could send one is gone.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;

use quinn_udp::{BATCH_SIZE, RecvMeta};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::replier::{Replier, Waiting, WayOut};
use super::socket::BatchSocket;
use super::{BindError, Datagram, PACKET_OCTETS_MAX, canonical};
use crate::telemetry::Telemetry;

/// One octet more than a packet may have: a datagram that fills it was too long.
const BUFFER_OCTETS: usize = PACKET_OCTETS_MAX + 1;

/// A bound UDP socket that waits to be [`run`].
pub struct Listener {
    socket: Arc<BatchSocket>,
    replier: Replier,
    waiting: mpsc::Receiver<Waiting>,
}

impl Listener {
    /// Opens a socket on `address`; call it within a tokio runtime. The error names the address and what to do.
    pub fn bind(address: SocketAddr, telemetry: Telemetry) -> Result<Self, BindError> {
        let socket = Arc::new(BatchSocket::bind(address)?);
        let (replier, waiting) = Replier::new(Arc::clone(&socket), telemetry);
        Ok(Self { socket, replier, waiting })
    }

    /// Where it stands; the real port, where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.socket.bound()
    }

    /// What the kernel grants to datagrams that wait, in octets as it counts them.
    #[must_use]
    pub fn receive_buffer_octets(&self) -> usize {
        self.socket.receive_buffer_octets()
    }

    /// Sends answers through this socket.
    #[must_use]
    pub fn replier(&self) -> Replier {
        self.replier.clone()
    }
}

/// Hands every datagram to `sink` until `cancel` is cancelled. The sink runs in the loop: it may look up, verify and
/// begin, never wait; it is dropped with the end of the reading. Answers sent through a [`Replier`] while the kernel was
/// busy leave from here too, so this ends, and the port is free, when the last replier is gone.
pub async fn run(listener: Listener, sink: impl Fn(Datagram<'_>), cancel: CancellationToken) {
    let Listener { socket, replier, waiting } = listener;
    let way_out = replier.into_way_out();
    tokio::join!(cancel.run_until_cancelled(receive(&socket, sink)), drain(&way_out, waiting));
}

async fn receive(socket: &BatchSocket, sink: impl Fn(Datagram<'_>)) {
    let mut octets = vec![0_u8; BATCH_SIZE * BUFFER_OCTETS];
    let mut meta = [RecvMeta::default(); BATCH_SIZE];
    let mut failures = 0_u64;
    loop {
        let mut buffers: Vec<IoSliceMut<'_>> = octets.chunks_exact_mut(BUFFER_OCTETS).map(IoSliceMut::new).collect();
        match socket.receive(&mut buffers, &mut meta).await {
            Ok(count) => {
                drop(buffers);
                hand_on(socket, &octets, meta.iter().take(count), &sink);
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                survive(&error, failures).await;
            }
        }
    }
}

fn hand_on<'m>(
    socket: &BatchSocket,
    octets: &[u8],
    meta: impl Iterator<Item = &'m RecvMeta>,
    sink: &impl Fn(Datagram<'_>),
) {
    for (buffer, meta) in octets.chunks_exact(BUFFER_OCTETS).zip(meta) {
        let Some(bytes) = buffer.get(..meta.len) else { continue };
        sink(Datagram { bytes, peer: canonical(meta.addr), local: socket.asked(meta) });
    }
}

/// A pending error of the socket (ECONNREFUSED from an ICMP message, ENOBUFS, ENOMEM) is reported once by the kernel
/// and gone: the next call receives again. So nothing ends the loop; other tasks get their turn in between.
async fn survive(error: &io::Error, failures: u64) {
    if failures.is_power_of_two() {
        tracing::warn!(%error, failures, "receiving failed; the listener goes on");
    }
    tokio::task::yield_now().await;
}

async fn drain(way_out: &WayOut, mut waiting: mpsc::Receiver<Waiting>) {
    while let Some(answer) = waiting.recv().await {
        way_out.send_waiting(answer).await;
    }
}
