//! The house under test: a policy file, secrets, the store's key and people in a directory of its own; run in this process, or as
//! the real program where a test needs its signals, its log or its death.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use ::vestibule::config::Config;
use ::vestibule::engine::Clock;
use ::vestibule::factor::push::{PushChannel, PushHint};
use ::vestibule::hashing::hash_password;
use ::vestibule::serve::{Extras, Server};
use ::vestibule::store::{
    Algorithm, Answered, Channel, Devices, NewToken, NewUser, Records, Sqlite, SqliteOptions, StoreKey, TokenKind,
    Tokens, Users,
};
use login::{GroupName, PhoneAnswer, ResolvedUser};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use wire::Secret;

use super::appliance::Appliance;
use super::changes::Changes;
use super::child::Child;
use super::freeradius::FreeRadius;
use super::oath::seed;
use super::phone::Phone;
use super::stub::Stub;
use super::{APPLIANCE_SECRET, PRIMARY_SECRET, at, until};

/// Where a test's house listens.
const RADIUS_PORT: u16 = 18120;
const METRICS_PORT: u16 = 18190;
/// In place of the system's certificates, where it is there.
const AUTHORITIES: &str = "authorities.pem";

/// What a primary is to the house.
pub(crate) trait Guarded {
    fn servers(&self) -> Vec<SocketAddr>;
}

impl Guarded for FreeRadius {
    fn servers(&self) -> Vec<SocketAddr> {
        vec![self.at]
    }
}

impl Guarded for Stub {
    fn servers(&self) -> Vec<SocketAddr> {
        vec![self.at]
    }
}

impl Guarded for Vec<SocketAddr> {
    fn servers(&self) -> Vec<SocketAddr> {
        self.clone()
    }
}

/// A house before this primary.
pub(crate) fn guarding(primary: &impl Guarded) -> Plan {
    let servers: Vec<String> = primary.servers().iter().map(|at| format!("\"{at}\"")).collect();
    let primary = format!("[primary.nps]\nradius = [{}]\n", servers.join(", "));
    Plan { primary, ..Plan::new("nps") }.secret("primary.nps", PRIMARY_SECRET)
}

/// A house whose users have their passwords in its own store.
pub(crate) fn alone() -> Plan {
    Plan::new("local")
}

/// A house that is not built yet.
pub(crate) struct Plan {
    primary: String,
    client: String,
    more: String,
    rules: String,
    radius_lines: String,
    limits: String,
    secrets: Vec<(String, String)>,
    people: Vec<Person>,
    phone: Option<Arc<Phone>>,
    /// What vouches for the servers of the world outside, as PEM.
    authorities: Option<String>,
}

struct Person {
    name: String,
    password: Option<String>,
    totp: bool,
    hotp: bool,
    device: Option<Channel>,
    mail: Option<String>,
    groups: Vec<GroupName>,
}

impl Plan {
    fn new(primary: &str) -> Self {
        Self {
            primary: String::new(),
            client: format!("primary = \"{primary}\"\n"),
            more: String::new(),
            rules: "[[rule]]\nname = \"everybody\"\nsecond_factor = [\"push\", \"totp\", \"hotp\"]\n".to_owned(),
            radius_lines: String::new(),
            limits: "reject_delay = \"0s\"\n".to_owned(),
            secrets: vec![("client.vpn".to_owned(), APPLIANCE_SECRET.to_owned())],
            people: Vec::new(),
            phone: None,
            authorities: None,
        }
    }

    /// More lines of `[client.vpn]`.
    pub(crate) fn client(mut self, lines: &str) -> Self {
        self.client += lines;
        self.client.push('\n');
        self
    }

    /// More lines of `[radius]`.
    pub(crate) fn radius(mut self, lines: &str) -> Self {
        self.radius_lines += lines;
        self
    }

    /// More lines of `[limits]`.
    pub(crate) fn limits(mut self, lines: &str) -> Self {
        self.limits += lines;
        self.limits.push('\n');
        self
    }

    /// Refusals wait so long, instead of not at all.
    pub(crate) fn refusing_after(mut self, delay: &str) -> Self {
        self.limits = self.limits.replace("reject_delay = \"0s\"", &format!("reject_delay = \"{delay}\""));
        self
    }

    /// More sections.
    pub(crate) fn and(mut self, lines: &str) -> Self {
        self.more += lines;
        self.more.push('\n');
        self
    }

    /// These rules instead of the usual one.
    pub(crate) fn rules(mut self, rules: &str) -> Self {
        rules.clone_into(&mut self.rules);
        self
    }

    pub(crate) fn secret(mut self, name: &str, secret: &str) -> Self {
        self.secrets.push((name.to_owned(), secret.to_owned()));
        self
    }

    /// A person with a TOTP token, whose seed is [`seed`] of the name.
    pub(crate) fn totp(self, name: &str) -> Self {
        self.person(name, |person| person.totp = true)
    }

    /// A person with an HOTP token, whose seed is [`seed`] of the name.
    pub(crate) fn hotp(self, name: &str) -> Self {
        self.person(name, |person| person.hotp = true)
    }

    /// A person of whose logins the site's notifier is told.
    pub(crate) fn told(self, name: &str) -> Self {
        self.person(name, |person| person.device = Some(Channel::Webhook))
    }

    /// A person whose phone this is.
    pub(crate) fn calling(mut self, name: &str, phone: &Arc<Phone>) -> Self {
        self.phone = Some(Arc::clone(phone));
        self.person(name, |person| person.device = Some(Channel::Loopback))
    }

    pub(crate) fn password(self, name: &str, password: &str) -> Self {
        self.person(name, |person| person.password = Some(password.to_owned()))
    }

    /// A person whose letters go there.
    pub(crate) fn mail(self, name: &str, address: &str) -> Self {
        self.person(name, |person| person.mail = Some(address.to_owned()))
    }

    /// A person in this group of the house's own.
    pub(crate) fn grouped(self, name: &str, group: &str) -> Self {
        self.person(name, |person| person.groups.push(GroupName::folded(group)))
    }

    /// The program believes in these authorities (PEM) alone, where it asks the system's.
    pub(crate) fn trusting(mut self, authorities: &str) -> Self {
        self.authorities = Some(authorities.to_owned());
        self
    }

    fn person(mut self, name: &str, change: impl FnOnce(&mut Person)) -> Self {
        let known = self.people.iter().position(|person| person.name == name);
        let at = known.unwrap_or(self.people.len());
        if known.is_none() {
            let name = name.to_owned();
            let (password, device, mail, groups) = (None, None, None, Vec::new());
            self.people.push(Person { name, password, totp: false, hotp: false, device, mail, groups });
        }
        change(&mut self.people[at]);
        self
    }

    /// Builds the house: its files, its store and its people.
    pub(crate) async fn built(self) -> Site {
        let home = tempfile::tempdir().unwrap();
        let site = Site { radius: at(RADIUS_PORT), metrics: at(METRICS_PORT), home };
        std::fs::create_dir(site.home.path().join("secrets")).unwrap();
        for (name, secret) in &self.secrets {
            site.write_private(&format!("secrets/{name}"), &format!("{secret}\n"));
        }
        site.write("vestibule.toml", &self.policy(&site));
        if let Some(authorities) = &self.authorities {
            site.write(AUTHORITIES, authorities);
        }
        StoreKey::generate(&site.path("store.key")).unwrap();
        let store = site.open_store();
        let people = self.people.iter().map(|person| enrol(&store, person));
        for enrolled in people {
            enrolled.await;
        }
        site
    }

    fn policy(&self, site: &Site) -> String {
        let (radius, metrics) = (site.radius, site.metrics);
        let Self { primary, client, more, rules, limits, radius_lines, .. } = self;
        format!(
            "[radius]\nlisten = \"{radius}\"\n{radius_lines}\n[metrics]\nlisten = \"{metrics}\"\n\
             [store]\nurl = \"sqlite:vestibule.db\"\nkey_file = \"store.key\"\n[audit]\nfile = \"audit.jsonl\"\n\
             [limits]\n{limits}\n[client.vpn]\naddress = \"127.0.0.1\"\n{client}\n{primary}\n{more}\n{rules}"
        )
    }

    /// Builds the house and opens it, in this process.
    pub(crate) async fn start(self) -> House {
        let phone = self.phone.clone();
        let site = self.built().await;
        let channels = phone.into_iter().map(|phone| phone as Arc<dyn PushChannel>).collect();
        let config = Config::load(&site.policy_file()).unwrap_or_else(|wrong| panic!("{}", wrong.render(false))).config;
        let server = Server::start(config, Extras { channels }).await.unwrap();
        House { server, site }
    }

    /// Builds the house and opens it as the real program.
    pub(crate) async fn start_program(self) -> Program {
        self.built().await.start_program().await
    }
}

async fn enrol(store: &Sqlite, person: &Person) {
    let (name, now) = (ResolvedUser::new(person.name.as_str()), Clock::begin().moment().wall);
    let hash = person.password.as_ref().map(|password| hash_password(&Secret::new(password.as_str())).unwrap());
    let user = NewUser {
        name: name.clone(),
        groups: person.groups.clone(),
        mail: person.mail.clone(),
        password_hash: hash.map(Secret::new),
        by_staff: None,
    };
    store.add_user(user, now).await.unwrap();
    let kinds = [(person.totp, TokenKind::Totp { period_s: 30 }), (person.hotp, TokenKind::Hotp)];
    for (_, kind) in kinds.into_iter().filter(|(wanted, _)| *wanted) {
        // Two tokens of one user have two seeds.
        let second = person.totp && kind == TokenKind::Hotp;
        let seed = Secret::new(if second { seed(&format!("{} counts", person.name)) } else { seed(&person.name) });
        let token = NewToken { kind, seed, digits: 6, algorithm: Algorithm::Sha1, label: None, used: None };
        store.add_token(&name, token, now).await.unwrap();
    }
    if let Some(channel) = person.device {
        store.add_device(&name, channel, None, now).await.unwrap();
    }
}

/// A directory with nothing in it but an address: what `init` and the other commands make of it is the test's.
pub(crate) fn empty() -> Site {
    Site { radius: at(RADIUS_PORT), metrics: at(METRICS_PORT), home: tempfile::tempdir().unwrap() }
}

/// A house's files, whether anybody is at home or not.
pub(crate) struct Site {
    pub(crate) radius: SocketAddr,
    metrics: SocketAddr,
    home: TempDir,
}

impl Site {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn policy_file(&self) -> PathBuf {
        self.path("vestibule.toml")
    }

    pub(crate) fn policy(&self) -> String {
        std::fs::read_to_string(self.policy_file()).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Gives a policy that names no addresses of its own those of this site, and this host as the appliance.
    pub(crate) fn settle(&self) {
        let policy = self.policy().replace("192.0.2.10", "127.0.0.1");
        let (radius, metrics) = (self.radius, self.metrics);
        let listen = format!("[radius]\nlisten = \"{radius}\"\n[metrics]\nlisten = \"{metrics}\"\n");
        self.write("vestibule.toml", &format!("{listen}{policy}"));
    }

    pub(crate) fn write_private(&self, name: &str, text: &str) {
        use std::io::Write as _;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn open_store(&self) -> Sqlite {
        let key = StoreKey::open(&self.path("store.key")).unwrap();
        let url = format!("sqlite:{}", self.path("vestibule.db").display());
        Sqlite::open(&url, &key, SqliteOptions::default()).unwrap()
    }

    pub(crate) async fn appliance(&self) -> Appliance {
        Appliance::of(self.radius).await
    }

    /// A page of the operations' address: its status line, head and body.
    pub(crate) async fn page(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.metrics).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await.ok()?;
        Some(page)
    }

    /// The sum of all samples of a metric whose labels hold these words.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        sum_of(&self.page("/metrics").await.unwrap_or_default(), name, labels)
    }

    /// Waits until a metric has come to this number at least.
    pub(crate) async fn counts(&self, name: &str, labels: &[&str], least: f64) {
        let what = format!("{name} {labels:?} at {least}");
        until(&what, async || (self.metric(name, labels).await >= least).then_some(())).await;
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.page("/readyz").await.is_some_and(|page| page.starts_with("HTTP/1.1 200"))
    }

    /// The program on this site, with other arguments: its exit code and what it said.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.arg("-c").arg(self.policy_file()).args(arguments).current_dir(self.home()).kill_on_drop(true);
        tokio::time::timeout(super::GENEROUS, command.output()).await.expect("it never ended").unwrap()
    }

    /// What a command that must succeed says, as JSON.
    pub(crate) async fn does(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The records of the logins so far, once there are so many, read beside the program. A refusal's record may be written
    /// after the refusal left.
    pub(crate) async fn logins(&self, count: usize) -> Vec<Value> {
        let (changes, store) = (Changes::of(self.home()), self.open_store());
        changes
            .until(&format!("records of {count} logins"), async || {
                let logins = records(&store).await.into_iter().filter(|record| record["login"].is_string());
                Some(logins.collect::<Vec<_>>()).filter(|logins| logins.len() >= count)
            })
            .await
    }

    /// The record of the first login that fits, once there is one.
    pub(crate) async fn login_that(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let (changes, store) = (Changes::of(self.home()), self.open_store());
        let found =
            async || records(&store).await.into_iter().find(|record| record["login"].is_string() && fits(record));
        changes.until(&format!("a login that {what}"), found).await
    }

    /// How a metric stands once it has come to this number, which it may be past: what is counted beside an answer may be counted
    /// after the answer left.
    pub(crate) async fn counted(&self, name: &str, labels: &[&str], least: f64) -> f64 {
        self.counts(name, labels, least).await;
        self.metric(name, labels).await
    }

    pub(crate) async fn start_program(self) -> Program {
        let mut program = Program { child: self.spawn(), site: self };
        program.ready().await;
        program
    }

    /// Starts the server with its store on a disk of its own of one MiB, which a line into the pipe `trigger` fills, and a second
    /// one empties again.
    pub(crate) async fn start_program_on_a_small_disk(self) -> Program {
        std::fs::create_dir(self.path("small")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(self.path("trigger")).status().unwrap();
        assert!(made.success());
        let script = "mount -t tmpfs -o size=1m,mode=700 tmpfs small && cp -p vestibule.db small/ && { \
            (read _ < trigger; cat /dev/zero > small/fill 2>/dev/null; read _ < trigger; rm small/fill) & \
            exec \"$0\" -c vestibule.toml serve; }";
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_vestibule")]).current_dir(self.home());
        command.env("VESTIBULE__STORE__URL", "sqlite:small/vestibule.db");
        let mut program = Program { child: Child::start(&mut command, "util-linux"), site: self };
        program.ready().await;
        program
    }

    /// Starts the server where it may open so many files and sockets.
    pub(crate) async fn start_program_with_descriptors(self, most: u32) -> Program {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {most} && exec \"$0\" -c vestibule.toml serve");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_vestibule")]).current_dir(self.home());
        let mut program = Program { child: Child::start(&mut command, "dash"), site: self };
        program.ready().await;
        program
    }

    /// Starts the server on these files, without waiting for it.
    pub(crate) fn spawn(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.arg("-c").arg(self.policy_file()).arg("serve").env("VESTIBULE_LOG", "debug").current_dir(self.home());
        if self.path(AUTHORITIES).exists() {
            command.env("SSL_CERT_FILE", self.path(AUTHORITIES));
        }
        Child::start(&mut command, "nothing: cargo builds it")
    }
}

/// A house in this process.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) site: Site,
}

impl House {
    pub(crate) fn radius(&self) -> SocketAddr {
        self.server.radius()[0]
    }

    pub(crate) async fn appliance(&self) -> Appliance {
        self.site.appliance().await
    }

    pub(crate) async fn presses(&self, hint: &PushHint, answer: PhoneAnswer) -> Answered {
        self.server.engine().phone_answers(hint.prompt, hint.device.clone(), answer, None).await.unwrap()
    }

    /// Waits for so many records and returns them in their order.
    pub(crate) async fn records(&self, count: usize) -> Vec<Value> {
        let changes = Changes::of(self.site.home());
        let store = self.server.store();
        let all = async || Some(records(store.as_ref()).await).filter(|found| found.len() >= count);
        changes.until(&format!("{count} records"), all).await
    }
}

/// The sum of all samples of a metric on a page whose labels hold these words.
pub(crate) fn sum_of(page: &str, name: &str, labels: &[&str]) -> f64 {
    let samples =
        page.lines().filter(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} ")));
    let ours = samples.filter(|line| labels.iter().all(|label| line.contains(label)));
    ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Every record of a store.
pub(crate) async fn records(store: &(impl Records + ?Sized)) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let some = store.records_after(after, 1000).await.unwrap();
        let Some(last) = some.last() else { return all };
        after = last.seq;
        all.extend(some.iter().map(|record| serde_json::from_str::<Value>(&record.json).unwrap()));
    }
}

/// A house as the real program.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) site: Site,
}

impl Program {
    pub(crate) async fn ready(&mut self) {
        until("readiness", async || {
            let over = self.child.is_over();
            assert!(!over, "it ended: {}", self.child.output());
            self.site.is_ready().await.then_some(())
        })
        .await;
    }

    /// Waits for its end, and keeps the files.
    pub(crate) async fn dies(mut self) -> Site {
        self.child.ended().await;
        self.site
    }

    pub(crate) async fn appliance(&self) -> Appliance {
        self.site.appliance().await
    }
}
