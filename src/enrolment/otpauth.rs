//! The `otpauth://` URI that authenticator apps read from a QR code (the Key URI Format).
//!
//! It holds the seed, so it is a `Secret`. `totp-rs` refuses names with a colon, which user names may have; here the colon,
//! which the format keeps for itself, becomes a dash, and everything else is percent-encoded (RFC 3986 §2).

use login::ResolvedUser;
use wire::Secret;
use zeroize::Zeroizing;

use super::seed::base32;
use crate::store::{Algorithm, Mark, NewToken, TokenKind};

/// Whose account it is, as the app shows it.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// `[portal] account_name`: the app's heading.
    pub issuer: &'a str,
    /// The user.
    pub user: &'a ResolvedUser,
}

/// The URI of a token. Every parameter is written, also where the app's default would do.
#[must_use]
pub fn uri(account: Account<'_>, token: &NewToken) -> Secret {
    let (kind, moving) = match token.kind {
        TokenKind::Totp { period_s } => ("totp", format!("period={period_s}")),
        // In the app as in the store: at 0, or where a token that was used elsewhere stands.
        TokenKind::Hotp => {
            let next = match token.used {
                Some(Mark::Hotp { counter }) => counter.saturating_add(1),
                Some(Mark::Totp { .. }) | None => 0,
            };
            ("hotp", format!("counter={next}"))
        }
    };
    let (issuer, user) = (encoded(account.issuer), encoded(account.user.as_str()));
    let label = if issuer.is_empty() { user } else { format!("{issuer}:{user}") };
    let (algorithm, digits) = (algorithm_word(token.algorithm), token.digits);
    let seed = base32(&token.seed);
    let mut uri = Zeroizing::new(Vec::with_capacity(URI_OCTETS + label.len() + issuer.len() + seed.len()));
    uri.extend_from_slice(format!("otpauth://{kind}/{label}?secret=").as_bytes());
    uri.extend_from_slice(seed.expose());
    if !issuer.is_empty() {
        uri.extend_from_slice(format!("&issuer={issuer}").as_bytes());
    }
    uri.extend_from_slice(format!("&algorithm={algorithm}&digits={digits}&{moving}").as_bytes());
    Secret::new(uri.as_slice())
}

/// Room for the fixed parts, so that the buffer never moves and leaves a copy of the seed behind.
const URI_OCTETS: usize = 128;

fn algorithm_word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha512 => "SHA512",
    }
}

/// RFC 3986 §2.3: only the unreserved characters stay.
fn encoded(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut out, octet| {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(octet)),
            b':' => out.push('-'),
            _ => out.push_str(&format!("%{octet:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(issuer: &str, user: &str, token: &NewToken) -> String {
        let uri = uri(Account { issuer, user: &ResolvedUser::new(user) }, token);
        String::from_utf8(uri.expose().to_vec()).unwrap()
    }

    fn token(kind: TokenKind, digits: u8, algorithm: Algorithm) -> NewToken {
        NewToken { kind, seed: Secret::new("12345678901234567890"), digits, algorithm, label: None, used: None }
    }

    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn an_app_finds_all_it_needs() {
        let totp = token(TokenKind::Totp { period_s: 30 }, 6, Algorithm::Sha1);
        let expected = format!(
            "otpauth://totp/Example%20Corp:alice?secret={SECRET}&issuer=Example%20Corp&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(of("Example Corp", "alice", &totp), expected);
        let hotp = token(TokenKind::Hotp, 8, Algorithm::Sha512);
        let expected =
            format!("otpauth://hotp/Example:bob?secret={SECRET}&issuer=Example&algorithm=SHA512&digits=8&counter=0");
        assert_eq!(of("Example", "bob", &hotp), expected);
    }

    #[test]
    fn names_can_not_break_out_of_their_place() {
        let totp = token(TokenKind::Totp { period_s: 60 }, 6, Algorithm::Sha256);
        let uri = of("A&B: VPN/é", "al:ice@example.com?secret=x#", &totp);
        let expected = format!(
            "otpauth://totp/A%26B-%20VPN%2F%C3%A9:al-ice%40example.com%3Fsecret%3Dx%23?secret={SECRET}&issuer=A%26B-%20VPN%2F%C3%A9&algorithm=SHA256&digits=6&period=60"
        );
        assert_eq!(uri, expected);
    }

    #[test]
    fn without_an_account_name_the_user_stands_alone() {
        let totp = token(TokenKind::Totp { period_s: 30 }, 6, Algorithm::Sha1);
        assert!(of("", "alice", &totp).starts_with("otpauth://totp/alice?secret="));
        assert!(!of("", "alice", &totp).contains("issuer"));
    }

    #[test]
    fn the_buffer_never_moves() {
        let long = "é".repeat(126);
        let seed = Secret::new((0..128).collect::<Vec<u8>>());
        let token = NewToken { seed, ..token(TokenKind::Totp { period_s: u32::MAX }, 8, Algorithm::Sha512) };
        let fixed = "otpauth://totp/:?secret=&issuer=&algorithm=SHA512&digits=8&period=4294967295".len();
        assert!(fixed < URI_OCTETS);
        assert!(of(&long, &long, &token).len() < URI_OCTETS + 2 * (2 * 756 + 1) + 205);
    }

    #[test]
    fn totp_rs_reads_it_back() {
        let totp = token(TokenKind::Totp { period_s: 30 }, 8, Algorithm::Sha256);
        let read = totp_rs::Totp::from_url(of("Example Corp", "alice@example.com", &totp)).unwrap();
        assert_eq!(read.secret().as_ref() as &[u8], b"12345678901234567890");
        assert_eq!((read.issuer(), read.account_name()), (Some("Example Corp"), "alice@example.com"));
        assert_eq!((read.digits(), read.step(), read.algorithm()), (8, 30, totp_rs::Algorithm::SHA256));
    }
}
