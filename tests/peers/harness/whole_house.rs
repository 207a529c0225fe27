//! The program with all its doors: RADIUS for the appliance, the portal for users and their phones, the staff's pages, and mail.

use serde_json::Value;

use super::at;
use super::oath::{seed, totp};
use super::radclient::{Printed, radclient};
use super::smtp::{MailServer, Speech};
use super::store_phone::StorePhone;
use super::stub::Stub;
use super::vestibule::{Plan, Program, guarding};
use super::web::Web;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "hello";

pub(crate) struct WholeHouse {
    pub(crate) house: Program,
    pub(crate) portal: String,
    pub(crate) admin: String,
    pub(crate) mail: MailServer,
    _nps: Stub,
}

/// What a house differs in from the usual one, with these lines of `[method.push]`.
pub(crate) async fn whole_house(push: &str, more: impl FnOnce(Plan) -> Plan) -> WholeHouse {
    let (nps, mail) = (Stub::accepting(PASSWORD).await, MailServer::start(Speech::Implicit).await);
    let (portal, admin) = (at(18443), at(18444));
    let sections = format!(
        "[portal]\nlisten = \"{portal}\"\nurl = \"http://{portal}\"\naccount_name = \"Example VPN\"\n\
         users_may = [\"enrol\", \"select_method\", \"activate_app\", \"assign_token\"]\n\
         [admin]\nlisten = \"{admin}\"\nurl = \"http://{admin}\"\n\
         roles = {{ admin = [\"VPN Admins\"], help_desk = [\"Service Desk\"] }}\n\
         [mail]\nsmtp = \"{}\"\nfrom = \"mfa@example.com\"\nca = \"mail-ca.pem\"\nalerts = [\"desk@example.com\"]\n\
         [method.push]\nvapid_contact = \"mailto:it@example.com\"\n{push}\n",
        mail.url(),
    );
    let site = more(guarding(&nps).and(&sections)).built().await;
    site.write("mail-ca.pem", &mail.ca);
    let house = site.start_program().await;
    WholeHouse { house, portal: format!("http://{portal}"), admin: format!("http://{admin}"), mail, _nps: nps }
}

impl WholeHouse {
    /// Somebody who signed in to the portal with password and code.
    pub(crate) async fn signed_in(&self, name: &str) -> Web {
        let mut web = Web::new(&self.portal);
        assert_eq!(web.password(name, PASSWORD).await.location, "/sign-in/second");
        assert_eq!(web.code(&totp(&seed(name))).await.location, "/");
        web
    }

    /// A login from this place, by radclient.
    pub(crate) async fn login(&self, name: &str, place: u8) -> Printed {
        self.asks(name, place, PASSWORD, "").await
    }

    /// The answer to a challenge; an empty one is Enter alone.
    pub(crate) async fn answers(&self, name: &str, place: u8, challenge: &Printed, typed: &str) -> Printed {
        self.asks(name, place, typed, &format!(", State={}", challenge.value("State"))).await
    }

    pub(crate) async fn asks(&self, name: &str, place: u8, password: &str, more: &str) -> Printed {
        let ask = format!(
            "User-Name={name}, User-Password=\"{password}\", Calling-Station-Id=203.0.113.{place}, Service-Type=Framed-User{more}"
        );
        radclient(self.house.site.radius, "auth", &ask).await
    }

    /// A login that its phone has to be opened for: told so, and held from there on.
    pub(crate) async fn held(&self, name: &str, place: u8) -> Printed {
        let told = self.login(name, place).await;
        assert!(told.received("Access-Challenge"), "{}", told.0);
        assert!(told.value("Reply-Message").contains("Open the "), "{}", told.0);
        self.answers(name, place, &told, "").await
    }

    pub(crate) async fn does(&self, arguments: &[&str]) -> Value {
        self.house.site.does(arguments).await
    }

    /// The app from the stores, made somebody's phone on the host.
    pub(crate) async fn store_phone(&self, name: &str, version: (u16, u16, u16)) -> StorePhone {
        let new = self.does(&["device", "add", name, "--channel", "privacyidea"]).await;
        let scanned = new["url"].as_str().unwrap();
        let mut phone = StorePhone::scans(scanned, reqwest::Client::new()).of_version(version);
        assert_eq!(phone.enrols().await.status, 200);
        phone
    }

    /// The sum of a metric's samples whose labels hold this word, once it has come to this number.
    pub(crate) async fn counted(&self, metric: &str, label: &str, least: f64) -> f64 {
        self.house.site.counted(metric, &[label], least).await
    }
}
