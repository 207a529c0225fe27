//! `vestibule token`: OATH tokens. A new one's seed is shown once, as QR code and URI, to whoever hands it on.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use login::{ResolvedUser, TokenId};
use serde_json::{Value, json};
use wire::Secret;

use super::input;
use super::out::{self, Failure, Outcome, is_coloured, rfc3339, time};
use super::site::{Global, Site, wait};
use crate::enrolment::{Account, EnrolmentError, NewToken, QrLook, Seed, TokenWish, add_token};
use crate::factor::oath::{self, RESYNC_AHEAD, Resynced, TwoCodes};
use crate::mail::{LetterKind, Method, StaffAction};
use crate::store::{Algorithm, Refusal, Sqlite, StoreError, Token, TokenKind, Tokens, Users};

/// A totp code lasts as long as every app believes (RFC 6238 §5.2), unless somebody says otherwise.
const PERIOD_S: u32 = 30;

/// How often a commit is asked about of which nobody knows whether it holds.
const SETTLE_TRIES: u32 = 3;

/// What can be asked.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Give a user a token, and show its QR code.
    ///
    /// Without --secret-file a random seed is made. With it the seed of a token that exists already is taken, in base32.
    #[command(after_help = "\
Examples:
  vestibule token add alice totp                                 scan the QR code with any authenticator app
  vestibule token add bob hotp --secret-file seed.txt --digits 6
  vestibule token add bob hotp --secret-file seed.txt --counter 512   a token that was used elsewhere goes on there
  vestibule token add bob totp --secret-file - --algorithm sha256 --period 60
  vestibule --json token add alice totp                          {\"token\",\"secret\",\"uri\"}")]
    Add {
        /// The user.
        user: String,
        /// Time-based (RFC 6238) or counter-based (RFC 4226).
        kind: Kind,
        /// Where the seed is, in base32; - is standard input.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        /// 6 or 8.
        #[arg(long, default_value_t = 6)]
        digits: u8,
        /// Seconds that a code lasts, for totp: 30 (if none is said) or 60.
        #[arg(long)]
        period: Option<u32>,
        /// sha1, sha256 or sha512; many apps know sha1 only.
        #[arg(long, default_value = "sha1", value_parser = algorithm)]
        algorithm: Algorithm,
        /// For hotp: the counter of its next code, where it was used elsewhere before. Codes before it never count.
        #[arg(long, value_name = "N", default_value_t = 0)]
        counter: u64,
        /// What the user calls it.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
    },
    /// List a user's tokens.
    #[command(after_help = "\
Example:
  vestibule token list alice")]
    List {
        /// The user.
        user: String,
    },
    /// Set a hotp token right that counted on without us, by two codes that it shows one after the other.
    ///
    /// Its button was pressed for nothing, or it was used elsewhere. Codes up to 1,000 ahead are looked at; each try counts as a guess, and the
    /// counter never falls.
    #[command(after_help = "\
Examples:
  vestibule token resync t-abcd1234                        asks for the two codes
  vestibule token resync t-abcd1234 --codes-file codes.txt   a code on each of two lines; - is standard input")]
    Resync {
        /// The token's id.
        token: String,
        /// A file with the two codes, each on a line of its own; - is standard input. They are asked for if it is left out.
        #[arg(long, value_name = "FILE")]
        codes_file: Option<PathBuf>,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Remove a token for good: its seed is erased.
    #[command(after_help = "\
Example:
  vestibule token remove t-abcd1234           the id is in: vestibule token list alice")]
    Remove {
        /// The token's id.
        token: String,
        /// Why, for whoever looks later.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// Which kind of token.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Time-based.
    Totp,
    /// Counter-based.
    Hotp,
}

fn algorithm(word: &str) -> Result<Algorithm, String> {
    Algorithm::of_word(word).ok_or_else(|| {
        let known: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        format!("it is one of {}", known.join(", "))
    })
}

/// Does it.
pub(super) fn run(command: Command, global: &Global) -> Outcome {
    let site = Site::open(global)?;
    match command {
        Command::Add { user, kind, secret_file, digits, period, algorithm, counter, label } => {
            let seed = match secret_file {
                Some(file) => Seed::Base32(input::secret(&file, "the token's secret")?),
                None => Seed::Random,
            };
            let kind = match (kind, period) {
                (Kind::Totp, period) => TokenKind::Totp { period_s: period.unwrap_or(PERIOD_S) },
                (Kind::Hotp, None) => TokenKind::Hotp,
                (Kind::Hotp, Some(_)) => {
                    return Err(Failure::Usage(
                        "--period is for totp: a hotp code counts, and has no time; leave it out".into(),
                    ));
                }
            };
            add(&site, global, &user, TokenWish { kind, digits, algorithm, seed, label, counter })
        }
        Command::List { user } => list(&site, global, &user),
        Command::Resync { token, codes_file, reason } => {
            resync(&site, global, &token, &two_codes(codes_file.as_deref())?, reason.as_deref())
        }
        Command::Remove { token, reason } => remove(&site, global, &token, reason.as_deref()),
    }
}

fn add(site: &Site, global: &Global, user: &str, wish: TokenWish) -> Outcome {
    let user = site.user(user)?;
    let account = Account { issuer: &site.config.account_name, user: &user };
    let (kind, label) = (wish.kind, wish.label.clone());
    let new = wait(add_token(&site.store, account, wish, site.now))?.map_err(failure)?;
    site.write_down(&user, "add_token", Some(&new.token.0), None)?;
    site.tell(&user, LetterKind::MethodAdded { method: method(kind), name: label.unwrap_or_default() })?;
    for warning in &new.warnings {
        out::note(format!("Note: {warning}."));
    }
    if global.json {
        return show_json(&new);
    }
    if let Some(qr) = &new.qr {
        let look = if is_coloured() { QrLook::Colour } else { QrLook::Plain };
        out::show_secret("", &qr.terminal(look));
    }
    out::show_secret("", &new.uri);
    out::show_secret("Secret, to be typed where no camera is: ", &new.secret);
    out::say(format!("Token {} ({}) is active for {user}.", new.token.0, kind.method().as_str()));
    if io::stdout().is_terminal() {
        out::note("Shown this once. Whoever has seen it can make the codes: clear the screen when the phone has it.");
    }
    Ok(())
}

/// Bad shapes and seeds are bad usage, the rest is refused or failed.
fn failure(error: EnrolmentError) -> Failure {
    match error {
        EnrolmentError::Seed(_) | EnrolmentError::Digits(_) | EnrolmentError::Period(_) | EnrolmentError::Counter => {
            Failure::Usage(error.to_string())
        }
        EnrolmentError::NoRandomness
        | EnrolmentError::BringsNoKey(_)
        | EnrolmentError::Address(_)
        | EnrolmentError::ServerKey
        | EnrolmentError::Store(_) => Failure::of(error),
    }
}

/// By hand, so that no copy of the seed is left behind in a tree of JSON values; neither base32 nor a percent-encoded URI
/// has a character that JSON escapes.
fn show_json(new: &NewToken) -> Outcome {
    let mut line = zeroize::Zeroizing::new(Vec::with_capacity(1024));
    line.extend_from_slice(format!("{{\"token\":{},\"secret\":\"", Value::from(&*new.token.0)).as_bytes());
    line.extend_from_slice(new.secret.expose());
    line.extend_from_slice(b"\",\"uri\":\"");
    line.extend_from_slice(new.uri.expose());
    line.extend_from_slice(b"\"}");
    out::show_secret("", &Secret::new(line.as_slice()));
    Ok(())
}

fn list(site: &Site, global: &Global, user: &str) -> Outcome {
    let user = site.user(user)?;
    let found = wait(site.store.show_user(&user))?.map_err(Failure::of)?;
    let Some(found) = found else {
        let help = "`vestibule user list` shows all, `vestibule user add` adds one";
        return Err(Failure::Refused(format!("there is no user \"{user}\"; {help}")));
    };
    if global.json {
        return out::json(&found.tokens.iter().map(facts).collect::<Vec<_>>());
    }
    if found.tokens.is_empty() {
        out::say(format!("{user} has no token yet: {}", site.command("token add", &user, "totp")));
    }
    found.tokens.iter().for_each(|token| out::say(line(token)));
    Ok(())
}

/// Two codes, in the order in which the token showed them. A code is no argument (rules F1).
fn two_codes(file: Option<&Path>) -> Result<[Secret; 2], Failure> {
    let Some(file) = file else {
        let option = "--codes-file";
        let first = input::secret_or_ask(None, "the code that the token shows now", option)?;
        return Ok([bare(&first), bare(&input::secret_or_ask(None, "the code after it", option)?)]);
    };
    let lines = input::lines(file, "two codes")?;
    let codes: Vec<Secret> = lines.iter().map(bare).filter(|code| !code.is_empty()).collect();
    <[Secret; 2]>::try_from(codes).map_err(|codes| {
        let found = codes.len();
        Failure::Usage(format!("two codes are needed, each on a line of its own; {} holds {found}", file.display()))
    })
}

/// Without the blanks that people put between digits.
fn bare(code: &Secret) -> Secret {
    let digits = code.expose().iter().copied().filter(|octet| !octet.is_ascii_whitespace());
    Secret::new(zeroize::Zeroizing::new(digits.collect::<Vec<u8>>()).as_slice())
}

fn resync(site: &Site, global: &Global, token: &str, [first, second]: &[Secret; 2], reason: Option<&str>) -> Outcome {
    let id = TokenId(token.into());
    let Some((owner, found)) = wait(owned(&site.store, &id))?.map_err(Failure::of)? else {
        return Err(Failure::of(StoreError::Refused(Refusal::NoToken(token.into()))));
    };
    if found.kind != TokenKind::Hotp {
        let why = "its codes come of the time, not of a counter: set the clock of its phone, or of this host";
        return Err(Failure::Refused(format!("token {token} can't be resynchronised: {why}")));
    }
    site.write_down(&owner, "resync_token", Some(token), reason)?;
    let typed =
        TwoCodes { guess_id: rand::random(), user: &owner, station: None, token: &id, first, second, at: site.now };
    let limits = &site.config.policy.limits;
    let tried = wait(oath::resync(&site.store, &typed, limits, &oath::Tries(SETTLE_TRIES)))?;
    let why = match tried {
        Ok(Resynced::Done) => {
            site.tell_of(&owner, StaffAction::TokenResynced)?;
            if global.json {
                return out::json(&json!({ "token": token, "done": "resynchronised" }));
            }
            out::say(format!("Token {token} of {owner} is in step again: the next code that it shows counts."));
            return Ok(());
        }
        Ok(Resynced::Wrong | Resynced::NoToken) => format!(
            "these are not two codes in a row of token {token}, or they are more than {RESYNC_AHEAD} codes ahead; press its button twice \
             more, and type both. If it was used for longer elsewhere, remove it and add it with --counter"
        ),
        Ok(Resynced::Locked { .. }) => {
            format!("codes of {owner} are off after too many wrong ones: {}", site.command("user unblock", &owner, ""))
        }
        Err(away) => away.why.to_string(),
    };
    site.write_down(&owner, "resync_token_failed", Some(token), reason)?;
    Err(Failure::Refused(why))
}

fn remove(site: &Site, global: &Global, token: &str, reason: Option<&str>) -> Outcome {
    let id = TokenId(token.into());
    let found = wait(owned(&site.store, &id))?.map_err(Failure::of)?;
    if let Some((owner, _)) = &found {
        site.write_down(owner, "remove_token", Some(token), reason)?;
    }
    wait(site.store.remove_token(&id, site.now))?.map_err(Failure::of)?;
    if let Some((owner, token)) = found {
        let name = token.label.map(|label| label.to_string()).unwrap_or_default();
        site.tell(&owner, LetterKind::MethodRemoved { method: method(token.kind), name })?;
    }
    if global.json {
        return out::json(&json!({ "token": token, "done": "removed" }));
    }
    out::say(format!("Token {token} is removed and its seed erased."));
    Ok(())
}

/// Whose token it is, and what it is like. Looked for among all: the store finds tokens by their user.
async fn owned(store: &Sqlite, id: &TokenId) -> Result<Option<(ResolvedUser, Token)>, StoreError> {
    const PAGE: usize = 500;
    let mut after: Option<ResolvedUser> = None;
    loop {
        let page = store.list_users(after.as_ref(), PAGE).await?;
        let (is_last, last) = (page.len() < PAGE, page.last().map(|user| user.name.clone()));
        let found = page.into_iter().find_map(|user| {
            let token = user.tokens.into_iter().find(|token| token.id == *id)?;
            Some((user.name, token))
        });
        if found.is_some() || is_last {
            return Ok(found);
        }
        after = last;
    }
}

/// As a letter names it: what counts is in a box of its own, mostly.
fn method(kind: TokenKind) -> Method {
    match kind {
        TokenKind::Totp { .. } => Method::App,
        TokenKind::Hotp => Method::HardwareToken,
    }
}

/// A token on one line.
pub(super) fn line(token: &Token) -> String {
    let period = match token.kind {
        TokenKind::Totp { period_s } => format!(", {period_s} s"),
        TokenKind::Hotp => String::new(),
    };
    let label = token.label.as_ref().map(|label| format!("  \"{label}\"")).unwrap_or_default();
    format!(
        "{}  {} ({} digits{period}, {}), since {}{label}",
        token.id.0,
        token.kind.method().as_str(),
        token.digits,
        token.algorithm.as_str(),
        time(token.added_at)
    )
}

/// A token for scripts, without its seed.
pub(super) fn facts(token: &Token) -> Value {
    let period = match token.kind {
        TokenKind::Totp { period_s } => Some(period_s),
        TokenKind::Hotp => None,
    };
    json!({
        "token": &*token.id.0,
        "kind": token.kind.method().as_str(),
        "digits": token.digits,
        "period": period,
        "algorithm": token.algorithm.as_str(),
        "label": token.label.as_deref(),
        "added": rfc3339(token.added_at),
    })
}
