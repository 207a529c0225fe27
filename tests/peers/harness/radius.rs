//! RADIUS by hand, on md-5 and hmac alone: requests are hidden and signed, answers checked octet by octet.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

pub(crate) const ACCEPT: u8 = 2;
pub(crate) const REJECT: u8 = 3;
pub(crate) const CHALLENGE: u8 = 11;
pub(crate) const STATUS_SERVER: u8 = 12;

pub(crate) const USER_NAME: u8 = 1;
pub(crate) const USER_PASSWORD: u8 = 2;
pub(crate) const REPLY_MESSAGE: u8 = 18;
pub(crate) const STATE: u8 = 24;
pub(crate) const CLASS: u8 = 25;
pub(crate) const VENDOR_SPECIFIC: u8 = 26;
pub(crate) const CALLING_STATION_ID: u8 = 31;
pub(crate) const PROXY_STATE: u8 = 33;
pub(crate) const TUNNEL_PASSWORD: u8 = 69;
pub(crate) const MESSAGE_AUTHENTICATOR: u8 = 80;

/// An Access-Request or a Status-Server, before it is signed for a secret.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) code: u8,
    pub(crate) id: u8,
    pub(crate) authenticator: [u8; 16],
    pub(crate) attributes: Vec<(u8, Vec<u8>)>,
    password: Option<Vec<u8>>,
    signed: bool,
    /// A client that would drop a signed answer.
    drops_signed: bool,
}

impl Ask {
    pub(crate) fn login(user: &str, password: &str) -> Self {
        Self::login_in_octets(user, password.as_bytes())
    }

    /// With a password that needn't be UTF-8.
    pub(crate) fn login_in_octets(user: &str, password: &[u8]) -> Self {
        Self { password: Some(password.to_vec()), ..Self::new(1) }.with(USER_NAME, user.as_bytes())
    }

    /// A request whose credential the test adds itself.
    pub(crate) fn without_password(user: &str) -> Self {
        Self::new(1).with(USER_NAME, user.as_bytes())
    }

    pub(crate) fn status() -> Self {
        Self::new(STATUS_SERVER)
    }

    fn new(code: u8) -> Self {
        let (id, authenticator) = (rand::random(), rand::random());
        Self { code, id, authenticator, attributes: Vec::new(), password: None, signed: true, drops_signed: false }
    }

    pub(crate) fn with(mut self, kind: u8, value: &[u8]) -> Self {
        self.attributes.push((kind, value.to_vec()));
        self
    }

    pub(crate) fn stationed(self, station: &str) -> Self {
        self.with(CALLING_STATION_ID, station.as_bytes())
    }

    /// The answer to a challenge.
    pub(crate) fn answering(self, challenge: &Answer) -> Self {
        let state = challenge.one(STATE);
        self.with(STATE, &state)
    }

    /// Without Message-Authenticator.
    pub(crate) fn bare(mut self) -> Self {
        self.signed = false;
        self
    }

    /// The same, of a client that would drop a signed answer.
    pub(crate) fn answered_bare(mut self) -> Self {
        (self.signed, self.drops_signed) = (false, true);
        self
    }

    pub(crate) fn numbered(mut self, id: u8) -> Self {
        self.id = id;
        self
    }

    /// The same question under another Identifier and Request Authenticator.
    pub(crate) fn anew(&self) -> Self {
        Self { id: self.id.wrapping_add(1), authenticator: rand::random(), ..self.clone() }
    }

    pub(crate) fn octets(&self, secret: &str) -> Vec<u8> {
        let mut body = Vec::new();
        let put = |body: &mut Vec<u8>, kind: u8, value: &[u8]| {
            body.extend([kind, u8::try_from(value.len() + 2).unwrap()]);
            body.extend(value);
        };
        if self.signed {
            put(&mut body, MESSAGE_AUTHENTICATOR, &[0; 16]);
        }
        for (kind, value) in &self.attributes {
            put(&mut body, *kind, value);
        }
        if let Some(password) = &self.password {
            put(&mut body, USER_PASSWORD, &hide(password, secret, &self.authenticator));
        }
        let mut octets = packet(self.code, self.id, &self.authenticator, &body);
        if self.signed {
            let mac = hmac_md5(secret, &octets);
            octets[22..38].copy_from_slice(&mac);
        }
        octets
    }
}

fn packet(code: u8, id: u8, authenticator: &[u8; 16], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    [&[code, id], &length[..], authenticator, body].concat()
}

/// An answer whose Response Authenticator and Message-Authenticator are right for its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    pub(crate) id: u8,
    pub(crate) octets: Vec<u8>,
    pub(crate) attributes: Vec<(u8, Vec<u8>)>,
}

impl Answer {
    /// Checks an answer as an appliance would; octet 20 is Message-Authenticator in every one of them (rules E1).
    pub(crate) fn to(ask: &Ask, secret: &str, octets: &[u8]) -> Self {
        assert_eq!(usize::from(u16::from_be_bytes([octets[2], octets[3]])), octets.len(), "the length of {octets:?}");
        assert_eq!(octets[1], ask.id, "the Identifier");
        let mut asked = octets.to_vec();
        asked[4..20].copy_from_slice(&ask.authenticator);
        assert_eq!(md5(&[&asked, secret.as_bytes()]), octets[4..20], "the Response Authenticator");
        let attributes = attributes(&octets[20..]);
        if ask.drops_signed {
            assert!(attributes.iter().all(|(kind, _)| *kind != MESSAGE_AUTHENTICATOR), "it is signed: {attributes:?}");
            return Self { code: octets[0], id: octets[1], octets: octets.to_vec(), attributes };
        }
        assert_eq!(octets[20..22], [MESSAGE_AUTHENTICATOR, 18], "Message-Authenticator is not first in {octets:?}");
        asked[22..38].fill(0);
        assert_eq!(hmac_md5(secret, &asked), octets[22..38], "the Message-Authenticator");
        Self { code: octets[0], id: octets[1], octets: octets.to_vec(), attributes }
    }

    pub(crate) fn all(&self, kind: u8) -> Vec<Vec<u8>> {
        self.attributes.iter().filter(|(found, _)| *found == kind).map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn one(&self, kind: u8) -> Vec<u8> {
        let all = self.all(kind);
        assert_eq!(all.len(), 1, "attribute {kind} in {self:?}");
        all[0].clone()
    }

    pub(crate) fn text(&self) -> String {
        self.all(REPLY_MESSAGE).iter().map(|part| String::from_utf8(part.clone()).unwrap()).collect()
    }

    /// The values of one vendor's attribute, in their order.
    pub(crate) fn vendor(&self, vendor: u32, kind: u8) -> Vec<Vec<u8>> {
        let all = self.all(VENDOR_SPECIFIC);
        let ours = all.iter().filter(|value| value[..4] == vendor.to_be_bytes() && value[4] == kind);
        ours.map(|value| value[6..].to_vec()).collect()
    }
}

pub(crate) fn attributes(mut octets: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [kind, length, ..] = *octets {
        let (attribute, rest) = octets.split_at(usize::from(length));
        found.push((kind, attribute[2..].to_vec()));
        octets = rest;
    }
    found
}

/// RFC 2865 §5.2.
fn hide(password: &[u8], secret: &str, authenticator: &[u8; 16]) -> Vec<u8> {
    let mut padded = password.to_vec();
    padded.resize(password.len().div_ceil(16).max(1) * 16, 0);
    let (mut before, mut hidden) = (authenticator.to_vec(), Vec::new());
    for block in padded.chunks(16) {
        before = block.iter().zip(md5(&[secret.as_bytes(), &before])).map(|(a, b)| a ^ b).collect();
        hidden.extend(&before);
    }
    hidden
}

/// RFC 2865 §5.2, the other way.
pub(crate) fn reveal(hidden: &[u8], secret: &str, authenticator: &[u8]) -> Vec<u8> {
    let mut password = unchain(hidden, secret, authenticator);
    while password.last() == Some(&0) {
        password.pop();
    }
    password
}

/// RFC 2868 §3.5 and RFC 2548 §2.4.2: the salt, then a length octet and the value under the chain.
pub(crate) fn reveal_salted(value: &[u8], secret: &str, authenticator: &[u8; 16]) -> Vec<u8> {
    let (salt, hidden) = value.split_at(2);
    assert!(salt[0] & 0x80 != 0, "the salt's first bit is set");
    let plain = unchain(hidden, secret, &[&authenticator[..], salt].concat());
    plain[1..=usize::from(plain[0])].to_vec()
}

fn unchain(hidden: &[u8], secret: &str, first: &[u8]) -> Vec<u8> {
    let (mut before, mut plain) = (first.to_vec(), Vec::new());
    for block in hidden.chunks(16) {
        plain.extend(block.iter().zip(md5(&[secret.as_bytes(), &before])).map(|(a, b)| a ^ b));
        before = block.to_vec();
    }
    plain
}

/// An answer of a primary: signed under the request's authenticator.
pub(crate) fn signed_answer(code: u8, request: &[u8], values: &[(u8, Vec<u8>)], secret: &str) -> Vec<u8> {
    let mut body = [&[MESSAGE_AUTHENTICATOR, 18][..], &[0; 16]].concat();
    for (kind, value) in values {
        body.extend([*kind, u8::try_from(value.len() + 2).unwrap()]);
        body.extend(value);
    }
    let authenticator: [u8; 16] = request[4..20].try_into().unwrap();
    let mut octets = packet(code, request[1], &authenticator, &body);
    let mac = hmac_md5(secret, &octets);
    octets[22..38].copy_from_slice(&mac);
    let response = md5(&[&octets, secret.as_bytes()]);
    octets[4..20].copy_from_slice(&response);
    octets
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn hmac_md5(secret: &str, octets: &[u8]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(octets);
    mac.finalize().into_bytes().into()
}
