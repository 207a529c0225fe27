//! `vestibule radtest`: logs in as an appliance does, and shows what the server answers (FreeRADIUS's word for it).
//!
//! What leaves carries Message-Authenticator first, and no answer is believed without one (rules E1). Attributes are built and
//! named with the `radius` crate's vocabulary; everything that is secret or signed is `wire`'s own. No password, code, key
//! or secret is ever printed.

mod exchange;
mod patience;
mod request;
mod silence;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use radius::core::code::Code as RadiusCode;
use radius::core::packet::Packet;
use radius::core::rfc2865;
use serde::Serialize;
use wire::{Code, Dictionary, PacketView, Secret, SharedSecret, VerifiedReply, log_safe};

use self::exchange::Exchange;
use self::patience::Patience;
use self::request::{Credential, Method, Template, attribute};
use super::input;
use super::out::{self, Failure, Outcome, is_coloured, paint};
use super::site::Global;

/// What `radtest` is asked.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule radtest 127.0.0.1 alice --secret-file secrets/client.vpn        asks for the password and for codes
  vestibule radtest vpn.example.com:1812 bob --secret-file s --password-file bob.pw --code-file codes
  vestibule radtest [2001:db8::1] carol --secret-file s --method mschapv2
  vestibule radtest 127.0.0.1 alice --secret-file s --attribute Calling-Station-Id=203.0.113.9 \\
                    --attribute NAS-Identifier=hq-asa

Sent by itself: NAS-Identifier = vestibule-radtest, NAS-Port-Type = Virtual, and this host's address as NAS-IP-Address
and as Calling-Station-Id (a server that joins re-asks by station needs one); --attribute replaces each of them.
A challenge is answered in the clear (User-Password), as appliances send codes, whatever --method says. An empty answer
is an answer: press Enter once the phone has approved.

Exit code 0: Access-Accept. 1: Access-Reject, or silence. 2: bad usage.")]
pub(super) struct Args {
    /// SERVER or SERVER:PORT; the port is 1812 unless given.
    server: String,
    /// User-Name, sent as it stands.
    user: String,
    /// Where the secret shared with the server is; - is standard input. Asked for if not given.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Where the password is; - is standard input. Asked for if not given.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Where the answers to challenges are, one a line; - is standard input. Asked for if not given.
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    /// How the password is proven.
    #[arg(long, default_value = "pap")]
    method: Method,
    /// Another attribute, by its name in the dictionary; may be repeated.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<String>,
    /// Seconds to wait for each answer, all retries together.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// How often the same packet is sent again while no answer comes, every five seconds.
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=10))]
    retries: u32,
}

/// Challenges in one login, at most: a server that asks on for ever is broken.
const ROUNDS_MAX: usize = 10;

/// Logs in.
pub(super) fn run(args: &Args, global: &Global) -> Outcome {
    let files = [args.secret_file.as_deref(), args.password_file.as_deref(), args.code_file.as_deref()];
    input::one_stdin(&files)?;
    let server = resolve(&args.server)?;
    let attributes = args.attributes.iter().map(|text| attribute(text)).collect::<Result<Vec<_>, _>>()?;
    let secret =
        input::secret_or_ask(args.secret_file.as_deref(), "the secret shared with the server", "--secret-file")?;
    let secret = SharedSecret::new(secret);
    let password = input::secret_or_ask(args.password_file.as_deref(), "the password", "--password-file")?;
    let answers = match &args.code_file {
        Some(file) => Some(input::lines(file, "answers to challenges")?),
        None => None,
    };
    let exchange = Exchange::open(server, Duration::from_secs(args.timeout), args.retries)?;
    let template = Template::new(&args.user, exchange.local(), attributes)?;
    let mut login = Login {
        exchange,
        template,
        secret,
        answers: answers.map(Vec::into_iter),
        is_json: global.json,
        is_coloured: is_coloured(),
        told: Vec::new(),
    };
    let verdict = login.log_in(args, password);
    if global.json {
        out::json(&login.told)?;
    }
    verdict
}

fn resolve(server: &str) -> Result<SocketAddr, Failure> {
    const PORT: u16 = 1812;
    let bare = server.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(server);
    let found = if let Ok(address) = bare.parse() {
        Ok(Some(SocketAddr::new(address, PORT)))
    } else if server.contains(':') {
        server.to_socket_addrs().map(|mut found| found.next())
    } else {
        (server, PORT).to_socket_addrs().map(|mut found| found.next())
    };
    match found {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(Failure::Usage(format!("{server} has no address"))),
        Err(why) => Err(Failure::Usage(format!("{server} is no address, and no name that can be looked up: {why}"))),
    }
}

struct Login {
    exchange: Exchange,
    template: Template,
    secret: SharedSecret,
    answers: Option<std::vec::IntoIter<Secret>>,
    is_json: bool,
    is_coloured: bool,
    told: Vec<Round>,
}

/// One request and what became of it, for scripts.
#[derive(Serialize)]
struct Round {
    code: Option<&'static str>,
    ms: u64,
    sent: u32,
    attributes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a reply asks for next.
enum Next {
    Accepted,
    Rejected,
    Challenged { state: Option<Vec<u8>>, text: String },
}

impl Login {
    fn log_in(&mut self, args: &Args, password: Secret) -> Outcome {
        let mut credential = Credential::Password { method: args.method, password };
        let mut state = None;
        for _ in 0..ROUNDS_MAX {
            let next = self.round(&credential, state.as_deref())?;
            match next {
                Next::Accepted => {
                    self.verdict("Access-Accept: the login is let in.", "32");
                    return Ok(());
                }
                Next::Rejected => {
                    self.verdict("Access-Reject: the login is refused. The server's log says why, in one line.", "31");
                    return Err(Failure::Said);
                }
                Next::Challenged { state: new, text } => {
                    state = new;
                    credential = Credential::Answer(self.answer(&text)?);
                }
            }
        }
        Err(Failure::Refused(format!("the server asked {ROUNDS_MAX} times and never answered yes or no")))
    }

    /// One request, its reply, and what that asks for.
    fn round(&mut self, credential: &Credential, state: Option<&[u8]>) -> Result<Next, Failure> {
        let request = self.template.request(credential, state, self.exchange.identifier(), &self.secret)?;
        self.say(&format!("Access-Request to {}", self.exchange.server()), &request.told);
        let mut patience = Patience::new(self.exchange.timeout(), self.is_json);
        let asked = self.exchange.ask(&request.sent, &self.secret, |after, sent| patience.tell(after, sent));
        patience.end();
        match asked {
            Ok(reply) => {
                let (next, told) = read(&reply.octets, &request, &self.secret)?;
                let title = format!("{} after {} ms", told.code.unwrap_or("-"), reply.after.as_millis());
                self.say(&title, &told.attributes);
                self.told.push(Round { ms: millis(reply.after), sent: reply.sent, ..told });
                Ok(next)
            }
            Err(no_reply) => {
                let lines = silence::explain(&no_reply, &self.exchange);
                let (ms, sent) = no_reply.spent();
                self.told.push(Round { code: None, ms, sent, attributes: Vec::new(), error: Some(lines.join("\n")) });
                if !self.is_json {
                    lines.iter().for_each(out::note);
                }
                Err(Failure::Said)
            }
        }
    }

    fn answer(&mut self, text: &str) -> Result<Secret, Failure> {
        match &mut self.answers {
            Some(answers) => answers.next().ok_or_else(|| {
                Failure::Refused("the server asks once more, and --code-file has no further line".to_owned())
            }),
            None if input::has_terminal() => input::ask_secret(&format!("{text}\nYour answer (not shown): ")),
            None => Err(Failure::Usage(
                "the server asks a question and there is no terminal to ask you; give --code-file FILE".to_owned(),
            )),
        }
    }

    fn say(&self, title: &str, lines: &[String]) {
        if self.is_json {
            return;
        }
        out::say(paint(title, "1", self.is_coloured));
        lines.iter().for_each(|line| out::say(format!("    {line}")));
    }

    fn verdict(&self, text: &str, colour: &str) {
        if !self.is_json {
            out::say(paint(text, colour, self.is_coloured));
        }
    }
}

/// A reply that `exchange` has verified: what it says, attribute by attribute. Keys show as `<hidden>`.
fn read(octets: &[u8], request: &request::Request, secret: &SharedSecret) -> Result<(Next, Round), Failure> {
    let view = PacketView::parse(octets).map_err(Failure::of)?;
    let reply = view.verify_reply(secret, &request.sent, wire::Demand::Required).map_err(Failure::of)?;
    let dictionary = Dictionary::embedded();
    let mut attributes: Vec<String> = reply.attributes().map(|attribute| dictionary.describe(attribute)).collect();
    attributes.extend(remarks(&reply, request, secret));
    let next = match reply.code() {
        Code::AccessAccept => Next::Accepted,
        Code::AccessChallenge => Next::Challenged { state: reply.state().map(Into::into), text: message(octets) },
        // `verify_reply` lets nothing else answer an Access-Request; Protocol-Error (RFC 7930) is a no too.
        Code::AccessReject
        | Code::ProtocolError
        | Code::AccessRequest
        | Code::AccountingRequest
        | Code::AccountingResponse
        | Code::StatusServer
        | Code::StatusClient
        | Code::DisconnectRequest
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaRequest
        | Code::CoaAck
        | Code::CoaNak => Next::Rejected,
    };
    Ok((next, Round { code: Some(reply.code().name()), ms: 0, sent: 0, attributes, error: None }))
}

/// All Reply-Messages as one text (RFC 2865 §5.18), by the owned packet.
fn message(octets: &[u8]) -> String {
    let messages: Vec<String> = Packet::decode(octets, b"")
        .ok()
        .filter(|packet| packet.get_code() == RadiusCode::AccessChallenge)
        .map(|packet| {
            packet.lookup_all(rfc2865::REPLY_MESSAGE_TYPE).iter().map(|avp| log_safe(&avp.encode_bytes())).collect()
        })
        .unwrap_or_default();
    if messages.is_empty() { "The server asks for an answer.".to_owned() } else { messages.join(" ") }
}

/// What the attributes alone do not say.
fn remarks(reply: &VerifiedReply<'_>, request: &request::Request, secret: &SharedSecret) -> Vec<String> {
    let mut lines = Vec::new();
    if reply.attributes().next().map(|first| first.kind) != Some(wire::kind::MESSAGE_AUTHENTICATOR) {
        lines.push("(Message-Authenticator is right, but not the first attribute)".to_owned());
    }
    if wire::HeldAttributes::decode(reply, secret).is_err() {
        lines.push(
            "(a hidden attribute does not decode with this secret: keys or Tunnel-Password are garbage)".to_owned(),
        );
    }
    if let Some(expected) = &request.success {
        match reply.vendor(wire::kind::MICROSOFT, wire::kind::MS_CHAP2_SUCCESS) {
            Some(value) if value.get(1..) == Some(expected.as_bytes()) => {
                lines.push("(MS-CHAP2-Success is right: the server knows the password too)".to_owned());
            }
            Some(_) => lines.push("(MS-CHAP2-Success is WRONG: a client would end this login)".to_owned()),
            None if reply.code() == Code::AccessAccept => {
                lines.push("(MS-CHAP2-Success is missing: a client would end this login)".to_owned());
            }
            None => {}
        }
    }
    lines
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_be_written_with_a_port_and_without() {
        for (text, address) in [
            ("127.0.0.1", "127.0.0.1:1812"),
            ("127.0.0.1:1645", "127.0.0.1:1645"),
            ("::1", "[::1]:1812"),
            ("[::1]", "[::1]:1812"),
            ("[::1]:99", "[::1]:99"),
        ] {
            assert_eq!(resolve(text).unwrap().to_string(), address);
        }
        assert!(matches!(resolve("127.0.0.1:x"), Err(Failure::Usage(_))));
    }
}
