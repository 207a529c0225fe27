//! The trust anchors of a first enrolment (rules F3): an admin's code, a mailed code, a trusted network.
//!
//! "First enrolment happens once in a user's life": the mailed code and the network count only for who never had a method. An
//! admin's code counts also later, and for staff, because an admin gave it to this user now. Each opens a session that may make
//! one method and nothing else.

use std::net::IpAddr;

use axum::http::HeaderValue;
use wire::Secret;

use super::notes::Deed;
use super::pages::Asked;
use super::session::Signed;
use super::{Away, SignIn, random};
use crate::enrolment::{CODE_LASTS, issue_code, takes_admin_code, typed_code};
use crate::mail::{ActivationCode, LetterKind, MailedCode};
use crate::store::{CodePurpose, CodeSpent, WebStep};
use crate::telemetry::SignInResult;

/// Which ways to a first method are open to somebody whose password was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstWays {
    /// A code from an admin.
    pub admin_code: bool,
    /// A code by mail, and there is an address for it.
    pub mail_code: bool,
    /// The browser's address is in a trusted network, and so is every other on the way, as far as headers tell.
    pub network: bool,
}

/// What an anchor came to.
#[derive(Debug)]
pub enum Anchored {
    /// The session is [`WebStep::Enrolling`], under another id, which the browser must be told.
    Right(Box<Signed>, HeaderValue),
    /// Wrong, expired, used, never issued, or not open to this user.
    Wrong,
}

impl SignIn {
    /// Which ways are open.
    ///
    /// # Errors
    /// The store.
    pub async fn first_ways(&self, signed: &Signed, asked: &Asked) -> Result<FirstWays, Away> {
        let config = self.config();
        let Some(portal) = &config.portal else { return Ok(FirstWays::default()) };
        let Some(user) = self.store().show_user(&signed.user).await? else { return Ok(FirstWays::default()) };
        // What users may not do for themselves the help desk does with them, by its code.
        let first = portal.users_may.enrol && !user.ever_enrolled;
        let mail = config.mail.is_some() && user.mail.is_some();
        let anchors = &portal.first_enrolment;
        Ok(FirstWays {
            admin_code: takes_admin_code(&config, &user).is_ok(),
            mail_code: first && anchors.mail_code && mail,
            network: first && asked.is_from(&anchors.networks),
        })
    }

    /// An admin's code, or the one that was mailed: whichever it is.
    ///
    /// # Errors
    /// The store: the code is as it was.
    pub async fn enrol_by_code(&self, signed: &Signed, typed: &str, asked: &Asked) -> Result<Anchored, Away> {
        let began = self.clock().tick();
        let ways = self.first_ways(signed, asked).await?;
        // What can be no code of ours is spent as one, so that it takes as long and counts.
        let code = typed_code(typed).unwrap_or_else(|| Secret::new("?"));
        let purposes = [(ways.admin_code, CodePurpose::Enrol), (ways.mail_code, CodePurpose::MailedEnrol)];
        for (_, purpose) in purposes.into_iter().filter(|(open, _)| *open) {
            match self.store().spend_code(&signed.user, purpose, &code, random()?, self.moment().wall).await? {
                CodeSpent::Right => return self.begin(signed, "enrol_by_code", asked.address).await,
                CodeSpent::Wrong => {}
            }
        }
        self.tell(signed.realm, SignInResult::WrongActivation, asked.address, Some(&signed.user));
        self.let_pass(began).await;
        Ok(Anchored::Wrong)
    }

    /// A trusted network: the password was enough (rules F3).
    ///
    /// # Errors
    /// The store.
    pub async fn enrol_by_network(&self, signed: &Signed, asked: &Asked) -> Result<Anchored, Away> {
        if !self.first_ways(signed, asked).await?.network {
            return Ok(Anchored::Wrong);
        }
        self.begin(signed, "enrol_from_network", asked.address).await
    }

    /// Mails a code to who never had a method. What the page says does not depend on whether one went out.
    ///
    /// # Errors
    /// The store.
    pub async fn mail_code(&self, signed: &Signed, asked: &Asked) -> Result<(), Away> {
        let at = self.moment();
        if !self.first_ways(signed, asked).await?.mail_code || !self.may_again("mail", &signed.user) {
            return Ok(());
        }
        let issued = issue_code(self.store().as_ref(), &signed.user, CodePurpose::MailedEnrol, at.wall).await;
        let shown = issued.map_err(|error| Away::of(&error.to_string()))?;
        let code = MailedCode::new(std::str::from_utf8(shown.expose()).unwrap_or_default());
        let code = ActivationCode { code, until: at.wall.plus(CODE_LASTS) };
        self.post(&signed.user, LetterKind::Activation { code }).await;
        Ok(())
    }

    async fn begin(&self, signed: &Signed, how: &'static str, address: IpAddr) -> Result<Anchored, Away> {
        let deed = Deed::new(&signed.user, how).from(address);
        let (enrolling, line) = self.act(deed, self.step_up(signed, WebStep::Enrolling)).await?;
        Ok(Anchored::Right(Box::new(enrolling), line))
    }
}
