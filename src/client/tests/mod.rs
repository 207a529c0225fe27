//! The gate under test: packets are built and signed here, apart from the product's code, and answers are kept instead
//! of sent.

mod admission;
mod duplicates;
mod facts;
mod overload;
mod stance;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use login::policy::{ClientPolicy, Join, NumberWish};
use login::{ClientName, Moment, PrimaryName, Tick, Wall};
use md5::Md5;
use wire::{Datagram, ReplyCode, Secret, SharedSecret};

use super::*;
use crate::config::{ClientConfig, Stance};
use crate::telemetry::Telemetry;

pub(super) const SECRET: &[u8] = b"xyzzy5461";

/// A client with this stance and these addresses.
pub(super) fn client(name: &str, networks: &[&str], stance: Stance) -> ClientConfig {
    ClientConfig {
        name: ClientName::new(name),
        networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
        secret: SharedSecret::new(Secret::new(SECRET)),
        stance,
        profile: crate::config::GENERIC,
        message_authenticator: wire::Placed::First,
        bare_until: None,
        session_attribute: None,
        policy: policy(Join::Station),
    }
}

pub(super) fn policy(join: Join) -> ClientPolicy {
    ClientPolicy {
        primary: PrimaryName::new("nps"),
        gives_up_after: Duration::from_secs(30),
        challenge: true,
        append: None,
        join,
        allow_admin: false,
        number: NumberWish::Off,
        when_unavailable: login::policy::WhenUnavailable::Silent,
    }
}

/// One appliance, `asa` at 192.0.2.10, with this stance.
pub(super) fn house(stance: Stance) -> House {
    House::of(&[client("asa", &["192.0.2.10/32"], stance)], Bounds::default())
}

/// What left the house, and whereto.
pub(super) type Sent = Arc<Mutex<Vec<(Vec<u8>, Way)>>>;

/// A gate with its surroundings.
pub(super) struct House {
    pub(super) gate: Gate,
    pub(super) telemetry: Telemetry,
    pub(super) sent: Sent,
    pub(super) learned: Arc<Mutex<Vec<String>>>,
    /// Whether a login could be checked (rules A10).
    pub(super) checks: Arc<AtomicBool>,
    outlet: Arc<dyn Outlet>,
    now: Cell<u64>,
}

impl House {
    pub(super) fn of(clients: &[ClientConfig], bounds: Bounds) -> Self {
        let (sent, learned, telemetry) = (Sent::default(), Arc::<Mutex<Vec<String>>>::default(), Telemetry::new());
        let checks = Arc::new(AtomicBool::new(true));
        let (to_sent, to_learned) = (Arc::clone(&sent), Arc::clone(&learned));
        let options = GateOptions {
            bounds,
            bare_failures_per_minute: 60,
            on_learned: Box::new(move |name| to_learned.lock().unwrap().push(name.to_string())),
            can_check: {
                let checks = Arc::clone(&checks);
                Box::new(move |_| checks.load(Ordering::Relaxed))
            },
            telemetry: telemetry.clone(),
        };
        let outlet: Arc<dyn Outlet> =
            Arc::new(move |octets: &[u8], way| to_sent.lock().unwrap().push((octets.to_vec(), way)));
        Self { gate: Gate::new(clients, options), telemetry, sent, learned, checks, outlet, now: Cell::new(1000) }
    }

    pub(super) fn now(&self) -> Moment {
        Moment { tick: Tick(self.now.get()), wall: Wall(self.now.get()) }
    }

    pub(super) fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + u64::try_from(time.as_millis()).unwrap());
        self.gate.sweep(self.now());
    }

    /// A datagram comes along the usual way.
    pub(super) fn takes<'a>(&self, datagram: &'a [u8]) -> Admission<'a> {
        self.takes_along(datagram, way(1645))
    }

    pub(super) fn takes_along<'a>(&self, datagram: &'a [u8], way: Way) -> Admission<'a> {
        self.gate.admit(datagram, way, &self.outlet, self.now())
    }

    /// It must begin something.
    pub(super) fn admits<'a>(&self, datagram: &'a [u8]) -> Admitted<'a> {
        begun(self.takes(datagram))
    }

    /// It must be dealt with already.
    pub(super) fn settles(&self, datagram: &[u8]) -> Settled {
        settled(&self.takes(datagram))
    }

    pub(super) fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().unwrap().iter().map(|(octets, _)| octets.clone()).collect()
    }

    /// What the metric of drops says.
    pub(super) fn dropped(&self, client: &str, reason: &str) -> u64 {
        self.metric(&format!("vestibule_drops_total{{client=\"{client}\",reason=\"{reason}\"}}"))
    }

    pub(super) fn metric(&self, name: &str) -> u64 {
        let page = self.telemetry.render();
        page.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |rest| rest.trim().parse().unwrap())
    }
}

pub(super) fn begun(admission: Admission<'_>) -> Admitted<'_> {
    match admission {
        Admission::Login(admitted) => admitted,
        Admission::Settled(settled) => panic!("{settled:?}"),
    }
}

pub(super) fn settled(admission: &Admission<'_>) -> Settled {
    match admission {
        Admission::Login(admitted) => panic!("{admitted:?}"),
        Admission::Settled(settled) => *settled,
    }
}

/// From the appliance's port to the address that it knows.
pub(super) fn way(port: u16) -> Way {
    Way { peer: format!("192.0.2.10:{port}").parse().unwrap(), local: "198.51.100.1:1812".parse().unwrap() }
}

/// Answers a request with a Reject, and says what left.
pub(super) fn reject(admitted: Admitted<'_>, at: Moment) -> Vec<u8> {
    let (context, mut buffer) = (admitted.request.context(), Datagram::new());
    let reply = context.reply(ReplyCode::Reject, &mut buffer).sign(&admitted.client.config().secret).unwrap();
    let octets = reply.as_bytes().to_vec();
    admitted.ticket.answer(reply, at.tick);
    octets
}

/// A packet as it stands.
pub(super) fn packet(code: u8, identifier: u8, authenticator: [u8; 16], attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    [&[code, identifier], &length[..], &authenticator, attributes].concat()
}

/// An Access-Request without Message-Authenticator; its Request Authenticator is `seed` throughout.
pub(super) fn bare(identifier: u8, seed: u8, attributes: &[u8]) -> Vec<u8> {
    packet(1, identifier, [seed; 16], &[attributes, ALICE].concat())
}

/// The same with a right Message-Authenticator, last.
pub(super) fn signed(identifier: u8, seed: u8, attributes: &[u8]) -> Vec<u8> {
    sign(&bare(identifier, seed, attributes), SECRET)
}

/// Adds a Message-Authenticator (RFC 3579 §3.2).
pub(super) fn sign(packet: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut whole = [packet, &[80, 18], &[0; 16]].concat();
    let length = u16::try_from(whole.len()).unwrap().to_be_bytes();
    whole[2..4].copy_from_slice(&length);
    let digest = Hmac::<Md5>::new_from_slice(secret).unwrap().chain_update(&whole).finalize().into_bytes();
    let at = whole.len() - 16;
    whole[at..].copy_from_slice(&digest);
    whole
}

/// An attribute.
pub(super) fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(value.len() + 2).unwrap()], value].concat()
}

/// User-Name.
pub(super) const ALICE: &[u8] = b"\x01\x07alice";
/// Proxy-State, which a bare packet must not have.
pub(super) const PROXY_STATE: &[u8] = b"\x21\x04ab";
/// State.
pub(super) const STATE: &[u8] = b"\x18\x06abcd";
