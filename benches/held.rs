//! Do held logins slow those beside them? The real server in this process, a primary of our own over UDP, and PAP logins in a
//! closed loop: first with nothing held, then beside 500 pushes that nobody answers, then with nothing held again.
//!
//! It prints ratios within its one run, which say the same on a slow machine and on a fast one, and fails no build. Run it
//! with `cargo bench --bench held`; two numbers may follow after `--`: how many are held, how many logins a round.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench that can't go on should stop")]

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use login::{PhoneAnswer, ResolvedUser};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use vestibule::config::Config;
use vestibule::engine::Clock;
use vestibule::factor::BoxFuture;
use vestibule::factor::push::{PushChannel, PushFailure, PushHint};
use vestibule::serve::{Extras, Server};
use vestibule::store::{Channel, Devices, NewUser, Sqlite, SqliteOptions, StoreKey, Users};
use wire::{
    Attribute, Code, Datagram, Demand, PacketView, ReplyCode, RequestWriter, Secret, SentRequest, SharedSecret, kind,
};

/// Both hops' secret: they differ in nothing that is measured.
const SECRET: &str = "a secret of the bench, on both hops";
/// Logins under way at once, each with a socket of its own.
const LOOPS: usize = 8;
/// Requests that one socket holds: fewer than there are Identifiers.
const HELD_A_SOCKET: usize = 100;
const GENEROUS: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (held, logins) = (*numbers.first().unwrap_or(&500), *numbers.get(1).unwrap_or(&2_000));
    let home = tempfile::tempdir().unwrap();
    let (heard, mut rung) = channel(held.max(1));
    let server = house(home.path(), primary().await, held, Phone(heard)).await;
    let at = server.radius()[0];

    round(at, "warm", logins / 4).await;
    let before = round(at, "before", logins).await;
    let memory = resident();
    let (sockets, hints) = hold(at, held, &mut rung).await;
    assert_eq!(server.engine().held(), held);
    let grown = resident().saturating_sub(memory);
    let beside = round(at, "beside", logins).await;
    assert_eq!(server.engine().held(), held, "all were held to the end of the round");
    for hint in hints {
        server.engine().phone_answers(hint.prompt, hint.device, PhoneAnswer::Approve, None).await.unwrap();
    }
    released(&sockets).await;
    let after = round(at, "after", logins).await;
    server.stop().await;

    println!("{logins} PAP logins a round, {LOOPS} at a time, through primary, store and Accept");
    for (name, measured) in [("0 held, before", &before), ("held beside", &beside), ("0 held, after", &after)] {
        println!("  {name:<16} {measured}");
    }
    let idle = |pick: fn(&Measured) -> f64| f64::midpoint(pick(&before), pick(&after));
    println!("beside {held} held pushes, as a ratio to nothing held (1.00 is no difference):");
    println!("  throughput {:.2}", beside.a_second / idle(|measured| measured.a_second));
    println!("  median     {:.2}", beside.median / idle(|measured| measured.median));
    println!("  p99        {:.2}", beside.p99 / idle(|measured| measured.p99));
    println!("memory: {} octets of resident set a held login, this bench's own part included", grown / held.max(1));
}

/// What a round came to; times in milliseconds.
struct Measured {
    a_second: f64,
    median: f64,
    p99: f64,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>6.0}/s, median {:.2} ms, p99 {:.2} ms", self.a_second, self.median, self.p99)
    }
}

/// So many logins, as many at a time as there are loops; each must end in an Accept.
async fn round(at: SocketAddr, name: &str, logins: usize) -> Measured {
    let began = now();
    let loops: Vec<_> = (0..LOOPS)
        .map(|number| {
            let users: Vec<String> = (number..logins).step_by(LOOPS).map(|n| format!("plain-{name}-{n}")).collect();
            tokio::spawn(closed_loop(at, users))
        })
        .collect();
    let mut times = Vec::with_capacity(logins);
    for each in loops {
        times.extend(each.await.unwrap());
    }
    let took = (now() - began).as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    Measured { a_second: as_f64(logins) / took, median: at(50), p99: at(99) }
}

async fn closed_loop(at: SocketAddr, users: Vec<String>) -> Vec<f64> {
    let (socket, secret) = (connected(at).await, secret());
    let mut times = Vec::with_capacity(users.len());
    for (number, user) in users.iter().enumerate() {
        let ask = ask(user, number, &secret);
        let began = now();
        socket.send(ask.as_bytes()).await.unwrap();
        assert_eq!(answer(&socket, &ask, &secret).await, Code::AccessAccept, "{user}");
        times.push((now() - began).as_secs_f64() * 1000.0);
    }
    times
}

/// Sends so many logins that a phone must approve, and waits until each has rung.
async fn hold(at: SocketAddr, held: usize, rung: &mut Receiver<PushHint>) -> (Vec<(UdpSocket, usize)>, Vec<PushHint>) {
    let (mut sockets, secret) = (Vec::new(), secret());
    let mut hints = Vec::with_capacity(held);
    for first in (0..held).step_by(HELD_A_SOCKET) {
        let socket = connected(at).await;
        let many = HELD_A_SOCKET.min(held - first);
        for number in 0..many {
            socket.send(ask(&format!("held-{}", first + number), number, &secret).as_bytes()).await.unwrap();
            // One after the other: no socket's queue is what is measured here.
            hints.push(tokio::time::timeout(GENEROUS, rung.recv()).await.expect("it never rang").unwrap());
        }
        sockets.push((socket, many));
    }
    (sockets, hints)
}

/// Waits for the Accepts of all that were held.
async fn released(sockets: &[(UdpSocket, usize)]) {
    let mut octets = [0; 4096];
    for (socket, many) in sockets {
        for _ in 0..*many {
            let got = tokio::time::timeout(GENEROUS, socket.recv(&mut octets)).await.expect("no answer").unwrap();
            assert_eq!(PacketView::parse(&octets[..got]).unwrap().code(), Code::AccessAccept);
        }
    }
}

fn ask(user: &str, number: usize, secret: &SharedSecret) -> SentRequest {
    let mut buffer = Datagram::new();
    let mut authenticator = [0x5a; 16];
    authenticator[..8].copy_from_slice(&number.to_be_bytes());
    let identifier = u8::try_from(number % 256).unwrap();
    let mut writer = RequestWriter::new(Code::AccessRequest, identifier, authenticator, &mut buffer);
    writer.push(Attribute::new(kind::USER_NAME, user.as_bytes())).unwrap();
    writer.push_password(&Secret::new("hunter2"), secret).unwrap();
    writer.push(Attribute::new(kind::CALLING_STATION_ID, b"198.51.100.23")).unwrap();
    writer.push(Attribute::new(kind::NAS_IDENTIFIER, b"vpn")).unwrap();
    writer.sign(secret)
}

async fn answer(socket: &UdpSocket, ask: &SentRequest, secret: &SharedSecret) -> Code {
    let mut octets = [0; 4096];
    let got = tokio::time::timeout(GENEROUS, socket.recv(&mut octets)).await.expect("no answer").unwrap();
    let reply = PacketView::parse(&octets[..got]).unwrap().verify_reply(secret, ask, Demand::Required).unwrap();
    reply.code()
}

/// A primary that accepts everybody at once.
async fn primary() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (at, secret) = (socket.local_addr().unwrap(), secret());
    tokio::spawn(async move {
        let (mut octets, mut buffer) = ([0; 4096], Datagram::new());
        loop {
            let (got, from) = socket.recv_from(&mut octets).await.unwrap();
            let request = PacketView::parse(&octets[..got]).unwrap().verify(&secret, Demand::Required).unwrap();
            let context = request.context();
            let code = ReplyCode::Accept;
            let reply = context.reply(code, &mut buffer).sign(&secret).unwrap();
            socket.send_to(reply.as_bytes(), from).await.unwrap();
        }
    });
    at
}

/// A phone that rings, and whose owner does nothing until told to.
struct Phone(Sender<PushHint>);

impl PushChannel for Phone {
    fn channel(&self) -> Channel {
        Channel::Loopback
    }

    fn ring<'a>(&'a self, hint: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        self.0.try_send(hint.clone()).expect("there is room for every login that is held");
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, _: &'a PushHint) -> BoxFuture<'a, Result<(), PushFailure>> {
        Box::pin(async { Ok(()) })
    }
}

/// The server with its files, and people with phones.
async fn house(home: &Path, primary: SocketAddr, held: usize, phone: Phone) -> Server {
    std::fs::create_dir(home.join("secrets")).unwrap();
    for name in ["client.vpn", "primary.nps"] {
        private(&home.join("secrets").join(name), SECRET);
    }
    StoreKey::generate(&home.join("store.key")).unwrap();
    let (radius, metrics) = free_ports();
    let policy = format!(
        r#"[radius]
listen = "{radius}"
[metrics]
listen = "{metrics}"
[store]
url = "sqlite:vestibule.db"
key_file = "store.key"
[primary.nps]
radius = ["{primary}"]
[client.vpn]
address = "127.0.0.1"
primary = "nps"
gives_up_after = "2m"
[[rule]]
name = "no phone needed"
when = {{ user = "plain-*" }}
second_factor = "exempt"
until = 2099-01-01
[[rule]]
name = "everybody"
second_factor = ["push"]
"#
    );
    std::fs::write(home.join("vestibule.toml"), policy).unwrap();
    enrol(home, held).await;
    let config = Config::load(&home.join("vestibule.toml")).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
    Server::start(config.config, Extras { channels: vec![Arc::new(phone)] }).await.unwrap()
}

async fn enrol(home: &Path, held: usize) {
    let key = StoreKey::open(&home.join("store.key")).unwrap();
    let url = format!("sqlite:{}", home.join("vestibule.db").display());
    let store = Sqlite::open(&url, &key, SqliteOptions::default()).unwrap();
    let at = Clock::begin().moment().wall;
    for number in 0..held {
        let name = ResolvedUser::new(format!("held-{number}"));
        let user = NewUser { name: name.clone(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
        store.add_user(user, at).await.unwrap();
        store.add_device(&name, Channel::Loopback, None, at).await.unwrap();
    }
}

/// Two addresses that are free now: a policy names its ports, and 0 is none.
fn free_ports() -> (SocketAddr, SocketAddr) {
    let radius = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let metrics = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    (radius.local_addr().unwrap(), metrics.local_addr().unwrap())
}

fn private(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

async fn connected(at: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at).await.unwrap();
    socket
}

fn secret() -> SharedSecret {
    SharedSecret::new(Secret::new(SECRET))
}

/// Octets of this process that are in memory; 0 where the system does not tell.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<usize>().map_or(0, |kilo| kilo * 1024)
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
