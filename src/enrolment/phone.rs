//! A phone with a key of its own begins its life here: a waiting device, and the address that its owner scans or follows.
//!
//! Our own page is activated by an address that holds its code in the fragment, which no server and no log sees; the app from
//! the stores by an `otpauth://pipush` address, with a key of ours for it alone. Both are bearer secrets until they were used:
//! single use, ten minutes, never by mail.

use std::time::Duration;

use data_encoding::HEXLOWER;
use login::{DeviceId, ResolvedUser, Wall};
use rand::TryRng;
use rand::rngs::SysRng;
use wire::Secret;

use super::activation::{Activation, ActivationCode, App, PushUrl, Serial, ServerKey};
use super::qr::Qr;
use super::token::EnrolmentError;
use crate::config::PublicUrl;
use crate::store::Channel;
use crate::store::web::{NewActivation, Phones};

/// How long a phone is waited for.
pub const ACTIVATION_LASTS: Duration = Duration::from_secs(60 * ACTIVATION_MINUTES as u64);

/// The app counts whole minutes from its scan.
const ACTIVATION_MINUTES: u16 = 10;

/// Where the store app enrols, polls and answers, beneath the portal's address.
const PUSH_PATH: &str = "/push";

/// What is needed to begin.
#[derive(Clone, Copy)]
pub struct BeginPhone<'a> {
    /// The store.
    pub store: &'a dyn Phones,
    /// Whose phone.
    pub user: &'a ResolvedUser,
    /// [`Channel::WebPush`] or [`Channel::PrivacyIdea`].
    pub channel: Channel,
    /// What the user calls it.
    pub label: Option<&'a str>,
    /// `[portal] url`: where the phone comes to.
    pub portal_url: &'a PublicUrl,
    /// `[portal] account_name`: what the phone shows for this account.
    pub account_name: &'a str,
    /// Active only after a test push (rules F3); false: an admin's act on the host.
    pub needs_test: bool,
    /// Devices that the user may have, waiting ones included.
    pub devices_max: usize,
    /// Now.
    pub at: Wall,
}

/// A phone that is waited for.
#[derive(Clone, Debug)]
pub struct NewPhone {
    /// Its id; for the store app it is the serial.
    pub device: DeviceId,
    /// Our page: what is typed into it where no camera is, in groups. The store app: its credential, which nobody types.
    pub code: Secret,
    /// To be scanned, or tapped on the phone itself.
    pub url: Secret,
    /// Until when.
    pub ends_at: Wall,
}

impl NewPhone {
    /// [`NewPhone::url`] as a QR code; `None` if a name makes it too long for one.
    #[must_use]
    pub fn qr(&self) -> Option<Qr> {
        Qr::of(&self.url)
    }
}

/// Begins a phone's activation, durable when this returns. An older phone of the same channel that still waits gives way.
///
/// # Errors
/// [`EnrolmentError`]: a channel whose devices bring no key, no randomness, or the store: no such user, too many devices.
pub async fn begin_phone(begin: BeginPhone<'_>) -> Result<NewPhone, EnrolmentError> {
    match begin.channel {
        Channel::WebPush => begin_page(begin).await,
        Channel::PrivacyIdea => begin_store_app(begin).await,
        Channel::Webhook | Channel::Loopback => Err(EnrolmentError::BringsNoKey(begin.channel.as_str())),
    }
}

async fn begin_page(begin: BeginPhone<'_>) -> Result<NewPhone, EnrolmentError> {
    let secret = ActivationCode::secret_of(random()?);
    let device = begin.wait_for(&secret, None).await?;
    let code = ActivationCode { device: device.clone(), secret };
    let (url, code) = (code.address(begin.portal_url.as_str()), code.shown());
    Ok(NewPhone { device, code, url, ends_at: begin.ends_at() })
}

async fn begin_store_app(begin: BeginPhone<'_>) -> Result<NewPhone, EnrolmentError> {
    let not_usable = |error: &dyn std::fmt::Display| EnrolmentError::Address(error.to_string());
    let url = PushUrl::parse(&format!("{}{PUSH_PATH}", begin.portal_url)).map_err(|error| not_usable(&error))?;
    // 160 random bits: nobody types them.
    let credential = Secret::new(HEXLOWER.encode(&random::<20>()?));
    let key = ServerKey::generate().await.and_then(|key| key.to_pkcs8()).map_err(|_| EnrolmentError::ServerKey)?;
    let device = begin.wait_for(&credential, Some(key)).await?;
    let activation = Activation {
        url,
        serial: Serial::parse(&device.0).map_err(|error| not_usable(&error))?,
        credential: credential.clone(),
        account: begin.user.as_str().to_owned(),
        issuer: begin.account_name.to_owned(),
        minutes: ACTIVATION_MINUTES,
        locked: false,
        force_unlock: None,
    };
    Ok(NewPhone { device, code: credential, url: activation.address(App::PrivacyIdea), ends_at: begin.ends_at() })
}

impl BeginPhone<'_> {
    async fn wait_for(&self, code: &Secret, server_key: Option<Secret>) -> Result<DeviceId, EnrolmentError> {
        let new = NewActivation {
            user: self.user.clone(),
            channel: self.channel,
            label: self.label.map(str::to_owned),
            code: code.clone(),
            server_key,
            lasts: ACTIVATION_LASTS,
            needs_test: self.needs_test,
            devices_max: self.devices_max,
        };
        Ok(self.store.begin_activation(new, self.at).await?)
    }

    fn ends_at(&self) -> Wall {
        self.at.plus(ACTIVATION_LASTS)
    }
}

fn random<const N: usize>() -> Result<[u8; N], EnrolmentError> {
    let mut octets = [0; N];
    SysRng.try_fill_bytes(&mut octets).map_err(|_| EnrolmentError::NoRandomness)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, NoFiles};
    use crate::store::web::{KeyBrought, PhoneKey};
    use crate::store::{NewUser, Sqlite, SqliteOptions, StoreKey, Users};

    struct House {
        store: Sqlite,
        user: ResolvedUser,
        url: PublicUrl,
        _directory: tempfile::TempDir,
    }

    async fn house() -> House {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate(&directory.path().join("store.key")).unwrap();
        let at = format!("sqlite:{}", directory.path().join("vestibule.db").display());
        let store = Sqlite::open(&at, &key, SqliteOptions::default()).unwrap();
        let user = ResolvedUser::new("alice");
        let new = NewUser { name: user.clone(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
        store.add_user(new, Wall(0)).await.unwrap();
        let portal = "[portal]\nurl = \"https://mfa.example.com\"\ntls = \"acme\"\n";
        let config = Config::parse("vestibule.toml", portal, &NoFiles, []).unwrap().config;
        House { store, user, url: config.portal.unwrap().pages.url, _directory: directory }
    }

    impl House {
        fn begin(&self, channel: Channel) -> BeginPhone<'_> {
            BeginPhone {
                store: &self.store,
                user: &self.user,
                channel,
                label: Some("Pixel"),
                portal_url: &self.url,
                account_name: "Example Corp",
                needs_test: false,
                devices_max: 5,
                at: Wall(1_000),
            }
        }
    }

    fn text(secret: &Secret) -> String {
        String::from_utf8(secret.expose().to_vec()).unwrap()
    }

    fn key() -> PhoneKey {
        PhoneKey { spki: vec![4; 91], subscription: None, agent: None, label: None }
    }

    #[tokio::test]
    async fn a_page_is_activated_by_what_its_address_says_and_by_what_is_typed() {
        let house = house().await;
        let new = begin_phone(house.begin(Channel::WebPush)).await.unwrap();
        let address = text(&new.url);
        let (page, fragment) = address.split_once('#').unwrap();
        assert_eq!((page, fragment), ("https://mfa.example.com/phone/", text(&new.code).as_str()));
        let read = ActivationCode::parse(fragment).unwrap();
        assert_eq!(read.device, new.device);
        assert_eq!(new.ends_at, Wall(601_000));
        assert!(new.qr().is_some());
        let brought = house.store.bring_key(&read.device, &read.secret, key(), Wall(2_000)).await.unwrap();
        assert!(matches!(brought, KeyBrought::Taken(_)));
    }

    #[tokio::test]
    async fn the_store_app_is_activated_by_an_address_of_its_own_and_gets_a_key_of_ours() {
        let house = house().await;
        let new = begin_phone(house.begin(Channel::PrivacyIdea)).await.unwrap();
        let credential = text(&new.code);
        assert_eq!(credential.len(), 40);
        let expected = format!(
            "otpauth://pipush/alice?url=https%3A%2F%2Fmfa.example.com%2Fpush&ttl=10&issuer=Example%20Corp\
             &enrollment_credential={credential}&v=1&serial={}&sslverify=1&poll_only=True",
            new.device.0
        );
        assert_eq!(text(&new.url), expected);
        let brought = house.store.bring_key(&new.device, &new.code, key(), Wall(2_000)).await.unwrap();
        let KeyBrought::Taken(phone) = brought else { panic!("{brought:?}") };
        assert!(ServerKey::of_pkcs8(&phone.server_key.unwrap()).is_ok());
    }

    #[tokio::test]
    async fn nothing_of_a_waiting_phone_is_printed() {
        let house = house().await;
        let new = begin_phone(house.begin(Channel::WebPush)).await.unwrap();
        assert!(!format!("{new:?}").contains(&text(&new.code)));
    }

    #[tokio::test]
    async fn a_device_that_brings_no_key_is_not_waited_for_and_neither_is_one_too_many() {
        let house = house().await;
        let refused = begin_phone(house.begin(Channel::Webhook)).await.unwrap_err();
        assert_eq!(refused, EnrolmentError::BringsNoKey("webhook"));
        let one = BeginPhone { devices_max: 1, ..house.begin(Channel::WebPush) };
        let first = begin_phone(one).await.unwrap();
        let again = begin_phone(one).await.unwrap();
        assert_ne!(first.device, again.device, "a waiting one gives way");
        let read = ActivationCode::parse(text(&again.code).as_str()).unwrap();
        house.store.bring_key(&read.device, &read.secret, key(), Wall(2_000)).await.unwrap();
        assert!(matches!(begin_phone(one).await, Err(EnrolmentError::Store(_))));
    }
}
