//! Bearer tokens: JWTs of an authorisation server whose keys we know.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::authentication::Caller;
use crate::error::ServiceError;
use crate::scope::Scope;

/// Which bearer tokens are accepted.
#[derive(Clone, Debug)]
pub struct BearerOptions {
    /// The file with the issuer's keys, a JWKS (RFC 7517). It is read again when a token names a
    /// key that is not in it, at most every ten seconds.
    pub jwks: PathBuf,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
}

/// How often a token with an unknown key may have the keys read again.
const READ_AGAIN: Duration = Duration::from_secs(10);

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
    options: BearerOptions,
    keys: Arc<RwLock<Keys>>,
}

#[derive(Debug)]
struct Keys {
    set: JwkSet,
    read: Instant,
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
    pub(crate) fn new(options: BearerOptions) -> Result<Self, ServiceError> {
        let set = read(&options)?;
        let keys = Keys {
            set,
            read: Instant::now(),
        };
        Ok(Self {
            options,
            keys: Arc::new(RwLock::new(keys)),
        })
    }

    /// Whoever `token` speaks for, if it is valid now.
    pub(crate) fn verify(&self, token: &str) -> Option<Caller> {
        let header = decode_header(token).ok()?;
        let algorithm = Some(header.alg).filter(|algorithm| ALGORITHMS.contains(algorithm))?;
        let key = self.key(header.kid.as_deref()?)?;
        // A key that says what it is for is used for nothing else.
        let stated = key.common.key_algorithm.map(|stated| stated.to_string());
        if stated.is_some_and(|stated| stated != format!("{algorithm:?}")) {
            return None;
        }
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&[&self.options.audience]);
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

    fn key(&self, id: &str) -> Option<Jwk> {
        {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let known = keys.set.find(id).cloned();
            if known.is_some() || keys.read.elapsed() < READ_AGAIN {
                return known;
            }
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.read = Instant::now();
        match read(&self.options) {
            Ok(set) => keys.set = set,
            Err(error) => tracing::warn!(%error, "the keys read last stay"),
        }
        keys.set.find(id).cloned()
    }
}

fn read(options: &BearerOptions) -> Result<JwkSet, ServiceError> {
    let place = options.jwks.display();
    let text =
        fs::read_to_string(&options.jwks).map_err(|error| ServiceError::new(place, error))?;
    let place = options.jwks.display();
    serde_json::from_str(&text).map_err(|error| ServiceError::new(place, error))
}
