//! Stands between an appliance and the house and keeps each answer as it was on the wire.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

pub(crate) struct Relay {
    pub(crate) at: SocketAddr,
    answers: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        back.connect(server).await.unwrap();
        let (at, answers) = (front.local_addr().unwrap(), Arc::default());
        let task = tokio::spawn(carry(front, back, Arc::clone(&answers)));
        Self { at, answers, task }
    }

    pub(crate) fn answers(&self) -> Vec<Vec<u8>> {
        self.answers.lock().unwrap().clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(front: UdpSocket, back: UdpSocket, answers: Arc<Mutex<Vec<Vec<u8>>>>) {
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    let mut appliance = None;
    loop {
        tokio::select! {
            Ok((length, peer)) = front.recv_from(&mut asked) => {
                appliance = Some(peer);
                back.send(&asked[..length]).await.unwrap();
            }
            Ok(length) = back.recv(&mut answered) => {
                answers.lock().unwrap().push(answered[..length].to_vec());
                front.send_to(&answered[..length], appliance.unwrap()).await.unwrap();
            }
        }
    }
}
