//! What radtest sends: attributes built with the `radius` crate's owned packet, then copied in their order behind a
//! Message-Authenticator of `wire`, which hides and signs.

use std::net::IpAddr;

use radius::core::avp::AVP;
use radius::core::code::Code as RadiusCode;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc3162};
use rand::TryRng;
use rand::rngs::SysRng;
use wire::{
    Attribute, Code, Datagram, Dictionary, EncodeError, NtHash, PacketView, RequestWriter, Secret, SentRequest,
    SharedSecret, chap_response, kind, mschap2_authenticator_response, mschap2_response,
};

use super::super::out::Failure;

/// How the password is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    /// User-Password (RFC 2865 §5.2).
    Pap,
    /// CHAP-Password and CHAP-Challenge (RFC 2865 §5.3).
    Chap,
    /// MS-CHAP2-Response (RFC 2548 §2.3.2).
    Mschapv2,
}

/// What a request proves.
pub(super) enum Credential {
    /// The first request's password.
    Password { method: Method, password: Secret },
    /// An answer to a challenge, in the clear as codes are.
    Answer(Secret),
}

/// What all requests of one login have in common.
pub(super) struct Template {
    user: String,
    packet: Packet,
}

/// A request, what it shows, and what a MS-CHAP2-Success must say.
pub(super) struct Request {
    pub(super) sent: SentRequest,
    pub(super) told: Vec<String>,
    pub(super) success: Option<String>,
}

/// `Name=value` as a whole attribute.
pub(super) fn attribute(text: &str) -> Result<Vec<u8>, Failure> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Failure::Usage(format!("--attribute {text:?} has no =; write Name=value")));
    };
    let (name, dictionary) = (name.trim(), Dictionary::embedded());
    let encoded = dictionary.encode(name, value).map_err(|error| match (error, nearest(name)) {
        (EncodeError::UnknownName, Some(near)) => {
            Failure::Usage(format!("--attribute {name}: {error}; did you mean {near}?"))
        }
        _ => Failure::Usage(format!("--attribute {name}: {error}")),
    })?;
    match encoded.first() {
        Some(&kind::USER_NAME) => Err(Failure::Usage("User-Name is the USER of the command itself".to_owned())),
        Some(&(kind::STATE | kind::CHAP_PASSWORD | kind::MESSAGE_AUTHENTICATOR | kind::EAP_MESSAGE)) => {
            Err(Failure::Usage(format!("{name} is not to be given by hand: it is made for each request")))
        }
        Some(_) | None => Ok(encoded),
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let folded = name.to_ascii_lowercase();
    let scored =
        Dictionary::embedded().names().map(|known| (strsim::jaro_winkler(&folded, &known.to_ascii_lowercase()), known));
    scored.filter(|(score, _)| *score > 0.85).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

impl Template {
    /// The attributes of an appliance that asks from `local`; those of `given` come instead of ours.
    pub(super) fn new(user: &str, local: IpAddr, given: Vec<Vec<u8>>) -> Result<Self, Failure> {
        const USER_OCTETS_MAX: usize = 253;
        if user.is_empty() || user.len() > USER_OCTETS_MAX {
            return Err(Failure::Usage("USER must have 1 to 253 octets (RFC 2865 section 5.1)".to_owned()));
        }
        let mut packet = Packet::new_with_identifier(RadiusCode::AccessRequest, b"", 0);
        rfc2865::add_user_name(&mut packet, user);
        rfc2865::add_nas_identifier(&mut packet, "vestibule-radtest");
        match local.to_canonical() {
            IpAddr::V4(address) => rfc2865::add_nas_ip_address(&mut packet, &address),
            IpAddr::V6(address) => rfc3162::add_nas_ipv6_address(&mut packet, &address),
        }
        rfc2865::add_nas_port_type(&mut packet, rfc2865::NAS_PORT_TYPE_VIRTUAL);
        rfc2865::add_calling_station_id(&mut packet, &local.to_canonical().to_string());
        for whole in &given {
            if let Some(kind) = whole.first().filter(|kind| **kind != kind::VENDOR_SPECIFIC) {
                packet.delete(*kind);
            }
        }
        for whole in &given {
            if let [kind, _, value @ ..] = whole.as_slice() {
                packet.add(AVP::from_bytes(*kind, value));
            }
        }
        Ok(Self { user: user.to_owned(), packet })
    }

    /// A signed request.
    pub(super) fn request(
        &self,
        credential: &Credential,
        state: Option<&[u8]>,
        identifier: u8,
        secret: &SharedSecret,
    ) -> Result<Request, Failure> {
        let authenticator = random::<16>()?;
        let mut buffer = Datagram::new();
        let mut writer = RequestWriter::new(Code::AccessRequest, identifier, authenticator, &mut buffer);
        // The crate's octets, unsigned: only their attributes are taken.
        let unsigned = self.packet.encode().map_err(Failure::of)?;
        let view = PacketView::parse(&unsigned).map_err(Failure::of)?;
        view.attributes().try_for_each(|attribute| writer.push(attribute)).map_err(too_much)?;
        let success = match credential {
            Credential::Password { method, password } => self.prove(&mut writer, *method, password, secret)?,
            Credential::Answer(answer) => {
                writer.push_password(answer, secret).map_err(too_much)?;
                None
            }
        };
        if let Some(state) = state {
            writer.push(Attribute::new(kind::STATE, state)).map_err(too_much)?;
        }
        let sent = writer.sign(secret);
        Ok(Request { told: describe(sent.as_bytes()), sent, success })
    }

    fn prove(
        &self,
        writer: &mut RequestWriter<'_>,
        method: Method,
        password: &Secret,
        secret: &SharedSecret,
    ) -> Result<Option<String>, Failure> {
        match method {
            Method::Pap => writer.push_password(password, secret).map_err(too_much).map(|()| None),
            Method::Chap => {
                let ([identifier], challenge) = (random::<1>()?, random::<16>()?);
                let value = [&[identifier][..], &chap_response(identifier, password, &challenge)].concat();
                writer.push(Attribute::new(kind::CHAP_PASSWORD, &value)).map_err(too_much)?;
                writer.push(Attribute::new(kind::CHAP_CHALLENGE, &challenge)).map_err(too_much)?;
                Ok(None)
            }
            Method::Mschapv2 => self.prove_mschap(writer, password).map(Some),
        }
    }

    /// RFC 2548 §2.3.2: Ident, Flags, Peer-Challenge (16), Reserved (8), Response (24). RFC 2759 §4: the name without a domain.
    fn prove_mschap(&self, writer: &mut RequestWriter<'_>, password: &Secret) -> Result<String, Failure> {
        let ([ident], challenge, peer) = (random::<1>()?, random::<16>()?, random::<16>()?);
        let name = self.user.rsplit('\\').next().unwrap_or(&self.user).as_bytes();
        let hash = NtHash::of(password);
        let response = mschap2_response(&challenge, &peer, name, &hash);
        let value = [&[ident, 0][..], &peer, &[0; 8], &response].concat();
        writer.push_vendor(kind::MICROSOFT, kind::MS_CHAP_CHALLENGE, &challenge).map_err(too_much)?;
        writer.push_vendor(kind::MICROSOFT, kind::MS_CHAP2_RESPONSE, &value).map_err(too_much)?;
        Ok(mschap2_authenticator_response(&challenge, &peer, name, &hash, &response))
    }
}

fn describe(octets: &[u8]) -> Vec<String> {
    let dictionary = Dictionary::embedded();
    let Ok(view) = PacketView::parse(octets) else { return Vec::new() };
    view.attributes().map(|attribute| dictionary.describe(attribute)).collect()
}

fn too_much(_: wire::Full) -> Failure {
    Failure::Usage("the request does not fit: a password has 128 octets at most, a packet 4096".to_owned())
}

/// Octets from the operating system; none is an error, never a weaker number.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut octets = [0; N];
    SysRng
        .try_fill_bytes(&mut octets)
        .map_err(|_| Failure::Refused("the operating system gives no randomness; nothing is sent without it".into()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use wire::Demand;

    use super::*;

    fn request(method: Method, given: &[&str]) -> SentRequest {
        let given = given.iter().map(|text| attribute(text).unwrap()).collect();
        let template = Template::new("alice", "192.0.2.7".parse().unwrap(), given).unwrap();
        let credential = Credential::Password { method, password: Secret::new("hunter2") };
        template.request(&credential, None, 7, &SharedSecret::new(Secret::new("secret"))).unwrap().sent
    }

    #[test]
    fn a_request_is_signed_first_and_says_where_it_is_from() {
        let secret = SharedSecret::new(Secret::new("secret"));
        let sent = request(Method::Pap, &["Calling-Station-Id=203.0.113.9", "Cisco-AVPair=a=b"]);
        let view = PacketView::parse(sent.as_bytes()).unwrap();
        assert_eq!(view.attributes().next().map(|first| first.kind), Some(kind::MESSAGE_AUTHENTICATOR));
        let verified = view.verify(&secret, Demand::Required).unwrap();
        assert_eq!(verified.password(&secret), Ok(Some(Secret::new("hunter2"))));
        let stations: Vec<_> = view.attributes().filter(|one| one.kind == kind::CALLING_STATION_ID).collect();
        assert_eq!(stations.iter().map(|one| one.value).collect::<Vec<_>>(), [b"203.0.113.9"]);
        assert_eq!(view.vendor(kind::CISCO, kind::CISCO_AVPAIR), Some(&b"a=b"[..]));
    }

    #[test]
    fn chap_and_mschap_prove_the_password_without_it() {
        let chap = request(Method::Chap, &[]);
        let view = PacketView::parse(chap.as_bytes()).unwrap();
        assert!(view.chap_password().is_some() && view.user_password().is_none());
        let mschap = request(Method::Mschapv2, &[]);
        let view = PacketView::parse(mschap.as_bytes()).unwrap();
        assert_eq!(view.vendor(kind::MICROSOFT, kind::MS_CHAP2_RESPONSE).map(<[u8]>::len), Some(50));
    }

    #[test]
    fn what_is_shown_of_a_request_holds_no_credential() {
        for method in [Method::Pap, Method::Chap, Method::Mschapv2] {
            let lines = describe(request(method, &[]).as_bytes()).join("\n");
            assert!(lines.contains("User-Name = \"alice\"") && lines.contains("<hidden>"), "{lines}");
        }
    }

    #[test]
    fn a_misspelt_attribute_gets_its_nearest_name() {
        assert!(
            matches!(attribute("Caling-Station-Id=x"), Err(Failure::Usage(why)) if why.contains("Calling-Station-Id"))
        );
        assert!(matches!(attribute("NAS-Port=x"), Err(Failure::Usage(why)) if why.contains("number")));
        assert!(matches!(attribute("State=0x00"), Err(Failure::Usage(_))));
    }
}
