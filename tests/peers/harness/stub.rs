//! A primary of a few lines: quick, and it remembers each password that reached it.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::radius::{ACCEPT, REJECT, STATUS_SERVER, USER_NAME, USER_PASSWORD, attributes, reveal, signed_answer};
use super::{PRIMARY_SECRET, address};

pub(crate) struct Stub {
    pub(crate) at: SocketAddr,
    heard: Arc<Mutex<Vec<(String, String)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Stub {
    /// Accepts whoever sends this password.
    pub(crate) async fn accepting(password: &str) -> Self {
        Self::on(address(), password).await
    }

    /// The same, whose refusals take so long.
    pub(crate) async fn refusing_after(delay: Duration, password: &str) -> Self {
        let socket = UdpSocket::bind((address(), 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        let heard = Arc::default();
        let task = tokio::spawn(answer(socket, password.to_owned(), Arc::clone(&heard), delay));
        Self { at, heard, task }
    }

    /// Hears everything and answers nothing.
    pub(crate) async fn silent() -> Self {
        let socket = UdpSocket::bind((address(), 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut octets = [0; 4096];
            while socket.recv_from(&mut octets).await.is_ok() {}
        });
        Self { at, heard: Arc::default(), task }
    }

    async fn on(own: IpAddr, password: &str) -> Self {
        Self::standing_at(SocketAddr::new(own, 0), password).await
    }

    /// The same at this address, where somebody asked in vain before.
    pub(crate) async fn standing_at(at: SocketAddr, password: &str) -> Self {
        let socket = UdpSocket::bind(at).await.unwrap();
        let at = socket.local_addr().unwrap();
        let heard = Arc::default();
        let task = tokio::spawn(answer(socket, password.to_owned(), Arc::clone(&heard), Duration::ZERO));
        Self { at, heard, task }
    }

    /// Name and password of every request, in their order. One that is sent again, because we were slow to answer, is the same.
    pub(crate) fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(socket: UdpSocket, right: String, heard: Arc<Mutex<Vec<(String, String)>>>, refuses_after: Duration) {
    let socket = Arc::new(socket);
    let (mut octets, mut known) = ([0; 4096], HashSet::new());
    while let Ok((length, peer)) = socket.recv_from(&mut octets).await {
        let request = &octets[..length];
        let found = attributes(&request[20..]);
        let value = |kind: u8| found.iter().find(|(k, _)| *k == kind).map(|(_, value)| value.clone());
        let hidden = value(USER_PASSWORD).unwrap_or_default();
        let password = String::from_utf8_lossy(&reveal(&hidden, PRIMARY_SECRET, &request[4..20])).into_owned();
        let code = if request[0] == STATUS_SERVER || password == right { ACCEPT } else { REJECT };
        let user = String::from_utf8_lossy(&value(USER_NAME).unwrap_or_default()).into_owned();
        // `mail.NAME` is another name of NAME's.
        let named = user.strip_prefix("mail.").filter(|_| code == ACCEPT);
        let values: Vec<(u8, Vec<u8>)> = named.into_iter().map(|name| (USER_NAME, name.as_bytes().to_vec())).collect();
        let reply = signed_answer(code, request, &values, PRIMARY_SECRET);
        if known.insert((peer, request.to_vec())) {
            heard.lock().unwrap().push((user, password));
        }
        let (socket, delay) = (Arc::clone(&socket), if code == REJECT { refuses_after } else { Duration::ZERO });
        tokio::spawn(async move {
            // Its own slowness, which is what it is for.
            if !delay.is_zero() {
                let mut slow = tokio::time::interval(delay);
                slow.tick().await;
                slow.tick().await;
            }
            let _ = socket.send_to(&reply, peer).await;
        });
    }
}
