//! What names a login, from a verified request (rules B2): the facts of L in their order, or none where it must stand
//! alone.
//!
//! Unclear counts as lacking: a fact that stands twice, or is empty, names nothing that two requests could share.

use login::Station;
use login::policy::Join;
use wire::{Dictionary, VerifiedRequest, kind};

use super::Client;

/// The facts of L; the client's name and User-Name are L's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginFacts<'a>(Vec<Option<&'a [u8]>>);

impl<'a> LoginFacts<'a> {
    /// In the order that [`login::LoginKeyParts`] asks for.
    #[must_use]
    pub fn as_slice(&self) -> &[Option<&'a [u8]>] {
        &self.0
    }
}

/// The facts of this request's L, by the client's `join`. `None`: the login joins nothing and is taken for a new one,
/// because it lacks what its `join` needs (B2).
#[must_use]
pub fn login_facts<'a>(request: &VerifiedRequest<'a>, client: &Client) -> Option<LoginFacts<'a>> {
    let mut facts = all_of(request, &ALWAYS)?;
    if let Some(Some(station)) = facts.first_mut() {
        *station = Station::without_port(station);
    }
    match client.config().policy.join {
        Join::Station => present(*facts.first()?)?,
        Join::Connection => {
            let connection = of_connection(request, client.session_attribute())?;
            // No profile lists a port as unique to a connection yet; when one does, it counts here too.
            connection.iter().rev().take(2).find_map(|fact| present(*fact))?;
            facts.extend(connection);
        }
        Join::Weak => (),
    }
    Some(LoginFacts(facts))
}

/// Calling-Station-Id stands first: `join = "station"` needs it.
const ALWAYS: [u8; 3] = [kind::CALLING_STATION_ID, kind::TUNNEL_CLIENT_ENDPOINT, kind::SERVICE_TYPE];

/// Under `join = "connection"`; the last of them, or the `session_attribute`, must be there.
const CONNECTION: [u8; 4] = [kind::NAS_IDENTIFIER, kind::NAS_IP_ADDRESS, kind::NAS_IPV6_ADDRESS, kind::ACCT_SESSION_ID];

/// The attribute that is new for each connection, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionAttribute {
    vendor: Option<u32>,
    kind: u8,
}

impl SessionAttribute {
    /// By its dictionary name; `config` has checked that there is one.
    pub(super) fn named(name: &str) -> Option<Self> {
        Dictionary::embedded().attribute(name).map(|entry| Self { vendor: entry.vendor, kind: entry.kind })
    }
}

fn of_connection<'a>(
    request: &VerifiedRequest<'a>,
    session: Option<SessionAttribute>,
) -> Option<Vec<Option<&'a [u8]>>> {
    let mut facts = all_of(request, &CONNECTION)?;
    facts.push(match session {
        None => None,
        Some(SessionAttribute { vendor: None, kind }) => at_most_one(standard(request, kind))?,
        Some(SessionAttribute { vendor: Some(vendor), kind }) => at_most_one(of_vendor(request, vendor, kind))?,
    });
    Some(facts)
}

fn all_of<'a>(request: &VerifiedRequest<'a>, kinds: &[u8]) -> Option<Vec<Option<&'a [u8]>>> {
    kinds.iter().map(|kind| at_most_one(standard(request, *kind))).collect()
}

fn standard<'a>(request: &VerifiedRequest<'a>, kind: u8) -> impl Iterator<Item = &'a [u8]> {
    request.attributes().filter(move |attribute| attribute.kind == kind).map(|attribute| attribute.value)
}

fn of_vendor<'a>(request: &VerifiedRequest<'a>, vendor: u32, kind: u8) -> impl Iterator<Item = &'a [u8]> {
    request
        .vendor_attributes()
        .filter(move |inner| inner.vendor == vendor && inner.kind == kind)
        .map(|inner| inner.value)
}

/// The one value or none; `None` outside where there are several.
fn at_most_one<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<Option<&'a [u8]>> {
    let first = values.next();
    values.next().is_none().then_some(first)
}

fn present(fact: Option<&[u8]>) -> Option<()> {
    fact.is_some_and(|value| !value.is_empty()).then_some(())
}
