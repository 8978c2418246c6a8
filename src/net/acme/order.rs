//! One order, from the account to the certificate (RFC 8555 §7.1).

use super::{Acme, Challenge, Challenges, challenges::Expected};
use crate::{certificate::CertificateError, limits::ACME_POLL_TIME_MAX};
use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// How long until the authority is asked a second time how far it is; then longer each time.
const POLL_PAUSE: Duration = Duration::from_millis(250);
const POLL: RetryPolicy =
    RetryPolicy::new().initial_delay(POLL_PAUSE).backoff(1.5).timeout(ACME_POLL_TIME_MAX);

/// What an authority gave, both as PEM.
pub(super) struct Given {
    pub(super) chain: String,
    pub(super) key: String,
}

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum Refused {
    /// The authority said so, or could not be asked.
    Acme(instant_acme::Error),
    /// It has tried to find out that the domain is ours, and could not.
    Challenge(String),
    /// It does not try in the way that the operator chose.
    NotOffered(Challenge),
    /// It took too long.
    Late,
    /// There is one, but it must be renewed already.
    Due,
    /// What it gave, or what it must be given, cannot be kept or made.
    Kept(CertificateError),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acme(error) => {
                write!(f, "{error}")?;
                let mut cause = error.source();
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::Challenge(why) => write!(f, "the challenge has failed: {why}"),
            Self::NotOffered(challenge) => write!(f, "the authority offers no {challenge}"),
            Self::Late => f.write_str("the authority took too long"),
            Self::Due => f.write_str("it must be renewed already: is the clock right?"),
            Self::Kept(error) => write!(f, "{error}"),
        }
    }
}

impl From<instant_acme::Error> for Refused {
    fn from(error: instant_acme::Error) -> Self {
        Self::Acme(error)
    }
}

impl From<CertificateError> for Refused {
    fn from(error: CertificateError) -> Self {
        Self::Kept(error)
    }
}

impl From<rcgen::Error> for Refused {
    fn from(error: rcgen::Error) -> Self {
        Self::Kept(CertificateError::Make(error.to_string()))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http-01",
            Self::Tls => "tls-alpn-01",
        })
    }
}

impl Refused {
    /// The authority has forgotten us (RFC 8555 §6.7).
    pub(super) fn is_for_the_account(&self) -> bool {
        let Self::Acme(instant_acme::Error::Api(problem)) = self else { return false };
        let of = problem.r#type.as_deref();
        of.is_some_and(|of| of.ends_with(":accountDoesNotExist"))
    }
}

/// The account at the authority; a new one when there is none.
pub(super) async fn account(acme: &Acme) -> Result<Account, Refused> {
    let builder = match &acme.root {
        Some(root) => Account::builder_with_root(root)?,
        None => Account::builder()?,
    };
    let shelf = acme.shelf();
    if let Some(credentials) = shelf.account()? {
        return Ok(builder.from_credentials(credentials).await?);
    }
    let contact = acme.contact.as_ref().map(|contact| format!("mailto:{contact}"));
    let new = NewAccount {
        contact: &contact.iter().map(String::as_str).collect::<Vec<_>>(),
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = builder.create(&new, acme.directory.clone(), None).await?;
    shelf.set_account(&credentials)?;
    Ok(account)
}

/// Orders a certificate for one name.
pub(super) async fn order(
    account: &Account,
    name: &str,
    challenge: Challenge,
    challenges: &Arc<Challenges>,
) -> Result<Given, Refused> {
    let identifiers = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut expected = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        expected.extend(authorize(authorization?, name, challenge, challenges).await?);
    }
    if order.poll_ready(&POLL).await? == OrderStatus::Invalid {
        return Err(failed(&mut order).await);
    }
    drop(expected);
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    order.finalize_csr(params.serialize_request(&pair)?.der()).await?;
    let chain = order.poll_certificate(&POLL).await?;
    Ok(Given { chain, key: pair.serialize_pem() })
}

/// Says that the challenge may come. An authority remembers for a while that a domain is ours.
async fn authorize(
    mut authorization: AuthorizationHandle<'_>,
    name: &str,
    challenge: Challenge,
    challenges: &Arc<Challenges>,
) -> Result<Option<Expected>, Refused> {
    if authorization.status == AuthorizationStatus::Valid {
        return Ok(None);
    }
    let of = match challenge {
        Challenge::Http => ChallengeType::Http01,
        Challenge::Tls => ChallengeType::TlsAlpn01,
    };
    let mut asked = authorization.challenge(of).ok_or(Refused::NotOffered(challenge))?;
    let answer = asked.key_authorization();
    let expected = match challenge {
        Challenge::Http => challenges.expect_request(&asked.token, answer.as_str()),
        Challenge::Tls => challenges
            .expect_handshake(name, answer.digest().as_ref())
            .map_err(CertificateError::Make)?,
    };
    asked.set_ready().await?;
    Ok(Some(expected))
}

/// What the authority says was wrong.
async fn failed(order: &mut Order) -> Refused {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|it| it.error.as_ref()) {
            return Refused::Challenge(problem.to_string());
        }
    }
    Refused::Challenge("the authority does not say why".to_owned())
}
