//! From a verified Access-Request to an [`Attempt`]: the credential is decoded and split, the login named by L and P.
//!
//! This is the last place that sees the packet; what follows knows facts only. It decides nothing.

use std::net::IpAddr;
use std::sync::Arc;

use login::attempt::split_appended;
use login::policy::Policy;
use login::{
    Appended, Asker, AskerId, Attempt, Credential, LoginKey, LoginKeyParts, Moment, Proof, ProofKey, Reason, StateHash,
    Station,
};
use wire::{PacketView, Placed, ReplyContext, Secret, SharedSecret, VerifiedRequest, kind};

use super::return_path::ReturnPath;
use crate::primary::Forwarded;
use crate::telemetry::ClientMeters;

/// One admitted Access-Request, on its way to a login.
pub struct Ask<'a> {
    /// Through which appliance.
    pub client: login::ClientName,
    /// The appliance's secret: reveals the password and signs the answer.
    pub secret: SharedSecret,
    /// Where Message-Authenticator stands in the answer (E1).
    pub placed: Placed,
    /// Its kept counters.
    pub meters: ClientMeters,
    /// Where the packet came from.
    pub peer: IpAddr,
    /// The packet.
    pub request: &'a VerifiedRequest<'a>,
    /// The facts of L, or `None` where the login must stand alone (rules B2).
    pub facts: Option<&'a [Option<&'a [u8]>]>,
    /// It carried a verified Message-Authenticator (D5).
    pub authentic: bool,
    /// Its client may send packets without one (D5).
    pub may_be_bare: bool,
    /// The way back.
    pub path: Box<dyn ReturnPath>,
    /// Called if the primary rejects it; a bare sender's client has a budget of that (D5).
    pub on_primary_reject: Option<Box<dyn FnOnce() + Send + Sync>>,
}

/// The keys under which logins are named.
pub(super) struct Keys {
    /// Of L: the same after a restart, because prompts are found by it (B3).
    pub(super) login: ProofKey,
    /// Of P: this process's own.
    pub(super) proof: ProofKey,
    /// Of States: this process's own; a State from before a crash is unknown (B3).
    pub(super) states: ProofKey,
}

/// A request that waits: the way back, and what its answer is written under.
pub(super) struct Request {
    pub(super) context: ReplyContext,
    pub(super) secret: SharedSecret,
    pub(super) placed: Placed,
    pub(super) meters: ClientMeters,
    pub(super) path: Box<dyn ReturnPath>,
    /// The Identifier inside MS-CHAP2-Response, which a denial repeats (RFC 2548 §2.1.5).
    pub(super) mschap_ident: Option<u8>,
    pub(super) on_primary_reject: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Request {
    /// About how many octets it keeps beside itself: its Proxy-States, its way back, the charge on its client (G1).
    pub(super) fn bytes(&self) -> usize {
        let charge = self.on_primary_reject.as_ref().map_or(0, |charge| size_of_val(&**charge));
        self.context.overhead() + size_of_val(&*self.path) + charge
    }
}

/// What `receive` works with.
pub(super) struct Arrival {
    pub(super) attempt: Attempt,
    pub(super) request: Request,
    pub(super) forwarded: Forwarded,
}

/// Reads the facts of a request. `alone` is random: the key of a login that joins nothing.
pub(super) fn arrival(ask: Ask<'_>, id: AskerId, policy: &Policy, keys: &Keys, alone: [u8; 16], at: Moment) -> Arrival {
    let view = ask.request.view();
    let octets = view.user_name().unwrap_or_default();
    let client_policy = policy.clients.get(&ask.client);
    let patience = client_policy.map(|client| login::limits::patience(client.gives_up_after)).unwrap_or_default();
    let delimiter = client_policy.and_then(|client| client.append.clone());
    let context = ask.request.context();
    let asker = Asker {
        id,
        since: at.tick,
        until: at.tick.plus(patience),
        overhead: context.overhead(),
        attributes: context.own_attributes(),
    };
    let (credential, proof) = credential(ask.request, &ask.secret, delimiter, &keys.proof);
    let call_check = view.attribute(kind::SERVICE_TYPE).is_some_and(|value| *value == CALL_CHECK.to_be_bytes());
    let names_a_mac = login::name::names_a_mac(octets, typed(&credential), call_check);
    let named = |facts: &[Option<&[u8]>]| {
        LoginKey::of(&keys.login, &LoginKeyParts { client: ask.client.as_str(), user: octets, facts })
    };
    let login = ask.facts.map(named);
    let same = login.filter(|_| ask.may_be_bare).map(|login| login.with_proof(&keys.proof, &proof));
    let station = view.attribute(kind::CALLING_STATION_ID).map(Station::new);
    let attempt = Attempt {
        asker,
        user: policy.user_name(octets, names_a_mac),
        user_octets: octets.into(),
        names_a_mac,
        credential,
        address: station.as_ref().and_then(Station::address).filter(|address| !is_own(*address, ask.peer, view)),
        station,
        // A bare one joins nothing, so its L is its own (D5).
        login: login.filter(|_| ask.authentic).unwrap_or(LoginKey::alone(alone)),
        same,
        twin: named(&[
            view.attribute(kind::CALLING_STATION_ID).map(Station::without_port),
            view.attribute(kind::TUNNEL_CLIENT_ENDPOINT),
            view.attribute(kind::SERVICE_TYPE),
        ]),
        proof,
        unknown_state: view.state().map_or(Reason::StateUnknown, |state| keys.states.why_unknown(state)),
        state: view.state().map(StateHash::of),
        authentic: ask.authentic,
        client: ask.client,
    };
    let request = Request {
        context,
        secret: ask.secret,
        placed: ask.placed,
        meters: ask.meters,
        path: ask.path,
        mschap_ident: ask.request.mschap2().map(|response| response.identifier),
        on_primary_reject: ask.on_primary_reject,
    };
    Arrival { attempt, request, forwarded: Forwarded::of(ask.request) }
}

/// Whether this is the appliance itself: where the packet came from, or what it calls its own (RFC 2865 §5.4, RFC 3162 §2.1).
fn is_own(address: IpAddr, peer: IpAddr, view: &PacketView<'_>) -> bool {
    let four = view.attribute(kind::NAS_IP_ADDRESS).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
    let six = view.attribute(kind::NAS_IPV6_ADDRESS).and_then(|octets| <[u8; 16]>::try_from(octets).ok());
    let own = [Some(peer), four.map(IpAddr::from), six.map(IpAddr::from)];
    own.into_iter().flatten().any(|own| own.to_canonical() == address.to_canonical())
}

/// RFC 2865 §5.6: "Call Check: Used by the NAS in an Access-Request packet to indicate that a call is being received".
const CALL_CHECK: u32 = 10;

/// The password as the primary would get it.
fn typed(credential: &Credential) -> Option<&[u8]> {
    match credential {
        Credential::Pap { password, .. } => Some(password.expose()),
        Credential::Unsupported { .. } => None,
    }
}

/// The credential and its P (B2): kind and whole value, before anything is split off.
fn credential(
    request: &VerifiedRequest<'_>,
    secret: &SharedSecret,
    delimiter: Option<Arc<str>>,
    key: &ProofKey,
) -> (Credential, Proof) {
    let view = request.view();
    let raw = |kind| view.attribute(kind).unwrap_or_default();
    if view.attribute(kind::EAP_MESSAGE).is_some() {
        return unsupported("eap", key, &[raw(kind::EAP_MESSAGE), view.authenticator()]);
    }
    if request.mschap2().is_some() || request.mschap().is_some() {
        let name = if request.mschap2().is_some() { "mschapv2" } else { "mschap" };
        return unsupported(name, key, &[raw(kind::VENDOR_SPECIFIC), view.authenticator()]);
    }
    if view.attribute(kind::CHAP_PASSWORD).is_some() {
        return unsupported("chap", key, &[raw(kind::CHAP_PASSWORD), raw(kind::CHAP_CHALLENGE), view.authenticator()]);
    }
    // Enter, where there is nothing to type: radcli (so ocserv) sends a User-Password of no octets, FreeRADIUS's client
    // none at all (RFC 2865 §4.1: "a User-Password or a CHAP-Password or a State"). Beside a State both are the empty
    // answer (E1, C3).
    if view.state().is_some() && raw(kind::USER_PASSWORD).is_empty() {
        return pap(&Secret::new(""), None, key);
    }
    match request.password(secret) {
        Ok(Some(whole)) => pap(&whole, delimiter.filter(|_| view.state().is_none()), key),
        Ok(None) => unsupported("none", key, &[view.authenticator()]),
        Err(_) => unsupported("an unreadable User-Password", key, &[view.authenticator()]),
    }
}

/// Split on a client with `append`, and never in the answer to a challenge (C4).
fn pap(whole: &Secret, delimiter: Option<Arc<str>>, key: &ProofKey) -> (Credential, Proof) {
    let proof = Proof::of(key, "pap", &[whole.expose()]);
    let (password, appended): (Secret, Option<Appended>) = match delimiter {
        Some(delimiter) => split_appended(whole, &delimiter),
        None => (whole.clone(), None),
    };
    (Credential::Pap { password, appended }, proof)
}

fn unsupported(kind: &'static str, key: &ProofKey, values: &[&[u8]]) -> (Credential, Proof) {
    (Credential::Unsupported { kind }, Proof::of(key, kind, values))
}
