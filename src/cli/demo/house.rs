//! The whole proxy in one process on loopback: home, policy, upstream, server, people, appliances.
//!
//! It starts what `serve` starts, from a policy file like any other, and adds the loopback phones. The policy file stays
//! readable while the demo runs, so that `vestibule -c` can be tried on it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use login::{GroupName, ResolvedUser};
use tokio_util::sync::CancellationToken;
use wire::{Secret, SharedSecret};

use super::app::Apps;
use super::appliance::Appliance;
use super::board::{Board, Recorded};
use super::home::Home;
use super::nps::Nps;
use super::people::{CAROL, EVERYBODY, Has};
use super::phone::Phones;
use crate::config::{Config, PublicUrl};
use crate::engine::Clock;
use crate::enrolment::{Account, BeginPhone, EnrolmentError, Qr, TokenWish, add_device, add_token, begin_phone};
use crate::serve::{Extras, Server, StartError};
use crate::store::{Channel, DeviceState, KeyError, NewUser, Store, StoreError, StoreKey};

/// What the phones show for an account.
const ACCOUNT_NAME: &str = "Vestibule demo";
/// Where the demo's own ports are.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// So many of them are looked at.
const PORTS_TRIED_MAX: usize = 100;
/// Records are looked for this often.
const RECORDS_EVERY: Duration = Duration::from_millis(50);
/// Carol's phone on the board, and the one in a tab.
const DEVICES_MAX: usize = 2;
/// Records taken at once.
const RECORDS_AT_ONCE: usize = 50;

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    /// The directory, a file or a socket.
    #[error("the demo can't be set up: {0}; it needs a temporary directory that it can write to, and loopback")]
    Io(#[from] io::Error),
    /// Our own policy file.
    #[error("the demo's own policy is refused, which is a mistake of ours:\n{0}")]
    Policy(String),
    /// The store's key.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The server.
    #[error("{0}")]
    Start(#[from] StartError),
    /// A token or a device.
    #[error("{0}")]
    Enrolment(#[from] EnrolmentError),
    /// A picture that can't be.
    #[error("the demo's enrolment code could not be drawn, which is a mistake of ours")]
    Picture,
}

/// All of it, running.
pub(super) struct House {
    pub(super) server: Server,
    pub(super) board: Arc<Board>,
    pub(super) home: Home,
    pub(super) radius: SocketAddr,
    /// The appliance that everybody uses.
    pub(super) vpn: Appliance,
    /// The other one, with a secret of its own.
    pub(super) other_vpn: Appliance,
    /// What the authenticator apps show.
    pub(super) apps: Apps,
    /// Alice's enrolment code.
    pub(super) alice: Qr,
    /// The users' portal, where carol's phone is a page.
    pub(super) portal: PublicUrl,
    /// The staff's pages.
    pub(super) admin: PublicUrl,
    cancel: CancellationToken,
}

impl House {
    /// Builds and starts everything.
    pub(super) async fn start(board: Arc<Board>, radius_port: Option<u16>) -> Result<Self, DemoError> {
        let home = Home::make()?;
        let cancel = CancellationToken::new();
        let passwords = EVERYBODY.iter().map(|person| (person.name, person.secret())).collect::<BTreeMap<_, _>>();
        let (upstream, vpn, other) =
            (secret(&home, "primary.nps")?, secret(&home, "client.vpn")?, secret(&home, "client.other-vpn")?);
        let nps = Nps::bind(upstream, passwords, Arc::clone(&board)).await?;
        let port = radius_port.map_or_else(free_udp_port, Ok)?;
        let policy = policy(port, [free_tcp_port()?, free_tcp_port()?, free_tcp_port()?], nps.address()?);
        StoreKey::generate(&home.at("store.key"))?;
        let file = home.write("vestibule.toml", &policy)?;
        let config = Config::load(&file).map_err(|mistakes| DemoError::Policy(mistakes.render(false)))?.config;
        let portal = config.portal.as_ref().map(|portal| portal.pages.url.clone());
        let portal = portal.ok_or_else(|| DemoError::Policy("it has no [portal] url".to_owned()))?;
        let admin = config.admin.as_ref().map(|admin| admin.pages.url.clone());
        let admin = admin.ok_or_else(|| DemoError::Policy("it has no [admin]".to_owned()))?;
        tokio::spawn(nps.run(cancel.clone()));
        let server = Server::start(config, Extras { channels: vec![Arc::new(Phones(Arc::clone(&board)))] }).await?;
        let radius = server.radius().first().copied().unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into());
        let at = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let alice = enrol_everybody(&server, &home).await?.ok_or(DemoError::Picture)?;
        let apps = Apps { store: Arc::clone(server.store()), engine: server.engine().clone(), clock: server.clock() };
        let house = Self {
            vpn: Appliance::new("vpn", at(1), radius, vpn, Arc::clone(&board)),
            other_vpn: Appliance::new("other-vpn", at(2), radius, other, Arc::clone(&board)),
            server,
            board,
            home,
            radius,
            apps,
            alice,
            portal,
            admin,
            cancel,
        };
        house.put_records_on_board();
        Ok(house)
    }

    /// The clock of the house.
    pub(super) fn clock(&self) -> Clock {
        self.server.clock()
    }

    /// Ends with the house: for tasks beside it.
    pub(super) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// What a browser needs to be carol's phone.
    pub(super) fn carols_phone(&self) -> CarolsPhone {
        CarolsPhone { store: Arc::clone(self.server.store()), clock: self.clock(), portal: self.portal.clone() }
    }

    /// Stops from the outside in, and leaves nothing behind.
    pub(super) async fn stop(self) {
        self.cancel.cancel();
        self.server.stop().await;
    }

    fn put_records_on_board(&self) {
        let (store, board, clock) = (Arc::clone(self.server.store()), Arc::clone(&self.board), self.clock());
        let cancel = self.cancel.clone();
        tokio::spawn(async move {
            let mut seq = 0;
            while !cancel.is_cancelled() {
                for stored in store.records_after(seq, RECORDS_AT_ONCE).await.unwrap_or_default() {
                    seq = stored.seq;
                    let record = serde_json::from_str(&stored.json).unwrap_or_default();
                    board.record(Recorded { seq, record });
                }
                clock.wait(RECORDS_EVERY).await;
            }
        });
    }
}

/// Makes a browser tab carol's phone: the real page, served as `serve` serves it. That whoever has the demo's address may do so
/// is the demo's own shortcut (rules F5).
#[derive(Clone)]
pub(super) struct CarolsPhone {
    store: Arc<dyn Store>,
    clock: Clock,
    portal: PublicUrl,
}

impl CarolsPhone {
    /// Where the tab goes: to the page with a fresh code, or, once a tab is her phone, to the page alone.
    ///
    /// # Errors
    /// The store.
    pub(super) async fn address(&self) -> Result<Secret, EnrolmentError> {
        let user = ResolvedUser::new(CAROL.name);
        let devices = self.store.list_devices(&user).await?;
        if devices.iter().any(|device| device.channel == Channel::WebPush && device.state == DeviceState::Active) {
            return Ok(Secret::new(format!("{}/phone/", self.portal)));
        }
        let begin = BeginPhone {
            store: &*self.store,
            user: &user,
            channel: Channel::WebPush,
            label: Some("carol's phone in a browser tab"),
            portal_url: &self.portal,
            account_name: ACCOUNT_NAME,
            needs_test: false,
            devices_max: DEVICES_MAX,
            at: self.clock.moment().wall,
        };
        Ok(begin_phone(begin).await?.url)
    }
}

/// Adds the people with what they have; returns the picture of alice's token, the first one that is made.
async fn enrol_everybody(server: &Server, home: &Home) -> Result<Option<Qr>, DemoError> {
    let store = server.store();
    let mut picture = None;
    for person in EVERYBODY {
        let at = server.clock().moment().wall;
        let user = ResolvedUser::new(person.name);
        let groups = person.groups.iter().map(|group| GroupName::folded(group)).collect();
        store
            .add_user(NewUser { name: user.clone(), groups, mail: None, password_hash: None, by_staff: None }, at)
            .await?;
        home.write(&format!("{}.password", person.name), &format!("{}\n", person.password))?;
        match person.has {
            Has::Totp => {
                let account = Account { issuer: ACCOUNT_NAME, user: &user };
                let token = add_token(store.as_ref(), account, TokenWish::usual(), at).await?;
                picture = picture.or(token.qr);
            }
            Has::Phone => {
                let label = Some(format!("{}'s phone", person.name));
                add_device(store.as_ref(), &user, Channel::Loopback, label, at).await?;
            }
        }
    }
    Ok(picture)
}

/// A random shared secret, in its file.
fn secret(home: &Home, name: &str) -> io::Result<SharedSecret> {
    let text = HEXLOWER.encode(&rand::random::<[u8; 16]>());
    home.write(&format!("secrets/{name}"), &format!("{text}\n"))?;
    Ok(SharedSecret::new(Secret::new(text)))
}

/// A port that nobody has now, below those that a system gives to whoever asks for any: so hardly anybody comes to take it before
/// we do. Who does makes the start fail with a sentence that says so.
fn free_port(is_free: impl Fn(SocketAddr) -> io::Result<()>) -> io::Result<u16> {
    let mut taken = None;
    for _ in 0..PORTS_TRIED_MAX {
        let port = rand::random_range(PORTS);
        match is_free((Ipv4Addr::LOCALHOST, port).into()) {
            Ok(()) => return Ok(port),
            Err(why) => taken = Some(why),
        }
    }
    Err(taken.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

fn free_udp_port() -> io::Result<u16> {
    free_port(|at| UdpSocket::bind(at).map(drop))
}

fn free_tcp_port() -> io::Result<u16> {
    free_port(|at| TcpListener::bind(at).map(drop))
}

/// The demo's policy: short, and like a real one but for its delays.
fn policy(radius: u16, [metrics, portal, admin]: [u16; 3], nps: SocketAddr) -> String {
    format!(
        r#"# The policy of the demo. Everything here listens on loopback, and is gone when the demo ends.

[radius]
listen = "127.0.0.1:{radius}"

[store]
url = "sqlite:vestibule.db"
key_file = "store.key"

[metrics]
listen = "127.0.0.1:{metrics}"

[portal]                           # without TLS, because it is on loopback
listen = "127.0.0.1:{portal}"
url = "http://127.0.0.1:{portal}"
account_name = "{ACCOUNT_NAME}"
sign_in = "nps"
help_desk = "This is a demo: nobody to call"

[admin]                            # the staff's pages; grace is in that group
listen = "127.0.0.1:{admin}"
sign_in = "nps"
roles = {{ admin = ["service desk"] }}

[method.push]                      # a page in a browser tab is a phone, too
channels = ["webpush"]
vapid_contact = "mailto:nobody@example.com"

[primary.nps]
radius = "{nps}"

[client.vpn]
address = "127.0.0.1"
primary = "nps"
gives_up_after = "60s"             # so long a push is held
append = ","                       # password,123456 is taken too

[client.other-vpn]
address = "127.0.0.2"
primary = "nps"

[limits]                           # brisk, because it is a demo
reject_delay = "200ms"
push_quiet = "5s"
push_quiet_max = "10s"
drain_within = "1s"

[[rule]]
name = "staff"
when = {{ group = "staff" }}
second_factor = ["push", "totp"]   # whoever has a phone is rung, the others are asked for a code

[[rule]]
name = "everyone else"
deny = "This account may not use the VPN. Ask the service desk."
"#
    )
}
