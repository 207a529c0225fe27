//! The real program with its portal, a push service, a mail server, and phones that are real browsers.

use ::vestibule::store::Pins as _;
use login::ResolvedUser;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wire::Secret;

use crate::harness::at;
use crate::harness::browser::{Browser, Setup, button, heading};
use crate::harness::notifications::Desktop;
use crate::harness::push_service::{self, PushService};
use crate::harness::radclient::{Printed, radclient};
use crate::harness::smtp::{MailServer, Speech};
use crate::harness::vestibule::{Program, alone};

/// From where everybody logs in.
pub(super) const STATION: &str = "203.0.113.7";

/// A page's service worker hears of pushes by its browser's vendor, whom a browser without a screen does not reach. So the
/// browser's part is played: where the page subscribes it is given an address of the tests' push service.
const SUBSCRIBES: &str = "
    const given = SUBSCRIPTION;
    const subscription = { toJSON: () => given, options: {}, unsubscribe: async () => { localStorage.removeItem('rings'); return true; } };
    PushManager.prototype.subscribe = async (wish) => {
        if (!wish.userVisibleOnly || wish.applicationServerKey.length !== 65) throw new TypeError('no such subscription');
        localStorage.setItem('rings', 'yes');
        return subscription;
    };
    PushManager.prototype.getSubscription = async () => (localStorage.getItem('rings') ? subscription : null);
";

pub(super) struct Doors {
    pub(super) house: Program,
    pub(super) portal: String,
    pub(super) pushes: PushService,
    pub(super) mail: MailServer,
}

/// A phone: its screen, and who alone can open what is pushed to it.
pub(super) struct Phone {
    pub(super) screen: Browser,
    pub(super) ears: push_service::Browser,
}

impl Doors {
    pub(super) async fn open() -> Self {
        Self::with("", "").await
    }

    /// With these lines in `[client.vpn]` and in `[method.push]`.
    pub(super) async fn with(client: &str, push: &str) -> Self {
        let (portal, pushes, mail) = (at(18443), PushService::start().await, MailServer::start(Speech::Implicit).await);
        let sections = format!(
            "[portal]\nlisten = \"{portal}\"\nurl = \"http://{portal}\"\nsign_in = \"local\"\naccount_name = \"Example Corp\"\n\
             help_desk = \"Service desk, 0800 1234\"\nusers_may = [\"enrol\", \"select_method\", \"activate_app\"]\n\
             [method.push]\nchannels = [\"webpush\"]\nvapid_contact = \"mailto:it@example.com\"\n\
             webpush_hosts = [\"{}\"]\nallow_private = true\n{push}\n\
             [mail]\nsmtp = \"{}\"\nfrom = \"mfa@example.com\"\nca = \"mail-ca.pem\"\nalerts = [\"soc@example.com\"]\n",
            pushes.host(),
            mail.url(),
        );
        let plan = alone().client(&format!("gives_up_after = \"60s\"\n{client}")).and(&sections).trusting(&pushes.ca);
        let plan = ["alice", "carol"]
            .iter()
            .fold(plan, |plan, name| plan.password(name, &password(name)).mail(name, &format!("{name}@example.com")));
        let site = plan.built().await;
        site.write("mail-ca.pem", &mail.ca);
        Self { house: site.start_program().await, portal: format!("http://{portal}"), pushes, mail }
    }

    /// What a command of the program says.
    pub(super) async fn does(&self, arguments: &[&str]) -> Value {
        let output = self.house.site.run(&[&["--json"], arguments].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A browser that can be rung once its page asks to be.
    pub(super) async fn a_phone(&self) -> Phone {
        self.a_phone_of(Browser::phone()).await
    }

    async fn a_phone_of(&self, setup: Setup) -> Phone {
        let site = reqwest::get(format!("{}/phone/site.json", self.portal)).await.unwrap().text().await.unwrap();
        let site: Value = serde_json::from_str(&site).unwrap();
        let key = data_encoding::BASE64URL_NOPAD.decode(site["vapid"].as_str().unwrap().as_bytes()).unwrap();
        let ears = self.pushes.subscribe(key.try_into().unwrap());
        let screen = setup.start().await;
        let script = SUBSCRIBES.replace("SUBSCRIPTION", &ears.as_the_page_tells_it().to_string());
        screen.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
        Phone { screen, ears }
    }

    /// Alice's phone: begun on the host, which is an admin's act (rules F3), activated, and rung from now on.
    pub(super) async fn phone_of_alice(&self) -> Phone {
        self.activated(self.a_phone().await).await
    }

    /// The same, with its notifications on this desktop.
    pub(super) async fn phone_of_alice_on(&self, desktop: &Desktop) -> Phone {
        self.activated(self.a_phone_of(Browser::phone().notifying(desktop)).await).await
    }

    async fn activated(&self, phone: Phone) -> Phone {
        let new = self.does(&["device", "add", "alice", "--channel", "webpush"]).await;
        phone.screen.go(new["url"].as_str().unwrap()).await;
        phone.screen.click(&button("Activate")).await;
        phone.screen.has(&heading("Nothing to confirm")).await;
        phone.lets_itself_be_rung().await;
        phone
    }

    /// Somebody connects: a real client of RADIUS, which waits for its answer.
    pub(super) fn logs_in(&self, user: &str) -> JoinHandle<Printed> {
        self.logs_in_from(user, STATION)
    }

    pub(super) fn logs_in_from(&self, user: &str, station: &str) -> JoinHandle<Printed> {
        let asked = format!("User-Name = \"{user}\", User-Password = \"{}\"", password(user));
        self.asks(&asked, station)
    }

    /// The answer to a challenge.
    pub(super) fn answers(&self, user: &str, challenge: &Printed, typed: &str) -> JoinHandle<Printed> {
        let state = challenge.value("State");
        self.asks(&format!("User-Name = \"{user}\", User-Password = \"{typed}\", State = {state}"), STATION)
    }

    fn asks(&self, attributes: &str, station: &str) -> JoinHandle<Printed> {
        let (server, attributes) =
            (self.house.site.radius, format!("{attributes}, Calling-Station-Id = \"{station}\""));
        tokio::spawn(async move { radclient(server, "auth", &attributes).await })
    }

    /// As if this person had set a PIN in the portal.
    pub(super) async fn has_pin(&self, user: &str, pin: &str) {
        let hash = ::vestibule::hashing::hash_password(&Secret::new(pin)).unwrap();
        let at = ::vestibule::engine::Clock::begin().moment().wall;
        self.house.site.open_store().set_pin(&ResolvedUser::new(user), Secret::new(hash), false, at).await.unwrap();
    }

    /// How many prompts were sent to phones, once there were so many.
    pub(super) async fn prompts(&self, least: f64) -> f64 {
        self.house.site.counted("vestibule_prompts_total", &["method=\"push\""], least).await
    }

    /// How many messages the push service has, once there is one: a phone whose page is open may be answered before it comes.
    pub(super) async fn messages(&self) -> usize {
        self.pushes.has(1).await.len()
    }

    /// Why each login ended as it did, once so many have, in the order of the alphabet: refusals' records may overtake each other.
    pub(super) async fn reasons(&self, count: usize) -> Vec<String> {
        let logins = self.house.site.logins(count).await;
        let mut reasons: Vec<String> =
            logins.iter().filter_map(|login| login["reason"].as_str().map(str::to_owned)).collect();
        reasons.sort_unstable();
        reasons
    }
}

impl Phone {
    /// The page's own button, and the browser's consent.
    pub(super) async fn lets_itself_be_rung(&self) {
        self.screen.grant("notifications").await;
        self.screen.reload().await;
        self.screen.click(&button("Let this phone ring")).await;
        self.screen.sees("This phone rings when somebody logs in.").await;
    }

    /// The page shows who asks.
    pub(super) async fn is_asked(&self) {
        self.screen.has(&heading("Is this you, logging in?")).await;
    }
}

pub(super) fn password(user: &str) -> String {
    format!("pw of {user}")
}
