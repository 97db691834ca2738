//! Bearer tokens: JWTs of an authorisation server whose keys we know.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::watch;

use crate::authentication::Caller;
use crate::error::ServiceError;
use crate::jwks::{JwksSource, Keys, Rhythm};
use crate::scope::Scope;

/// Which bearer tokens are accepted. [`BearerOptions::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct BearerOptions {
    /// The issuer's keys.
    pub jwks: JwksSource,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
    /// The age at which keys are read again. Default: ten minutes.
    pub jwks_age: Duration,
    /// The least time between two reads of the keys, whatever tokens name. Default: ten seconds.
    pub jwks_pause: Duration,
}

impl BearerOptions {
    /// The defaults for tokens of `issuer` for `audience`, signed with a key of `jwks`.
    #[must_use]
    pub const fn new(jwks: JwksSource, issuer: String, audience: String) -> Self {
        Self {
            jwks,
            issuer,
            audience,
            jwks_age: Duration::from_secs(10 * 60),
            jwks_pause: Duration::from_secs(10),
        }
    }
}

/// The signatures that are accepted: none with a shared secret, none without a key.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Verifies bearer tokens.
#[derive(Clone, Debug)]
pub(crate) struct Bearers {
    issuer: String,
    audience: String,
    keys: Arc<Keys>,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    cid: Option<String>,
    #[serde(default)]
    scp: Scopes,
}

/// Okta writes `scp` as a list; others write one text with blanks.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    List(Vec<String>),
    Text(String),
}

impl Default for Scopes {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Bearers {
    pub(crate) async fn new(options: BearerOptions) -> Result<Self, ServiceError> {
        let rhythm = Rhythm {
            age: options.jwks_age,
            pause: options.jwks_pause,
        };
        Ok(Self {
            keys: Keys::new(options.jwks, rhythm).await?,
            issuer: options.issuer,
            audience: options.audience,
        })
    }

    /// Reads the keys again as they age, until `stop` says so.
    pub(crate) fn keep_fresh(
        &self,
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.keys).keep_fresh(stop)
    }

    /// Whoever `token` speaks for, if it is valid now.
    pub(crate) async fn verify(&self, token: &str) -> Option<Caller> {
        let header = decode_header(token).ok()?;
        let algorithm = Some(header.alg).filter(|algorithm| ALGORITHMS.contains(algorithm))?;
        let key = self.keys.find(header.kid.as_deref()?).await?;
        // A key that says what it is for is used for nothing else.
        let stated = key.common.key_algorithm.map(|stated| stated.to_string());
        if stated.is_some_and(|stated| stated != format!("{algorithm:?}")) {
            return None;
        }
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        let key = DecodingKey::from_jwk(&key).ok()?;
        let Claims { sub, cid, scp } = decode(token, &key, &validation).ok()?.claims;
        let names = match scp {
            Scopes::List(names) => names,
            Scopes::Text(names) => names.split_whitespace().map(str::to_owned).collect(),
        };
        let scopes: Vec<Scope> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let id = cid.or(sub)?;
        Some(Caller {
            name: id.clone(),
            id,
            token: None,
            scopes,
        })
    }
}
