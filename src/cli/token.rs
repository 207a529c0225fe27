//! `token`: OATH tokens of users, new ones with their QR code.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Done;
use super::out::{self, Failure};
use super::site::{Site, shown_time};
use crate::enrolment::{self, Account, QrLook, Seed, TokenWish};
use crate::store::{Algorithm, Token, TokenKind};

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  vestibule token add alice totp                               a QR code for any authenticator app
  vestibule token add alice hotp --secret-file seed.txt        a hardware token whose seed is known, in base32
  vestibule --json token add alice totp                        {\"token\",\"secret\",\"uri\"}
  vestibule token remove TOKEN                                 for good")]
pub(super) enum Command {
    /// Give a user a token.
    Add(Add),
    /// List a user's tokens.
    List {
        /// The user's name.
        name: String,
    },
    /// Remove a token for good.
    Remove {
        /// The token's id, as `token list` shows it.
        token: String,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Time-based (RFC 6238).
    Totp,
    /// Counter-based (RFC 4226).
    Hotp,
}

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The user's name.
    name: String,
    /// What kind of token.
    kind: Kind,
    /// A seed that is known already, in base32; `-` is standard input. Without, a random one is made.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Digits of a code: 6 or 8.
    #[arg(long, default_value_t = 6)]
    digits: u8,
    /// Seconds a code lasts: 30 or 60 (TOTP).
    #[arg(long, default_value_t = 30)]
    period: u32,
    /// sha1, sha256 or sha512. Many apps know sha1 only.
    #[arg(long, default_value = "sha1")]
    algorithm: String,
    /// What the user calls it.
    #[arg(long)]
    label: Option<String>,
}

pub(super) fn run(config: &Path, command: Command, json: bool) -> Done {
    let site = Site::open(config)?;
    match command {
        Command::Add(wanted) => add(&site, wanted, json),
        Command::List { name } => list(&site, &name, json),
        Command::Remove { token } => {
            site.ask(site.store.remove_token(&login::TokenId(token.as_str().into()), site.now()))?;
            if json {
                out::json(&json!({ "token": token, "done": "removed" }));
            } else {
                out::line(format!("Token {token} is removed; its codes work no more."));
            }
            Ok(())
        }
    }
}

fn add(site: &Site, wanted: Add, json: bool) -> Done {
    let user = site.user(&wanted.name)?;
    let algorithm = Algorithm::of_word(&wanted.algorithm)
        .ok_or_else(|| Failure::usage(format!("--algorithm {:?}: sha1, sha256 or sha512", wanted.algorithm)))?;
    let kind = match wanted.kind {
        Kind::Totp => TokenKind::Totp { period_s: wanted.period },
        Kind::Hotp => TokenKind::Hotp,
    };
    let seed = match &wanted.secret_file {
        Some(file) => Seed::Base32(out::secret(file, "seed")?),
        None => Seed::Random,
    };
    let wish = TokenWish { kind, digits: wanted.digits, algorithm, seed, label: wanted.label };
    let account = Account { issuer: &site.config.account_name, user: &user };
    let new = site.wait(enrolment::add_token(&*site.store, account, wish, site.now())).map_err(Failure::refused)?;
    let text = |secret: &wire::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    if json {
        out::json(&json!({ "token": &*new.token.0, "secret": text(&new.secret), "uri": text(&new.uri) }));
        return Ok(());
    }
    new.warnings.iter().for_each(|warning| out::note(format!("warning: {warning}")));
    if let Some(qr) = &new.qr {
        let look = if out::is_terminal() { QrLook::Colour } else { QrLook::Plain };
        out::line(text(&qr.terminal(look)));
    }
    out::line(format!("Token {} of {user}. Scan the code with an authenticator app, or type it in:", &*new.token.0));
    out::line(format!("  secret  {}", text(&new.secret)));
    out::line(format!("  address {}", text(&new.uri)));
    out::line("This is shown once. Whoever has it has the second factor of this account.");
    Ok(())
}

fn list(site: &Site, name: &str, json: bool) -> Done {
    let user = site.user(name)?;
    let tokens = site.ask(site.store.list_tokens(&user))?;
    if tokens.is_empty() && !json {
        out::line(format!("{user} has no token; `vestibule token add` gives one."));
    }
    for token in &tokens {
        if json { out::json(&facts(token)) } else { out::line(summary(token)) }
    }
    Ok(())
}

pub(super) fn facts(token: &Token) -> Value {
    let period = match token.kind {
        TokenKind::Totp { period_s } => Some(period_s),
        TokenKind::Hotp => None,
    };
    json!({
        "token": &*token.id.0,
        "user": token.user.as_str(),
        "kind": token.kind.method().as_str(),
        "digits": token.digits,
        "period": period,
        "algorithm": token.algorithm.as_str(),
        "label": token.label.as_deref(),
        "added": shown_time(token.added_at),
    })
}

pub(super) fn summary(token: &Token) -> String {
    let label = token.label.as_deref().map_or_else(String::new, |label| format!("  {label:?}"));
    format!(
        "{}  {} {} digits {}  added {}{label}",
        &*token.id.0,
        token.kind.method().as_str(),
        token.digits,
        token.algorithm.as_str(),
        shown_time(token.added_at)
    )
}
