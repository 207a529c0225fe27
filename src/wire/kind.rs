//! Attribute and vendor numbers that code refers to by name. Names for people are in the [`Dictionary`](crate::Dictionary).
//!
//! Only numbers that some code needs stand here; the source is beside each group.

// RFC 2865 §5
/// User-Name
pub const USER_NAME: u8 = 1;
/// User-Password
pub const USER_PASSWORD: u8 = 2;
/// CHAP-Password
pub const CHAP_PASSWORD: u8 = 3;
/// NAS-IP-Address
pub const NAS_IP_ADDRESS: u8 = 4;
/// NAS-Port
pub const NAS_PORT: u8 = 5;
/// Service-Type
pub const SERVICE_TYPE: u8 = 6;
/// Framed-IP-Address
pub const FRAMED_IP_ADDRESS: u8 = 8;
/// Filter-Id
pub const FILTER_ID: u8 = 11;
/// Reply-Message
pub const REPLY_MESSAGE: u8 = 18;
/// State
pub const STATE: u8 = 24;
/// Class
pub const CLASS: u8 = 25;
/// Vendor-Specific
pub const VENDOR_SPECIFIC: u8 = 26;
/// Session-Timeout
pub const SESSION_TIMEOUT: u8 = 27;
/// Idle-Timeout
pub const IDLE_TIMEOUT: u8 = 28;
/// Called-Station-Id
pub const CALLED_STATION_ID: u8 = 30;
/// Calling-Station-Id
pub const CALLING_STATION_ID: u8 = 31;
/// NAS-Identifier
pub const NAS_IDENTIFIER: u8 = 32;
/// Proxy-State
pub const PROXY_STATE: u8 = 33;
/// CHAP-Challenge
pub const CHAP_CHALLENGE: u8 = 60;
/// NAS-Port-Type
pub const NAS_PORT_TYPE: u8 = 61;

// RFC 2866 §5
/// Acct-Status-Type
pub const ACCT_STATUS_TYPE: u8 = 40;
/// Acct-Session-Id
pub const ACCT_SESSION_ID: u8 = 44;

// RFC 2868 §3
/// Tunnel-Type, the first of the tagged attributes
pub const TUNNEL_TYPE: u8 = 64;
/// Tunnel-Client-Endpoint
pub const TUNNEL_CLIENT_ENDPOINT: u8 = 66;
/// Tunnel-Password
pub const TUNNEL_PASSWORD: u8 = 69;

// RFC 2869 §5
/// ARAP-Password
pub const ARAP_PASSWORD: u8 = 70;
/// Prompt
pub const PROMPT: u8 = 76;
/// EAP-Message
pub const EAP_MESSAGE: u8 = 79;
/// Message-Authenticator
pub const MESSAGE_AUTHENTICATOR: u8 = 80;
/// NAS-Port-Id
pub const NAS_PORT_ID: u8 = 87;

/// NAS-IPv6-Address (RFC 3162 §2.1)
pub const NAS_IPV6_ADDRESS: u8 = 95;
/// Error-Cause (RFC 5176 §3.5)
pub const ERROR_CAUSE: u8 = 101;

/// Microsoft's vendor number
pub const MICROSOFT: u32 = 311;
// RFC 2548 §2
/// MS-CHAP-Response
pub const MS_CHAP_RESPONSE: u8 = 1;
/// MS-CHAP-Error
pub const MS_CHAP_ERROR: u8 = 2;
/// MS-CHAP-Domain
pub const MS_CHAP_DOMAIN: u8 = 10;
/// MS-CHAP-Challenge
pub const MS_CHAP_CHALLENGE: u8 = 11;
/// MS-CHAP-MPPE-Keys
pub const MS_CHAP_MPPE_KEYS: u8 = 12;
/// MS-MPPE-Send-Key
pub const MS_MPPE_SEND_KEY: u8 = 16;
/// MS-MPPE-Recv-Key
pub const MS_MPPE_RECV_KEY: u8 = 17;
/// MS-CHAP2-Response
pub const MS_CHAP2_RESPONSE: u8 = 25;
/// MS-CHAP2-Success
pub const MS_CHAP2_SUCCESS: u8 = 26;
/// Cisco's vendor number
pub const CISCO: u32 = 9;
/// Cisco-AVPair
pub const CISCO_AVPAIR: u8 = 1;
