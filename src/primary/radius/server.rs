//! One RADIUS server: its address, its sockets, its health, and one request's exchange with it.
//!
//! An exchange sends the same octets by the schedule until a verified reply comes, and leaves early when the server is
//! dead and there is somebody else to ask. A request that was given up leaves its Identifier resting.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use login::outage::Outage;
use login::{PrimaryName, Tick};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{
    Attribute, Code, Datagram, Demand, Full, PACKET_OCTETS_MAX, RequestWriter, SentRequest, SharedSecret, kind,
};

use super::health::{DEAD_FOR, Death, Health};
use super::lane::{Heard, Lane};
use super::pool::{Place, Pool};
use super::schedule::{Expired, Jitter, Schedule, Transmissions};
use super::{Host, LookUp, ServerAddress, repair};
use crate::primary::observer::{PrimaryObserver, ReplyDrop};
use crate::primary::{Clock, PrimaryRequest};
use crate::telemetry::{InFlight, Pulse};

/// How long a request waits for an Identifier when all are taken.
const IDENTIFIER_WAIT: Duration = Duration::from_millis(500);

/// A server that is silent to so many transmissions of a request is dead.
const SILENT_TRANSMISSIONS: u32 = 2;

/// What all servers of a primary share.
pub(super) struct Shared {
    pub(super) name: PrimaryName,
    pub(super) secret: SharedSecret,
    pub(super) demand: Demand,
    pub(super) schedule: Schedule,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn PrimaryObserver>,
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
    /// Keys the hashes of names in health records.
    pub(super) names: RandomState,
    /// Looks up the servers' names.
    pub(super) look_up: LookUp,
    /// Whether this process has its share of the processor.
    pub(super) pulse: Pulse,
}

/// One server.
pub(super) struct Server {
    pub(super) shared: Arc<Shared>,
    pub(super) address: ServerAddress,
    /// The address as the configuration writes it, for people and metrics.
    pub(super) label: Arc<str>,
    pool: Mutex<Option<Arc<Pool>>>,
    health: Mutex<Health>,
    deaths: watch::Sender<Option<Death>>,
    in_flight: AtomicUsize,
    freed: Notify,
    repairing: AtomicBool,
    /// The last look-up did not lead to the present address any more.
    pub(super) astray: AtomicBool,
}

/// How an exchange ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A verified reply.
    Heard(Heard),
    /// The server is dead, and the request begins anew at another.
    Dead,
    /// The server's address changed under the request, which begins anew.
    Moved,
    /// The schedule is over, or the client's time is.
    Silent,
    /// No Identifier is free.
    Full,
    /// This system is itself short of what a socket takes; what it said.
    Short(String),
    /// The request doesn't fit into a packet.
    TooLarge,
    /// The service is stopping, or this primary was replaced.
    Stopping,
}

impl Server {
    /// A server that is not yet resolved; [`repair::resolve`] does that.
    pub(super) fn new(shared: Arc<Shared>, address: ServerAddress) -> Self {
        let pool = match &address.host {
            Host::Address(host) => Some(Arc::new(Pool::new(SocketAddr::new(*host, address.port)))),
            Host::Name(_) => None,
        };
        Self {
            shared,
            label: address.to_string().into(),
            address,
            pool: Mutex::new(pool),
            health: Mutex::default(),
            deaths: watch::Sender::new(None),
            in_flight: AtomicUsize::new(0),
            freed: Notify::new(),
            repairing: AtomicBool::new(false),
            astray: AtomicBool::new(false),
        }
    }

    /// Whether it has a name, which may lead elsewhere one day.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.address.host, Host::Name(_))
    }

    /// Whether requests go to it.
    pub(super) fn is_alive(&self) -> bool {
        self.health().is_alive(self.shared.clock.now())
    }

    /// What is known of it.
    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests wait for it.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Where it is reached now.
    pub(super) fn current(&self) -> Option<SocketAddr> {
        self.pool().as_ref().map(|pool| pool.address())
    }

    /// Asks it. `elsewhere` says whether there is another server to ask; a `bound` request stays here whatever happens.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        request: &PrimaryRequest,
        bound: bool,
        elsewhere: impl Fn() -> bool,
    ) -> Outcome {
        // The lanes are closed then: without this a request would begin anew on them without end.
        if self.shared.cancel.is_cancelled() {
            return Outcome::Stopping;
        }
        let mut deaths = self.deaths.subscribe();
        let ticket = match self.ticket(bound).await {
            Ok(Some(ticket)) => ticket,
            Ok(None) => return Outcome::Full,
            Err(no_place) => return self.unreachable(request, &no_place),
        };
        let sent = match self.write(request, ticket.id) {
            Ok(sent) => Arc::new(sent),
            Err(Full) => return Outcome::TooLarge,
        };
        let mut reply = ticket.lane.wait(Arc::clone(&sent));
        let since = self.shared.pulse.mark();
        let mut transmissions = Transmissions::begin(self.shared.schedule, self.shared.clock.now(), self.jitter());
        self.transmit(&ticket.lane, &sent).await;
        loop {
            let wake = transmissions.due().min(request.deadline);
            tokio::select! {
                biased;
                heard = &mut reply => return ticket.closed_by(heard.ok()),
                Ok(()) = deaths.changed(), if !bound => {
                    let refused = *deaths.borrow_and_update() != Some(Death::Silent);
                    if refused || elsewhere() {
                        self.health().suffer(self.hash(request));
                        return Outcome::Dead;
                    }
                }
                () = self.shared.clock.wait_until(wake) => {
                    let now = self.shared.clock.now();
                    // Rules A5: a silence that we may have slept through is no server's.
                    if transmissions.count() >= SILENT_TRANSMISSIONS && self.shared.pulse.was_steady(since).await {
                        self.silent(transmissions.first(), now, self.hash(request));
                    }
                    if now >= request.deadline {
                        return Outcome::Silent;
                    }
                    if !bound && !self.is_alive() && elsewhere() {
                        return Outcome::Dead;
                    }
                    match transmissions.expire(now, self.jitter()) {
                        Expired::Failed => return Outcome::Silent,
                        Expired::Resend => {
                            self.shared.observer.retransmitted(&self.label);
                            self.transmit(&ticket.lane, &sent).await;
                        }
                    }
                }
            }
        }
    }

    /// A verified reply came from it.
    pub(super) fn heard(&self) {
        let revived = self.health().heard(self.shared.clock.now());
        if revived {
            self.shared.observer.server_revived(&self.label);
        }
    }

    /// A verified answer to a probe came from it.
    pub(super) fn heard_probe(&self) {
        let revived = self.health().heard_probe(self.shared.clock.now());
        if revived {
            self.shared.observer.server_revived(&self.label);
        }
    }

    /// It is dead: its requests leave, and somebody looks after it.
    pub(super) fn die(self: &Arc<Self>, death: Death) {
        let was_well = self.health().die(death, self.shared.clock.now());
        self.after_death(death, was_well);
    }

    /// It is reached at another address from now on; what waits at the old one begins anew.
    pub(super) fn move_to(&self, address: SocketAddr) {
        let old = self.pool().replace(Arc::new(Pool::new(address)));
        self.health().moved();
        self.shared.observer.server_moved(&self.label, Some(address));
        if let Some(old) = old {
            old.close();
        }
    }

    /// The one repair task ends, unless the server died again meanwhile.
    pub(super) fn repaired(&self) -> bool {
        self.repairing.store(false, Ordering::Release);
        self.is_alive() || self.repairing.swap(true, Ordering::AcqRel)
    }

    fn after_death(self: &Arc<Self>, death: Death, was_well: bool) {
        if was_well {
            self.shared.observer.server_died(&self.label, death.as_str(), DEAD_FOR);
        }
        self.deaths.send_replace(Some(death));
        if !self.repairing.swap(true, Ordering::AcqRel) {
            self.shared.tracker.spawn(repair::until_alive(Arc::clone(self)));
        }
    }

    fn silent(self: &Arc<Self>, first: Tick, now: Tick, user: u64) {
        let (was_alive, was_well, died) = {
            let mut health = self.health();
            (health.is_alive(now), health.ill().is_none(), health.silent(first, now, user))
        };
        // Those that wait are woken once; later timeouts of theirs only prolong the death.
        if died && was_alive {
            self.after_death(Death::Silent, was_well);
        }
    }

    /// No socket could be opened: the name has no address, its network has no route, or our own system is short of sockets,
    /// which says nothing about the server (rules A5).
    fn unreachable(self: &Arc<Self>, request: &PrimaryRequest, no_place: &NoPlace) -> Outcome {
        let death = match no_place {
            NoPlace::NoAddress => Death::Unresolved,
            NoPlace::System(error) if Outage::of(error).is_some() => Death::Refused,
            NoPlace::System(error) => return Outcome::Short(error.to_string()),
        };
        self.die(death);
        self.health().suffer(self.hash(request));
        Outcome::Dead
    }

    /// A place for one request; `None` when all Identifiers are taken and none became free within a moment.
    async fn ticket(self: &Arc<Self>, has_state: bool) -> Result<Option<Ticket>, NoPlace> {
        let patience = self.shared.clock.now().plus(IDENTIFIER_WAIT);
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.place(has_state)? {
                return Ok(Some(Ticket::new(self, place)));
            }
            tokio::select! {
                () = freed => {}
                () = self.shared.clock.wait_until(patience) => return Ok(None),
            }
        }
    }

    fn place(&self, has_state: bool) -> Result<Option<Place>, NoPlace> {
        let pool = self.pool().clone().ok_or(NoPlace::NoAddress)?;
        pool.place(has_state, self.shared.clock.now()).map_err(NoPlace::System)
    }

    fn pool(&self) -> MutexGuard<'_, Option<Arc<Pool>>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn transmit(self: &Arc<Self>, lane: &Lane, sent: &SentRequest) {
        if let Err(error) = lane.send(sent).await {
            self.socket_failed(&error);
        }
    }

    /// What the system says of a socket: a refusal counts as silence at once; the rest, the schedule will tell.
    fn socket_failed(self: &Arc<Self>, error: &io::Error) {
        if Outage::of(error).is_some() {
            self.die(Death::Refused);
        }
    }

    pub(super) fn dropped(&self, reason: ReplyDrop) {
        self.health().disbelieve(reason);
        self.shared.observer.reply_dropped(&self.label, reason);
    }

    /// Message-Authenticator stands first by the writer (rules E1); the password is hidden anew for this hop.
    fn write(&self, request: &PrimaryRequest, id: u8) -> Result<SentRequest, Full> {
        let mut buffer = Datagram::new();
        // A fresh, unpredictable Request Authenticator for each request (RFC 2865 §3, checklist B19).
        let mut writer = RequestWriter::new(Code::AccessRequest, id, rand::random(), &mut buffer);
        writer.push(Attribute::new(kind::USER_NAME, &request.user_octets))?;
        writer.push_password(&request.password, &self.shared.secret)?;
        for attribute in request.forwarded.attributes() {
            writer.push(attribute)?;
        }
        if let Some(state) = &request.upstream {
            writer.push(Attribute::new(kind::STATE, &state.octets))?;
        }
        Ok(writer.sign(&self.shared.secret))
    }

    fn jitter(&self) -> Jitter {
        Jitter::draw(rand::random())
    }

    fn hash(&self, request: &PrimaryRequest) -> u64 {
        self.shared.names.hash_one(request.claimed.as_str())
    }
}

/// Why a request has no socket.
enum NoPlace {
    /// The name has no address, and never had one.
    NoAddress,
    /// What the system said.
    System(io::Error),
}

/// One request's Identifier on one lane, given back when dropped.
struct Ticket {
    server: Arc<Server>,
    lane: Arc<Lane>,
    id: u8,
    answered: bool,
    /// Counts the request in the metrics for as long as it waits.
    _gauge: Option<InFlight>,
}

impl Ticket {
    fn new(server: &Arc<Server>, place: Place) -> Self {
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        let gauge = server.shared.observer.request_begins();
        if place.is_new {
            server.shared.tracker.spawn(listen(Arc::clone(server), Arc::clone(&place.lane)));
        }
        Self { server: Arc::clone(server), lane: place.lane, id: place.id, answered: false, _gauge: gauge }
    }

    fn closed_by(mut self, heard: Option<Heard>) -> Outcome {
        self.answered = heard.is_some();
        heard.map_or(Outcome::Moved, Outcome::Heard)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.give_back(self.id, self.answered, self.server.shared.clock.now());
        self.server.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.server.freed.notify_one();
    }
}

/// Hears all that a server says on one lane, until the lane or the service ends.
async fn listen(server: Arc<Server>, lane: Arc<Lane>) {
    let mut buffer = vec![0; PACKET_OCTETS_MAX + 1];
    loop {
        let received = tokio::select! {
            biased;
            () = server.shared.cancel.cancelled() => break,
            () = lane.ended() => return,
            received = lane.receive(&mut buffer) => received,
        };
        match received {
            Ok(length) => hear(&server, &lane, buffer.get(..length).unwrap_or_default()),
            Err(error) => server.socket_failed(&error),
        }
    }
    lane.close();
}

fn hear(server: &Server, lane: &Lane, datagram: &[u8]) {
    match lane.accept(datagram, &server.shared.secret, server.shared.demand) {
        Ok(()) => server.heard(),
        Err(reason) => server.dropped(reason),
    }
}
