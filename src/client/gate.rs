//! Each datagram's way in: look-up, parse, verify, learn, meet. Nothing before the look-up, nothing kept before the
//! verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;

use arc_swap::ArcSwap;
use login::{ClientName, Moment, Tick};
use wire::{AccountingAsk, Code, PacketView, Unverified, VerifiedRequest};

use super::advice::Refused;
use super::appliance::Memory;
use super::duplicates::{Bounds, Duplicates, Kept, Key, Met};
use super::prefixes::Prefixes;
use super::stance::Learning;
use super::{Client, Outlet, Ticket, Way, status};
use crate::config::ClientConfig;
use crate::telemetry::{AnswerCode, Answered, DropReason, Dropped, Received, Retransmitted, StanceLearned, Telemetry};

/// Octets of the longest packet (RFC 2865 §3).
const PACKET_OCTETS_MAX: usize = wire::PACKET_OCTETS_MAX;

/// What the gate is built with.
pub struct GateOptions {
    /// How much is kept for retransmits.
    pub bounds: Bounds,
    /// Each client's budget of primary failures by bare packets (rules D5), until a reload says another.
    pub bare_failures_per_minute: u32,
    /// Told each time that `auto` has learned a client, for the store to keep (rules E2). It must not wait.
    pub on_learned: Box<dyn Fn(&ClientName) + Send + Sync>,
    /// Whether a login through this client could be checked now (rules A10).
    pub can_check: Box<dyn Fn(&ClientName) -> bool + Send + Sync>,
    /// Counts and tells.
    pub telemetry: Telemetry,
}

/// The gate. One for all sockets: SO_REUSEPORT may move an appliance from one to another.
pub struct Gate {
    clients: ArcSwap<Clients>,
    duplicates: Arc<Duplicates>,
    options: GateOptions,
}

/// The clients of one configuration.
#[derive(Debug, Default)]
struct Clients {
    by_name: BTreeMap<ClientName, Arc<Client>>,
    by_address: Prefixes<Arc<Client>>,
}

/// What became of a datagram.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack for one packet, and a box would cost each login an allocation"
)]
pub enum Admission<'a> {
    /// It is a request that nobody has answered yet.
    Login(Admitted<'a>),
    /// There is nothing more to do.
    Settled(Settled),
}

/// A request that may begin or resume a login.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// The appliance, as the configuration in force knows it.
    pub client: Arc<Client>,
    /// The packet.
    pub request: VerifiedRequest<'a>,
    /// The way back.
    pub ticket: Ticket,
    /// It carried a verified Message-Authenticator; without, it joins and ends nothing (rules D5).
    pub authentic: bool,
}

/// A datagram that the gate has dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// A retransmit of a request in flight.
    Absorbed,
    /// A retransmit of an answered request: the same octets went out again.
    Repeated,
    /// A Status-Server, answered.
    Status,
    /// An Accounting-Request, answered.
    Accounted,
    /// Dropped and counted.
    Dropped(DropReason),
}

impl Gate {
    /// A gate for these clients.
    #[must_use]
    pub fn new(clients: &[ClientConfig], options: GateOptions) -> Self {
        let duplicates = Arc::new(Duplicates::new(options.bounds));
        let gate = Self { clients: ArcSwap::default(), duplicates, options };
        gate.reload(clients, gate.options.bare_failures_per_minute, Tick::default());
        gate
    }

    /// Takes a new configuration's clients and their budget of bare failures a minute (rules D5), all at once. What is
    /// remembered of a client stays with its name, failures that were counted among it, and so do retransmits.
    pub fn reload(&self, clients: &[ClientConfig], bare_failures_per_minute: u32, at: Tick) {
        let old = self.clients.load();
        let memory = |name| match old.by_name.get(name) {
            Some(client) => {
                client.budget().set_per_minute(bare_failures_per_minute, at);
                Arc::clone(client.memory())
            }
            None => Arc::new(Memory::new(bare_failures_per_minute)),
        };
        let meters = |name| self.options.telemetry.client(name);
        let new = clients
            .iter()
            .map(|config| Arc::new(Client::new(config.clone(), meters(&config.name), memory(&config.name))));
        self.clients.store(Arc::new(new.collect()));
    }

    /// Takes what the store knows of `auto`: which clients have learned (rules E2). Call it after a start, after each
    /// reload and now and then, because another node learns too and `vestibule client forget` takes back. What the
    /// store has not yet taken is told to [`GateOptions::on_learned`] again.
    pub fn take_learned(&self, learned: &BTreeSet<ClientName>) {
        for client in self.clients.load().by_name.values() {
            client.learn(|learning| learning.after_store(learned.contains(client.name())));
            if client.learning() == (Learning::Learned { stored: false }) {
                (self.options.on_learned)(client.name());
            }
        }
    }

    /// Lets one datagram in, or not. Answers that the gate gives itself leave through `outlet`.
    pub fn admit<'a>(&self, datagram: &'a [u8], way: Way, outlet: &Arc<dyn Outlet>, at: Moment) -> Admission<'a> {
        let way = way.canonical();
        let clients = self.clients.load();
        let Some(client) = clients.by_address.find(way.peer.ip()) else {
            return Admission::Settled(self.drop_unknown(way.peer));
        };
        self.options.telemetry.emit(Received { client: client.meters() });
        self.consider(datagram, way, client, outlet, at.tick).unwrap_or_else(|refused| {
            client.tell_drop(refused, way.peer, &self.options.telemetry);
            Admission::Settled(Settled::Dropped(refused.reason()))
        })
    }

    /// Answers what comes to an accounting port: it is verified, counted and answered, and goes nowhere else. A repeat is answered
    /// again: nothing is kept of it that could be counted twice.
    pub fn account(&self, datagram: &[u8], way: Way, outlet: &dyn Outlet, at: Moment) -> Settled {
        let way = way.canonical();
        let clients = self.clients.load();
        let Some(client) = clients.by_address.find(way.peer.ip()) else {
            return self.drop_unknown(way.peer);
        };
        self.options.telemetry.emit(Received { client: client.meters() });
        self.take_account(datagram, way, client, outlet, at.tick).unwrap_or_else(|refused| {
            client.tell_drop(refused, way.peer, &self.options.telemetry);
            Settled::Dropped(refused.reason())
        })
    }

    fn take_account(
        &self,
        datagram: &[u8],
        way: Way,
        client: &Client,
        outlet: &dyn Outlet,
        at: Tick,
    ) -> Result<Settled, Refused> {
        if datagram.len() > PACKET_OCTETS_MAX {
            return Err(Refused::TooLong);
        }
        let view = PacketView::parse(datagram).map_err(Refused::Malformed)?;
        let secret = &client.config().secret;
        let ask = view.verify_accounting(secret).map_err(Refused::Unverified)?;
        let (code, settled) = match &ask {
            AccountingAsk::Request(_) => (AnswerCode::Accounting, Settled::Accounted),
            AccountingAsk::Status(_) if client.may_have_status(at) => (AnswerCode::Status, Settled::Status),
            AccountingAsk::Status(_) => return Err(Refused::StatusRate),
        };
        // It fits: header, Message-Authenticator and Proxy-States stood in the request already.
        ask.respond(secret, |reply| outlet.send(reply.as_bytes(), way)).map_err(|_| Refused::TooLong)?;
        self.options.telemetry.emit(Answered { client: client.meters(), code });
        Ok(settled)
    }

    /// Forgets answers that are 30 s old. Call it every second.
    pub fn sweep(&self, at: Moment) {
        self.duplicates.sweep(at.tick);
    }

    /// What is kept for retransmits, over all clients.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.duplicates.kept()
    }

    /// The names of all clients in the configuration in force.
    #[must_use]
    pub fn names(&self) -> Vec<ClientName> {
        self.clients.load().by_name.keys().cloned().collect()
    }

    /// The client of this name, in the configuration in force.
    #[must_use]
    pub fn client(&self, name: &ClientName) -> Option<Arc<Client>> {
        self.clients.load().by_name.get(name).map(Arc::clone)
    }

    /// A look-up and two counters are all that a stranger costs (checklist A8).
    fn drop_unknown(&self, peer: SocketAddr) -> Settled {
        let telemetry = &self.options.telemetry;
        let (client, reason) = (telemetry.unknown_client(), DropReason::UnknownClient);
        telemetry.emit(Received { client });
        telemetry.emit(Dropped { client, peer, reason, detail: None, help: None });
        Settled::Dropped(reason)
    }

    fn consider<'a>(
        &self,
        datagram: &'a [u8],
        way: Way,
        client: &Arc<Client>,
        outlet: &Arc<dyn Outlet>,
        at: Tick,
    ) -> Result<Admission<'a>, Refused> {
        if datagram.len() > PACKET_OCTETS_MAX {
            return Err(Refused::TooLong);
        }
        let view = PacketView::parse(datagram).map_err(Refused::Malformed)?;
        if view.code() == Code::AccessRequest && view.message_authenticator().is_none() {
            client.learn(Learning::after_bare);
        }
        // "A packet that E1 and the client's stance don't admit never touches the cache" (B1): so this stands before
        // all that is kept.
        let request = view.verify(&client.config().secret, client.demand()).map_err(Refused::Unverified)?;
        match request.code() {
            Code::StatusServer => self.answer_status(&request, way, client, outlet, at).map(Admission::Settled),
            Code::AccessRequest => self.meet(request, way, client, outlet, at),
            Code::AccessAccept
            | Code::AccessReject
            | Code::AccountingRequest
            | Code::AccountingResponse
            | Code::AccessChallenge
            | Code::StatusClient
            | Code::DisconnectRequest
            | Code::DisconnectAck
            | Code::DisconnectNak
            | Code::CoaRequest
            | Code::CoaAck
            | Code::CoaNak
            | Code::ProtocolError => Err(Refused::Unverified(Unverified::NotARequest)),
        }
    }

    fn meet<'a>(
        &self,
        request: VerifiedRequest<'a>,
        way: Way,
        client: &Arc<Client>,
        outlet: &Arc<dyn Outlet>,
        at: Tick,
    ) -> Result<Admission<'a>, Refused> {
        let key = Key::of(way, &request);
        let (sameness, resumes) = (self.duplicates.sameness(&request), request.state().is_some());
        match self.duplicates.meet(key, sameness, &client.memory().share, resumes, at) {
            Met::New(id) => {
                let table = Arc::clone(&self.duplicates);
                let ticket =
                    Ticket::new(table, key, id, Arc::clone(outlet), Arc::clone(client), self.options.telemetry.clone());
                let authentic = request.had_message_authenticator();
                if authentic {
                    self.learn_from_verified(client, at);
                }
                Ok(Admission::Login(Admitted { client: Arc::clone(client), request, ticket, authentic }))
            }
            Met::InFlight => {
                self.options.telemetry.emit(Retransmitted { client: client.meters() });
                Ok(Admission::Settled(Settled::Absorbed))
            }
            Met::Answered(octets) => {
                self.options.telemetry.emit(Retransmitted { client: client.meters() });
                Ok(Admission::Settled(repeat(&octets, way, outlet)))
            }
            Met::Full => Err(Refused::Overload),
        }
    }

    /// RFC 5997 §4.2: an Access-Accept; never proxied, never kept, and no more often than a prober needs (checklist
    /// D12).
    fn answer_status(
        &self,
        request: &VerifiedRequest<'_>,
        way: Way,
        client: &Client,
        outlet: &Arc<dyn Outlet>,
        at: Tick,
    ) -> Result<Settled, Refused> {
        if !client.may_have_status(at) {
            return Err(Refused::StatusRate);
        }
        // Rules A10: an answer would keep the appliance with us, while its next server could check its logins.
        if !(self.options.can_check)(client.name()) {
            return Err(Refused::Unavailable);
        }
        // It fits: header, Message-Authenticator and Proxy-States stood in the request already.
        status::alive(request, client, |octets| outlet.send(octets, way)).map_err(|_| Refused::TooLong)?;
        self.options.telemetry.emit(Answered { client: client.meters(), code: AnswerCode::Status });
        Ok(Settled::Status)
    }

    fn learn_from_verified(&self, client: &Client, at: Tick) {
        if client.learn(|learning| learning.after_verified(at)) {
            self.options.telemetry.emit(StanceLearned { client: client.meters() });
            (self.options.on_learned)(client.name());
        }
    }
}

fn repeat(octets: &[u8], way: Way, outlet: &Arc<dyn Outlet>) -> Settled {
    if octets.is_empty() {
        return Settled::Absorbed;
    }
    outlet.send(octets, way);
    Settled::Repeated
}

impl FromIterator<Arc<Client>> for Clients {
    fn from_iter<I: IntoIterator<Item = Arc<Client>>>(clients: I) -> Self {
        let mut all = Self::default();
        for client in clients {
            client.config().networks.iter().for_each(|network| all.by_address.insert(*network, Arc::clone(&client)));
            all.by_name.insert(client.name().clone(), client);
        }
        all
    }
}

impl Way {
    /// One spelling for one way: IPv4 without its IPv6 disguise, and without the flow label, which may change from
    /// packet to packet.
    fn canonical(self) -> Self {
        Self { peer: canonical(self.peer), local: canonical(self.local) }
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(six) => match six.ip().to_ipv4_mapped() {
            Some(four) => SocketAddr::new(four.into(), six.port()),
            None => SocketAddr::V6(SocketAddrV6::new(*six.ip(), six.port(), 0, six.scope_id())),
        },
        SocketAddr::V4(_) => address,
    }
}
