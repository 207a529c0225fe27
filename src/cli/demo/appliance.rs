//! The VPN appliance of the demo: a small RADIUS client over real UDP.
//!
//! It asks as appliances do: a fresh socket for each request, Message-Authenticator first, the same octets again every few
//! seconds while nobody answers. A reply that does not verify is as good as none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;
use wire::{Attribute, Code, Datagram, Demand, PacketView, RequestWriter, Secret, SentRequest, SharedSecret, kind};

use super::board::{Board, Screen, Tone, Who};

/// A retransmission after so long, as most appliances have it.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// And so many of them: a minute in all.
const SENDS: u32 = 12;

/// What a person types at a VPN client.
#[derive(Clone, Debug)]
pub(super) struct Knock {
    pub(super) user: String,
    pub(super) password: Secret,
    /// The address that the person comes from.
    pub(super) station: &'static str,
    /// The State of the challenge that this answers.
    pub(super) state: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) state: Option<Vec<u8>>,
}

impl Heard {
    /// The word for `--json`.
    pub(super) fn word(heard: Option<&Self>) -> &'static str {
        match heard.map(|heard| phase(heard.code)) {
            Some("accepted") => "accept",
            Some("challenge") => "challenge",
            Some(_) => "reject",
            None => "none",
        }
    }
}

/// One appliance.
#[derive(Clone)]
pub(super) struct Appliance {
    /// As the policy names it.
    pub(super) name: &'static str,
    from: IpAddr,
    server: SocketAddr,
    secret: SharedSecret,
    board: Arc<Board>,
}

impl Appliance {
    pub(super) fn new(
        name: &'static str,
        from: IpAddr,
        server: SocketAddr,
        secret: SharedSecret,
        board: Arc<Board>,
    ) -> Self {
        Self { name, from, server, secret, board }
    }

    /// A person knocks: one Access-Request and its answer, shown on the board. `None`: nobody answered.
    pub(super) async fn knock(&self, knock: Knock) -> Option<Heard> {
        self.knock_on(None, knock).await.1
    }

    /// The same, going on with the login that the screen shows as `number`.
    pub(super) async fn knock_on(&self, number: Option<u64>, knock: Knock) -> (u64, Option<Heard>) {
        let Knock { user, station, .. } = &knock;
        let what = if knock.state.is_some() { "answers the challenge" } else { "logs in" };
        self.board.hop(Who::Vpn, Tone::Plain, format!("{user} {what} at {} from {station}", self.name));
        let number = self.show(number, user, "asking", String::new());
        let heard = self.exchange(&knock).await.ok().flatten();
        let (phase, message) = match &heard {
            Some(heard) => (phase(heard.code), heard.message.clone()),
            None => ("silent", "The server does not answer.".to_owned()),
        };
        self.tell(heard.as_ref(), user);
        self.show(Some(number), user, phase, message);
        (number, heard)
    }

    fn show(&self, number: Option<u64>, user: &str, phase: &'static str, message: String) -> u64 {
        let client = self.name.to_owned();
        self.board.screen(number, Screen { number: 0, user: user.to_owned(), client, phase, message })
    }

    fn tell(&self, heard: Option<&Heard>, user: &str) {
        let Some(heard) = heard else {
            return self.board.hop(Who::Vpn, Tone::Bad, format!("no answer for {user}"));
        };
        let tone = match phase(heard.code) {
            "accepted" => Tone::Good,
            "challenge" => Tone::Asking,
            _ => Tone::Bad,
        };
        let message = match heard.message.trim() {
            "" => String::new(),
            granted if tone == Tone::Good => format!(", with {granted}"),
            said => format!(": \"{said}\""),
        };
        self.board.hop(Who::Vpn, tone, format!("{} for {user}{message}", heard.code));
    }

    async fn exchange(&self, knock: &Knock) -> std::io::Result<Option<Heard>> {
        let Some(sent) = self.request(knock) else { return Ok(None) };
        let socket = UdpSocket::bind((self.from, 0)).await?;
        socket.connect(self.server).await?;
        let mut received = vec![0; 4096];
        for _ in 0..SENDS {
            socket.send(sent.as_bytes()).await?;
            if let Ok(heard) = timeout(AGAIN_AFTER, self.listen(&socket, &sent, &mut received)).await {
                return heard.map(Some);
            }
        }
        Ok(None)
    }

    /// The first reply that verifies; others don't disturb the request (E1).
    async fn listen(&self, socket: &UdpSocket, sent: &SentRequest, received: &mut [u8]) -> std::io::Result<Heard> {
        loop {
            let length = socket.recv(received).await?;
            let Ok(view) = PacketView::parse(received.get(..length).unwrap_or_default()) else { continue };
            let Ok(reply) = view.verify_reply(&self.secret, sent, Demand::Required) else { continue };
            return Ok(heard(reply.view()));
        }
    }

    /// `None` if what was typed does not fit into a packet.
    fn request(&self, knock: &Knock) -> Option<SentRequest> {
        let mut buffer = Datagram::new();
        let mut request = RequestWriter::new(Code::AccessRequest, rand::random(), rand::random(), &mut buffer);
        request.push(Attribute::new(kind::USER_NAME, knock.user.as_bytes())).ok()?;
        request.push_password(&knock.password, &self.secret).ok()?;
        request.push(Attribute::new(kind::NAS_IDENTIFIER, self.name.as_bytes())).ok()?;
        request.push(Attribute::new(kind::CALLING_STATION_ID, knock.station.as_bytes())).ok()?;
        if let Some(state) = &knock.state {
            request.push(Attribute::new(kind::STATE, state)).ok()?;
        }
        Some(request.sign(&self.secret))
    }
}

fn heard(view: &PacketView<'_>) -> Heard {
    let text = |kind| {
        let pieces = view.attributes().filter(|attribute| attribute.kind == kind).map(|attribute| attribute.value);
        pieces.map(|piece| String::from_utf8_lossy(piece).into_owned()).collect::<String>()
    };
    let message = if view.code() == Code::AccessAccept {
        // What the upstream granted arrives with the second factor's Accept.
        format!("Filter-Id = {}, Class = {}", text(kind::FILTER_ID), text(kind::CLASS))
    } else {
        text(kind::REPLY_MESSAGE)
    };
    Heard { code: view.code(), message, state: view.state().map(<[u8]>::to_vec) }
}

fn phase(code: Code) -> &'static str {
    if code == Code::AccessAccept {
        "accepted"
    } else if code == Code::AccessChallenge {
        "challenge"
    } else {
        "rejected"
    }
}
