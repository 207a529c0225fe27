//! What it may mean that no answer came, in the order in which it is worth looking.
//!
//! RADIUS says nothing to those it does not know: a wrong secret, an unknown address and a firewall look the same from here.
//! The server's log tells them apart, so each line says what to look for there.

use wire::Unverified;

use super::exchange::{Exchange, Heard, NoReply};

/// The lines for a person.
pub(super) fn explain(no_reply: &NoReply, exchange: &Exchange) -> Vec<String> {
    let (server, local) = (exchange.server(), exchange.local());
    match &no_reply.heard {
        Heard::Closed => vec![
            format!("Nothing listens on {server}: the host answered that the port is closed."),
            "  Is the server started, and does [radius] listen name this address and port?".to_owned(),
        ],
        Heard::Refused(why) => vec![format!("{server} can't be reached: {why}.")],
        Heard::Garbage => vec![format!("{server} sent octets that are no RADIUS packet. Is this the right port?")],
        Heard::Unbelieved(why) => unbelieved(*why, exchange),
        Heard::Nothing => {
            let mut lines = vec![format!(
                "No answer from {server} within {} s ({} sent). RADIUS says nothing to those it does not know; this may be:",
                exchange.timeout().as_secs(),
                super::super::out::count(no_reply.sent as usize, "packet", "packets")
            )];
            lines.extend(reasons(&local.to_canonical().to_string(), exchange.timeout().as_secs()));
            lines
        }
    }
}

fn reasons(local: &str, timeout_s: u64) -> [String; 6] {
    [
        format!(
            "  - The server has no [client.NAME] with the address {local} (as the server sees this host).\n      Its log: a packet dropped (unknown_client), with {local} or another address."
        ),
        "  - The secrets differ. Its log: \"the Message-Authenticator does not fit the shared secret\".".to_owned(),
        "  - A firewall between here and there drops UDP. Its log shows nothing at all of this.".to_owned(),
        format!(
            "  - The login is still held: a phone has not answered, or a first-factor server is slow.\n      gives_up_after of the client is longer than --timeout {timeout_s}; give radtest more time."
        ),
        "  - Nobody could check the login: its first-factor server or the store is away. Its log: \"unavailable\"; with when_unavailable =\n      \"reject\" in the client's section it answers all the same.".to_owned(),
        "  - The server is overloaded or stopping. Its log: \"overload\"; its /readyz does not answer 200.".to_owned(),
    ]
}

fn unbelieved(why: Unverified, exchange: &Exchange) -> Vec<String> {
    let server = exchange.server();
    let mut lines = vec![format!("{server} answered, but the answer is not believed: {why}.")];
    match why {
        Unverified::BadMessageAuthenticator | Unverified::BadResponseAuthenticator => lines.push(
            "  The secret here is not the one that the server has for this client; compare the two files.".to_owned(),
        ),
        Unverified::MissingMessageAuthenticator => lines.push(
            "  A server without Message-Authenticator lets others forge its answers (CVE-2024-3596); Vestibule always sends it."
                .to_owned(),
        ),
        Unverified::ProxyState
        | Unverified::NotARequest
        | Unverified::BadRequestAuthenticator
        | Unverified::WrongCode
        | Unverified::WrongIdentifier => {
            lines.push("  Something else than this server's RADIUS answered, or an answer to another request came.".to_owned());
        }
    }
    lines
}
