//! The packet that is measured: an Access-Request of 150 octets with PAP, as a VPN gateway behind one proxy sends it.

use wire::{
    Attribute, Code, Datagram, Demand, PacketView, RequestWriter, Secret, SentRequest, SharedSecret, VerifiedRequest,
    kind,
};

pub const SECRET: &str = "shared with the appliance";
pub const CISCO_AV_PAIR: &[u8] = b"ip:source-ip=198.51.100.23";

/// What is in it, without the password and the vendor's attribute.
pub const BEFORE: [Attribute<'static>; 5] = [
    Attribute::new(kind::USER_NAME, b"alice"),
    Attribute::new(kind::NAS_IP_ADDRESS, &[192, 0, 2, 10]),
    Attribute::new(kind::NAS_PORT, &[0, 0, 0, 7]),
    Attribute::new(kind::CALLING_STATION_ID, b"198.51.100.23"),
    Attribute::new(kind::NAS_IDENTIFIER, b"vpn-gate-1"),
];
pub const PROXY_STATE: Attribute<'static> = Attribute::new(kind::PROXY_STATE, b"a-hop-before");

pub fn secret() -> SharedSecret {
    SharedSecret::new(Secret::new(SECRET))
}

/// Builds and signs it.
pub fn signed(password: &Secret, secret: &SharedSecret, buffer: &mut Datagram) -> SentRequest {
    let mut writer = RequestWriter::new(Code::AccessRequest, 7, [0x5a; 16], buffer);
    BEFORE.into_iter().try_for_each(|attribute| writer.push(attribute)).expect("150 octets fit");
    writer.push_password(password, secret).expect("150 octets fit");
    writer.push_vendor(9, 1, CISCO_AV_PAIR).expect("150 octets fit");
    writer.push(PROXY_STATE).expect("150 octets fit");
    writer.sign(secret)
}

pub fn request(secret: &SharedSecret) -> SentRequest {
    let sent = signed(&Secret::new("hunter2"), secret, &mut Datagram::new());
    assert_eq!(sent.as_bytes().len(), 150);
    sent
}

pub fn verified<'a>(octets: &'a [u8], secret: &SharedSecret) -> VerifiedRequest<'a> {
    PacketView::parse(octets)
        .expect("it was written here")
        .verify(secret, Demand::Required)
        .expect("it was signed here")
}
