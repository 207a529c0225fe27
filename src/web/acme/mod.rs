//! Certificates over ACME (RFC 8555): asked for, proved by `tls-alpn-01` (RFC 8737) or `http-01`, kept on the shelf.
//!
//! Guarantees: one order proves one host and ends within bounds; the account's key and the certificate's lie beside the
//! store, for their owner only (rules F1); what comes back is judged like any chain before it is kept. It knows no clock:
//! who calls says when to order, by [`renewal`].

mod answers;
mod client;
mod shelf;

use std::path::Path;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use login::Wall;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

pub use answers::{Answers, Tokens};
use client::OverReqwest;
pub use shelf::Shelf;

use super::certificates::{CertificateTrouble, Chain};
use crate::config::AcmeConfig;

/// The authority looks at our answer, and makes the certificate, within so long; slower ones are asked again later.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(Duration::from_secs(60));

/// Why there is no certificate; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The authority can't be asked.
    #[error(
        "the ACME server can't be asked: {0}; check that {1} can be reached from this host, and `ca` if its own certificate is no public one"
    )]
    Unreachable(String, Box<str>),
    /// It said no, or something that is not ACME.
    #[error("the ACME server refuses: {0}")]
    Refused(String),
    /// It did not get our answer.
    #[error("the ACME server could not convince itself that {host} is here: {why}; {help}")]
    Unproved {
        /// Which host.
        host: Box<str>,
        /// In its words.
        why: String,
        /// Where it must come through.
        help: &'static str,
    },
    /// It offers other proofs only.
    #[error("the ACME server offers no {kind} for {host}; {help}")]
    NoChallenge {
        /// Which proof we can give.
        kind: &'static str,
        /// Which host.
        host: Box<str>,
        /// What else there is.
        help: &'static str,
    },
    /// What came back is no certificate for us.
    #[error("the ACME server's certificate is not taken: {0}")]
    Chain(#[from] CertificateTrouble),
    /// The files beside the store.
    #[error("{0}")]
    Shelf(#[from] shelf::ShelfError),
    /// A mistake of ours.
    #[error("the request for a certificate can't be made: {0}")]
    Ours(String),
}

/// When a chain is to be renewed: after two thirds of its life, so that a failure has the last third to be mended in.
#[must_use]
pub fn renewal(chain: &Chain) -> Wall {
    let life = chain.not_after.0.saturating_sub(chain.not_before.0);
    Wall(chain.not_before.0.saturating_add(life / 3 * 2))
}

/// Orders a certificate for a host, proves it, keeps the chain on the shelf.
///
/// # Errors
/// What went wrong, and what to do; what is on the shelf stays.
pub async fn order(config: &AcmeConfig, host: &str, shelf: &Shelf, answers: &Answers) -> Result<Chain, AcmeError> {
    let told = |error| told(error, config);
    let account = account(config, shelf).await?;
    let names = [Identifier::Dns(host.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(told)?;
    let proved = prove(&mut order, host, answers).await;
    answers.take_back(host);
    proved.map_err(|error| match error {
        Unproved::Acme(error) => told(error),
        Unproved::Known(error) => error,
    })?;
    let key = KeyPair::generate().map_err(|error| AcmeError::Ours(error.to_string()))?;
    order.finalize_csr(&request(host, &key)?).await.map_err(told)?;
    let chain = order.poll_certificate(&PATIENCE).await.map_err(told)?;
    let key = Zeroizing::new(key.serialize_pem());
    let taken = Chain::from_pem(chain.as_bytes(), key.as_bytes())?;
    if !taken.is_for(host) {
        return Err(CertificateTrouble::Unusable(format!("it is not for {host}")).into());
    }
    shelf.keep_chain(host, &chain, &key)?;
    Ok(taken)
}

/// The account that is on the shelf for this directory, or a new one.
async fn account(config: &AcmeConfig, shelf: &Shelf) -> Result<Account, AcmeError> {
    let told = |error| told(error, config);
    let client = || OverReqwest::new(config.ca.as_deref()).map_err(AcmeError::Ours);
    if let Some(credentials) = shelf.account(&config.directory)? {
        let builder = Account::builder_with_http(Box::new(client()?));
        return builder.from_credentials(credentials).await.map_err(told);
    }
    let contact: Vec<&str> = config.contact.as_deref().into_iter().collect();
    // Who writes tls = "acme" chose this authority, and config/portal.toml says that its terms are agreed to thereby.
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(Box::new(client()?));
    let (account, credentials) =
        builder.create(&new, config.directory.as_ref().to_owned(), None).await.map_err(told)?;
    shelf.keep_account(&config.directory, &credentials)?;
    Ok(account)
}

enum Unproved {
    Acme(instant_acme::Error),
    Known(AcmeError),
}

impl From<instant_acme::Error> for Unproved {
    fn from(error: instant_acme::Error) -> Self {
        Self::Acme(error)
    }
}

/// Puts the answers up, says so, and waits until the authority has looked.
async fn prove(order: &mut Order, host: &str, answers: &Answers) -> Result<(), Unproved> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let Some(mut challenge) = authorization.challenge(answers.kind()) else {
            return Err(Unproved::Known(AcmeError::NoChallenge {
                kind: answers.kind_name(),
                host: host.into(),
                help: answers.otherwise(),
            }));
        };
        answers.put_up(host, &challenge).map_err(Unproved::Known)?;
        challenge.set_ready().await?;
    }
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => Ok(()),
        Ok(OrderStatus::Invalid | OrderStatus::Pending | OrderStatus::Processing) => {
            Err(refused(order, host, answers).await)
        }
        Err(instant_acme::Error::Api(problem)) if order.state().status == OrderStatus::Invalid => {
            Err(Unproved::Known(AcmeError::Unproved { host: host.into(), why: said(&problem), help: answers.help() }))
        }
        Err(error) => Err(error.into()),
    }
}

/// The authority's own words for what it saw.
async fn refused(order: &mut Order, host: &str, answers: &Answers) -> Unproved {
    let mut why = "it does not say why".to_owned();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if let Ok(state) = authorization.refresh().await
            && let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref())
        {
            why = said(problem);
        }
    }
    Unproved::Known(AcmeError::Unproved { host: host.into(), why, help: answers.help() })
}

fn request(host: &str, key: &KeyPair) -> Result<Vec<u8>, AcmeError> {
    let ours = |error: rcgen::Error| AcmeError::Ours(error.to_string());
    let mut wanted = CertificateParams::new([host.to_owned()]).map_err(ours)?;
    wanted.distinguished_name = DistinguishedName::new();
    Ok(wanted.serialize_request(key).map_err(ours)?.der().to_vec())
}

fn told(error: instant_acme::Error, config: &AcmeConfig) -> AcmeError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "somebody else's open list; what is not named is told in its own words"
    )]
    match error {
        instant_acme::Error::Api(problem) => AcmeError::Refused(said(&problem)),
        instant_acme::Error::Other(error) => AcmeError::Unreachable(client::innermost(&*error), directory(config)),
        instant_acme::Error::Timeout(_) => {
            AcmeError::Unreachable("it did not decide in time".to_owned(), directory(config))
        }
        // What it sent was no ACME.
        other => AcmeError::Refused(other.to_string()),
    }
}

fn directory(config: &AcmeConfig) -> Box<str> {
    config.directory.as_ref().into()
}

/// A problem document (RFC 7807) in one line: its detail and those of its parts.
fn said(problem: &instant_acme::Problem) -> String {
    let parts = problem.subproblems.iter().filter_map(|part| part.detail.as_deref());
    let details: Vec<&str> = problem.detail.as_deref().into_iter().chain(parts).collect();
    let kind = problem.r#type.as_deref().map(|kind| kind.trim_start_matches("urn:ietf:params:acme:error:"));
    match (details.is_empty(), kind) {
        (false, Some(kind)) => format!("{} ({kind})", details.join("; ")),
        (false, None) => details.join("; "),
        (true, Some(kind)) => kind.to_owned(),
        (true, None) => "it does not say why".to_owned(),
    }
}

impl Answers {
    fn kind(&self) -> ChallengeType {
        match self {
            Self::Alpn(_) => ChallengeType::TlsAlpn01,
            Self::Http(_) => ChallengeType::Http01,
        }
    }
}

/// Where certificates are kept for a store's file.
#[must_use]
pub fn shelf_beside(store: &Path) -> Shelf {
    Shelf::new(store.parent().unwrap_or(Path::new("")).join("acme"))
}
