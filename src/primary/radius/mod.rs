//! RADIUS servers behind us, in order, as one first door.
//!
//! Read it in this order: [`Radius`] picks the server and reads its reply; `server` carries one request's exchange with
//! one server; `lane` is a socket with its 256 Identifiers and verifies what comes; `pool` opens more of them;
//! [`schedule`] and `health` are pure; `repair` looks after a dead server.
//!
//! - Every request carries Message-Authenticator first and a fresh Request Authenticator; every reply is verified
//!   before it means anything, and a bad one never disturbs the request that waits (rules E1).
//! - A server that is silent to two transmissions of a request, with nothing else heard from it, is dead for 30 s, and its
//!   requests begin anew at the next. A conversation with State stays with its server (RFC 2865 §5.24, rules C3).
//! - It never follows a redirect, never asks two servers at once for one login, and never believes silence.

mod health;
mod ids;
mod lane;
mod pool;
mod repair;
pub mod schedule;
mod server;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use login::name::Realms;
use login::{PrimaryAnswer, PrimaryName, ResolvedUser, Unavailable, UserName};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use wire::{Code, Demand, HeldAttributes, SharedSecret, WrongSecret, log_safe};

pub use crate::config::{Host, ServerAddress};

use self::health::Death;
use self::lane::Heard;
use self::schedule::Schedule;
use self::server::{Outcome, Server, Shared};
use super::observer::{PrimaryObserver, ReplyDrop};
use crate::telemetry::Pulse;

use super::{BoxFuture, Clock, Primary, PrimaryRequest, UpstreamState, result_of};

/// Servers of one primary whose numbers are kept apart from another's.
const SERVERS_MAX: usize = 256;

/// What `[primary.NAME]` says.
#[derive(Clone, Debug)]
pub struct RadiusSettings {
    /// NAME.
    pub name: PrimaryName,
    /// In the order in which they are asked; at least one.
    pub servers: Vec<ServerAddress>,
    /// What we share with all of them.
    pub secret: SharedSecret,
    /// Whether their replies must carry Message-Authenticator; `Required` unless the admin says otherwise.
    pub demand: Demand,
    /// How a User-Name in an Accept is folded.
    pub realms: Realms,
    /// `resolved = "accept"`: an Accept that names no user opens nothing (rules A2).
    pub tells_user: bool,
}

/// What a primary needs of the house around it.
#[derive(Clone)]
pub struct Surroundings {
    /// The engine's clock.
    pub clock: Arc<dyn Clock>,
    /// Who watches.
    pub observer: Arc<dyn PrimaryObserver>,
    /// Owns the tasks that read sockets and look after dead servers.
    pub tracker: TaskTracker,
    /// Ends them.
    pub cancel: CancellationToken,
    /// Looks up the servers' names: [`by_the_system`], but in tests.
    pub look_up: LookUp,
    /// Whether this process has its share of the processor.
    pub pulse: Pulse,
}

/// Looks a name up; no address where that fails, for whatever reason.
pub type LookUp = Arc<dyn Fn(&str, u16) -> BoxFuture<'static, Vec<SocketAddr>> + Send + Sync>;

/// The operating system's way: its files, then DNS. It runs on a blocking thread of the runtime, not on one that carries packets.
#[must_use]
pub fn by_the_system() -> LookUp {
    Arc::new(|name: &str, port| {
        let name = name.to_owned();
        Box::pin(
            async move { tokio::net::lookup_host((&*name, port)).await.map(Iterator::collect).unwrap_or_default() },
        )
    })
}

/// A primary of RADIUS servers.
pub struct Radius {
    shared: Arc<Shared>,
    servers: Vec<Arc<Server>>,
    realms: Realms,
    tells_user: bool,
    /// Where the numbers of this primary's servers begin: another one's after a reload, so that the answer to a
    /// challenge never goes to whoever stands in the same place now (RFC 2865 §5.24).
    first_number: usize,
    /// A primary that is dropped, as a reload does, takes its readers and sockets with it.
    _readers: DropGuard,
}

impl Radius {
    /// Resolves the servers' names, for five seconds at most, and is ready; a name that has no address yet is tried again
    /// in the background. Opens no socket before it is asked.
    pub async fn start(settings: RadiusSettings, surroundings: Surroundings) -> Self {
        let Surroundings { clock, observer, tracker, cancel, look_up, pulse } = surroundings;
        let RadiusSettings { name, servers, secret, demand, realms, tells_user } = settings;
        let cancel = cancel.child_token();
        let readers = cancel.clone().drop_guard();
        let names = std::hash::RandomState::new();
        let schedule = Schedule::default();
        let shared = Arc::new(Shared {
            name,
            secret,
            demand,
            schedule,
            clock,
            observer,
            tracker,
            cancel,
            names,
            look_up,
            pulse,
        });
        let servers: Vec<_> =
            servers.into_iter().map(|address| Arc::new(Server::new(Arc::clone(&shared), address))).collect();
        let mut lookups = JoinSet::new();
        for server in servers.iter().map(Arc::clone) {
            lookups.spawn(async move {
                if !repair::resolve(&server).await {
                    server.die(Death::Unresolved);
                }
            });
        }
        while lookups.join_next().await.is_some() {}
        let named: Vec<_> = servers.iter().filter(|server| server.is_named()).map(Arc::clone).collect();
        if !named.is_empty() {
            shared.tracker.spawn(repair::watch_names(named, shared.cancel.clone()));
        }
        let first_number = usize::try_from(rand::random::<u32>()).unwrap_or_default() / SERVERS_MAX * SERVERS_MAX;
        Self { shared, servers, realms, tells_user, first_number, _readers: readers }
    }

    /// How many requests wait for a server now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.servers.iter().map(|server| server.in_flight()).sum()
    }

    async fn answer(&self, request: PrimaryRequest) -> PrimaryAnswer {
        // An empty password is asked of nobody (rules A3); the answer to a challenge may be empty.
        if request.password.is_empty() && request.upstream.is_none() {
            return self.refused("empty password");
        }
        let began = self.shared.clock.now();
        let deadline = request.deadline;
        let answer = tokio::select! {
            biased;
            answer = self.tour(&request) => answer,
            () = self.shared.clock.wait_until(deadline) => self.unavailable(),
        };
        let took = self.shared.clock.now().since(began);
        self.shared.observer.answered(result_of(&answer), took);
        answer
    }

    async fn tour(&self, request: &PrimaryRequest) -> PrimaryAnswer {
        match &request.upstream {
            Some(state) => self.resume(request, state).await,
            None => self.begin(request).await,
        }
    }

    /// A new login: each server in order, those that are alive first.
    async fn begin(&self, request: &PrimaryRequest) -> PrimaryAnswer {
        let mut last = None;
        let mut tried_dead = false;
        // Each server may die and revive under the request; twice around is enough for one login.
        for _ in 0..=self.servers.len().saturating_mul(2) {
            let Some((index, server)) = self.pick(last, &mut tried_dead) else { break };
            last = Some(index);
            match server.exchange(request, false, || self.alive_beside(index)).await {
                Outcome::Heard(heard) => return self.read(heard, index, request),
                Outcome::Dead => {}
                Outcome::Moved => last = None,
                Outcome::Silent => break,
                Outcome::Full => return self.overloaded(server),
                Outcome::Short(why) => return self.short(&why),
                Outcome::TooLarge => return self.too_large(),
                Outcome::Stopping => return self.stopping(),
            }
        }
        self.unavailable()
    }

    /// The answer to a challenge goes to the server that asked, and nowhere else (RFC 2865 §5.24, checklist D11).
    async fn resume(&self, request: &PrimaryRequest, state: &UpstreamState) -> PrimaryAnswer {
        let index = state.server.checked_sub(self.first_number);
        let Some((index, server)) = index.and_then(|index| Some((index, self.servers.get(index)?))) else {
            return self.refused("the server that sent the challenge is no longer configured");
        };
        loop {
            match server.exchange(request, true, || false).await {
                Outcome::Heard(heard) => return self.read(heard, index, request),
                Outcome::Moved => {}
                Outcome::Dead | Outcome::Silent => return self.unavailable(),
                Outcome::Full => return self.overloaded(server),
                Outcome::Short(why) => return self.short(&why),
                Outcome::TooLarge => return self.too_large(),
                Outcome::Stopping => return self.stopping(),
            }
        }
    }

    /// The first that is alive and was not just left; the first of all once, when none is: somebody must find out.
    fn pick(&self, last: Option<usize>, tried_dead: &mut bool) -> Option<(usize, &Arc<Server>)> {
        let alive = self.servers.iter().enumerate().find(|(index, server)| Some(*index) != last && server.is_alive());
        alive.or_else(|| {
            let first = self.servers.first().filter(|_| !std::mem::replace(tried_dead, true));
            first.map(|server| (0, server))
        })
    }

    fn alive_beside(&self, index: usize) -> bool {
        self.servers.iter().enumerate().any(|(other, server)| other != index && server.is_alive())
    }

    fn read(&self, heard: Heard, server: usize, request: &PrimaryRequest) -> PrimaryAnswer {
        let attributes = match heard.attributes {
            Ok(attributes) => attributes,
            Err(wrong) => return self.unreadable(server, wrong),
        };
        if heard.code == Code::AccessAccept {
            return self.accepted(attributes, request);
        }
        if heard.code == Code::AccessChallenge {
            let state = attributes.state().map(Arc::from);
            let server = self.first_number + server;
            return PrimaryAnswer::Challenge { attributes: Arc::new(attributes.for_challenge()), state, server };
        }
        // `lane` lets only Accept, Challenge and Reject through; whatever is not a yes is a no (rules A1).
        let why = self.reject_reason(&attributes);
        PrimaryAnswer::Reject { attributes: Arc::new(attributes.for_reject()), why }
    }

    /// The resolved user is the Accept's User-Name, else the request's (rules A2).
    fn accepted(&self, attributes: HeldAttributes, request: &PrimaryRequest) -> PrimaryAnswer {
        let user = match attributes.user_name() {
            None if self.tells_user => {
                let name = &self.shared.name;
                return self.refused(&format!(
                    "its Access-Accept names no user, and resolved = \"accept\" in [primary.{name}] wants one: let that server send User-Name in \
                     its Access-Accept, or take the key out"
                ));
            }
            None => request.claimed.clone(),
            Some(name) => match self.resolve(name) {
                Ok(user) => user,
                Err(why) => return self.refused(&why),
            },
        };
        PrimaryAnswer::Accept { user, attributes: Arc::new(attributes.for_accept()) }
    }

    fn resolve(&self, name: &[u8]) -> Result<ResolvedUser, String> {
        UserName::parse(name, &self.realms).map(|name| name.claimed()).map_err(|why| {
            format!(
                "its Accept names a user that can't be one ({}: {}); mend the server's User-Name reply or [realms]",
                why.sentence(),
                log_safe(name)
            )
        })
    }

    fn reject_reason(&self, attributes: &HeldAttributes) -> Arc<str> {
        let said = attributes.reply_message().map(|message| format!(" ({})", log_safe(&message))).unwrap_or_default();
        format!("primary {} said Access-Reject{said}", self.shared.name).into()
    }

    /// The authenticators were right, so the secret is; one hidden value is not readable all the same. No door opens on it.
    fn unreadable(&self, server: usize, wrong: WrongSecret) -> PrimaryAnswer {
        let label = self.servers.get(server).map(|server| Arc::clone(&server.label)).unwrap_or_default();
        let name = &self.shared.name;
        self.failed(format!(
            "primary {name}: the reply of {label} can't be read: {wrong}; compare secrets/primary.{name} with the secret on that \
             server, or remove that attribute there"
        ))
    }

    fn too_large(&self) -> PrimaryAnswer {
        self.refused(
            "the request does not fit: a password over 128 octets, or more than 4096 octets or 200 attributes in all",
        )
    }

    fn stopping(&self) -> PrimaryAnswer {
        self.failed(format!("primary {}: the service is stopping", self.shared.name))
    }

    fn overloaded(&self, server: &Server) -> PrimaryAnswer {
        let name = &self.shared.name;
        self.failed(format!(
            "primary {name}: overload: too many requests are in flight to {}; find out why it answers slowly",
            server.label
        ))
    }

    /// Nobody's fault but ours, and no outage of anybody (rules A5).
    fn short(&self, why: &str) -> PrimaryAnswer {
        self.failed(format!(
            "primary {}: this server has no socket to ask it with: {why}; see its limits (LimitNOFILE= in the systemd unit), its memory and \
             its ports",
            self.shared.name
        ))
    }

    fn failed(&self, why: String) -> PrimaryAnswer {
        PrimaryAnswer::Unavailable(Unavailable::seen(why))
    }

    fn refused(&self, why: &str) -> PrimaryAnswer {
        let why = format!("primary {}: {why}", self.shared.name).into();
        PrimaryAnswer::Reject { attributes: Arc::new(HeldAttributes::none(Code::AccessReject)), why }
    }

    /// Nobody answered: which servers, since when, and what to look at.
    fn unavailable(&self) -> PrimaryAnswer {
        let told: Vec<String> = self.servers.iter().map(|server| self.tell(server)).collect();
        // An outage counts only when every server's is more than one user's bad luck (rules A5).
        let confirmed = !self.servers.is_empty() && self.servers.iter().all(|server| server.health().is_confirmed());
        let why = format!("primary {} did not answer: {}", self.shared.name, told.join("; ")).into();
        PrimaryAnswer::Unavailable(Unavailable { why, confirmed, ours: false })
    }

    fn tell(&self, server: &Server) -> String {
        let health = server.health();
        let label = &server.label;
        let name = &self.shared.name;
        if let Some(reason) = health.disbelieved() {
            return format!("{label} sends replies that were dropped ({}): {}", reason.as_str(), mend(reason, name));
        }
        let Some((since, death)) = health.ill() else {
            return format!("{label} answers others but not this request in time");
        };
        let seconds = self.shared.clock.now().since(since).as_secs();
        match death {
            Death::Refused => {
                format!(
                    "{label} has been refusing packets for {seconds} s: check the address and the port, and that the server runs"
                )
            }
            Death::Unresolved => {
                format!("{label} has had no address for {seconds} s: check the name and this host's DNS")
            }
            Death::Silent => format!(
                "{label} has been silent for {seconds} s: check that it runs, that UDP reaches it, and that it knows this host as a \
                 RADIUS client with the secret in secrets/primary.{name} (servers answer a wrong secret with silence)"
            ),
        }
    }
}

impl Primary for Radius {
    fn name(&self) -> &PrimaryName {
        &self.shared.name
    }

    /// A server that is dead is tried again after its time, because many never answer a probe: until then it answers nobody.
    fn is_answering(&self) -> bool {
        self.servers.iter().any(|server| server.is_alive())
    }

    fn look_again(&self) {
        for server in self.servers.iter().filter(|server| server.is_named()).map(Arc::clone) {
            self.shared.tracker.spawn(async move { repair::look_again(&server, true).await });
        }
    }

    fn ask(&self, request: PrimaryRequest) -> BoxFuture<'_, PrimaryAnswer> {
        Box::pin(self.answer(request))
    }
}

fn mend(reason: ReplyDrop, name: &PrimaryName) -> String {
    match reason {
        ReplyDrop::BadAuthenticator | ReplyDrop::BadMessageAuthenticator => {
            format!("compare secrets/primary.{name} with the secret on that server")
        }
        ReplyDrop::MissingMessageAuthenticator => format!(
            "let that server send Message-Authenticator (CVE-2024-3596: update it), or set require_message_authenticator = \"no\" in \
             [primary.{name}] and accept the risk"
        ),
        ReplyDrop::ProxyState => {
            "it returns a Proxy-State that was not sent, the mark of a forgery (CVE-2024-3596)".to_owned()
        }
        ReplyDrop::WrongCode => "check that the port is its authentication port, 1812 as a rule".to_owned(),
        ReplyDrop::Malformed | ReplyDrop::Unexpected => {
            "check what listens there, and whether somebody forges its replies".to_owned()
        }
    }
}
