//! The keys of bearer tokens, kept as their issuer publishes them.
//!
//! Keys are read in the background when their age asks for it, and when a token names one that is
//! not known, so that a key works from its first token on. Whatever asks, there is a pause between
//! two reads: tokens with invented key ids cannot turn the service against its issuer. A read that
//! fails leaves the keys that were read before it.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::Uri;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until, timeout};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::error::ServiceError;
use crate::stop::told;

/// Where the keys of bearer tokens are: a JWKS (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// A file. A service whose file cannot be read does not start.
    File(PathBuf),
    /// An `https` address, or `http` on loopback. A service starts without it and goes on trying;
    /// until it answers, bearer tokens are refused.
    Url(String),
}

/// When keys are read again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub(crate) age: Duration,
    pub(crate) pause: Duration,
}

/// How many bytes a set of keys may have.
const BYTES: u64 = 1 << 20;

/// How long an issuer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for keys to be read: a file may be on a server that is gone.
const WAIT: Duration = Duration::from_secs(10);

/// The keys that were read last.
#[derive(Debug)]
pub(crate) struct Keys {
    place: Place,
    rhythm: Rhythm,
    known: RwLock<JwkSet>,
    /// Held while keys are read: whoever waits for it finds what was read.
    last: Mutex<Last>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url { agent: Agent, url: String },
}

/// How the last read went.
#[derive(Debug)]
struct Last {
    ended: Option<Instant>,
    succeeded: bool,
}

impl Keys {
    pub(crate) async fn new(source: JwksSource, rhythm: Rhythm) -> Result<Arc<Self>, ServiceError> {
        let keys = |place, set, last| {
            Arc::new(Self {
                place,
                rhythm,
                known: RwLock::new(set),
                last: Mutex::new(last),
            })
        };
        match source {
            JwksSource::File(path) => {
                let place = Place::File(path);
                let set = place.read().await?;
                let last = Last {
                    ended: Some(Instant::now()),
                    succeeded: true,
                };
                Ok(keys(place, set, last))
            }
            JwksSource::Url(url) => {
                check(&url)?;
                let agent = agent();
                let last = Last {
                    ended: None,
                    succeeded: false,
                };
                let set = JwkSet { keys: Vec::new() };
                Ok(keys(Place::Url { agent, url }, set, last))
            }
        }
    }

    /// The key with this id. One that is not known is looked for where the keys come from.
    pub(crate) async fn find(self: &Arc<Self>, id: &str) -> Option<Jwk> {
        if let Some(key) = self.known(id) {
            return Some(key);
        }
        let (keys, wanted) = (Arc::clone(self), id.to_owned());
        // A client that hangs up does not end the read that others will want.
        let read = tokio::spawn(async move {
            let Ok(mut last) = timeout(WAIT, keys.last.lock()).await else {
                return;
            };
            let rested = last
                .ended
                .is_none_or(|ended| ended.elapsed() >= keys.rhythm.pause);
            // The read that this one waited for may have brought the key.
            if rested && keys.known(&wanted).is_none() {
                keys.read(&mut last).await;
            }
        });
        timeout(WAIT, read).await.ok()?.ok()?;
        self.known(id)
    }

    /// Reads keys again as they age, until `stop` says so.
    pub(crate) async fn keep_fresh(self: Arc<Self>, stop: watch::Receiver<bool>) {
        tokio::select! {
            () = told(stop) => {}
            () = self.refresh() => {}
        }
    }

    async fn refresh(&self) {
        loop {
            let due = self.last.lock().await.due(self.rhythm);
            sleep_until(due).await;
            let mut last = self.last.lock().await;
            // A token may have had them read meanwhile.
            if last.due(self.rhythm) <= Instant::now() {
                self.read(&mut last).await;
            }
        }
    }

    fn known(&self, id: &str) -> Option<Jwk> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.find(id).cloned()
    }

    async fn read(&self, last: &mut Last) {
        let read = self.place.read().await;
        last.ended = Some(Instant::now());
        last.succeeded = read.is_ok();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(set) => *known = set,
            Err(error) if known.keys.is_empty() => {
                tracing::warn!(%error, "no bearer token is accepted until its keys can be read");
            }
            Err(error) => tracing::warn!(%error, "the keys of bearer tokens stay as they were"),
        }
    }
}

impl Last {
    fn due(&self, rhythm: Rhythm) -> Instant {
        let after = if self.succeeded {
            rhythm.age.max(rhythm.pause)
        } else {
            rhythm.pause
        };
        self.ended.map_or_else(Instant::now, |ended| ended + after)
    }
}

impl Place {
    async fn read(&self) -> Result<JwkSet, ServiceError> {
        match self {
            Self::File(path) => {
                let place = path.display();
                let text = tokio::fs::read(path).await;
                parse(
                    &place,
                    &text.map_err(|error| ServiceError::new(&place, error))?,
                )
            }
            Self::Url { agent, url } => {
                let (agent, place) = (agent.clone(), url.clone());
                let fetched = tokio::task::spawn_blocking(move || fetch(&agent, &place)).await;
                parse(
                    url,
                    &fetched.map_err(|error| ServiceError::new(url, error))??,
                )
            }
        }
    }
}

/// Keys decide who is an administrator: nobody on the way to them may exchange them.
fn check(url: &str) -> Result<(), ServiceError> {
    let wrong = |found: &dyn Display| {
        let found = format!("{found}, expected https, or http on loopback");
        Err(ServiceError::new(format_args!("`{url}`"), found))
    };
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(error) => return wrong(&error),
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    let loopback =
        host == "localhost" || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        Some(scheme) => wrong(&scheme),
        None => wrong(&"no scheme"),
    }
}

/// A client that trusts whom this machine trusts. A proxy named by the environment is used.
fn agent() -> Agent {
    let trusted = rustls_native_certs::load_native_certs();
    for error in &trusted.errors {
        tracing::warn!(%error, "a trusted certificate cannot be read");
    }
    let roots = trusted.certs.iter();
    let roots = roots.map(|root| Certificate::from_der(root).to_owned());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    // A redirection could leave https, and the issuer.
    Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into()
}

fn fetch(agent: &Agent, url: &str) -> Result<Vec<u8>, ServiceError> {
    let failed = |error| ServiceError::new(url, error);
    let mut answer = agent.get(url).call().map_err(failed)?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(ServiceError::new(
            url,
            format_args!("status {status}, expected 200"),
        ));
    }
    let body = answer.body_mut().with_config().limit(BYTES);
    body.read_to_vec().map_err(failed)
}

fn parse(place: &impl Display, text: &[u8]) -> Result<JwkSet, ServiceError> {
    /// Keys of kinds that we do not know are passed over (RFC 7517, section 5), and so are those
    /// that are for something else.
    #[derive(Deserialize)]
    struct Published {
        keys: Vec<Value>,
    }

    let published: Published =
        serde_json::from_slice(text).map_err(|error| ServiceError::new(place, error))?;
    let all = published.keys.len();
    let keys = published.keys.into_iter();
    let keys: Vec<Jwk> = keys
        .filter_map(|key| serde_json::from_value(key).ok())
        .filter(verifies)
        .collect();
    if keys.is_empty() {
        let found = format!("{all} keys and none that can be used, expected at least one");
        return Err(ServiceError::new(place, found));
    }
    Ok(JwkSet { keys })
}

/// Whether a key is for signatures, as far as it says (RFC 7517, sections 4.2 and 4.3).
fn verifies(key: &Jwk) -> bool {
    let stated = &key.common;
    let usage = stated.public_key_use.as_ref();
    let operations = stated.key_operations.as_ref();
    usage.is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for url in [
            "https://idp.example.com/oauth2/v1/keys",
            "http://127.0.0.1:8000/keys",
            "http://[::1]:8000/keys",
            "http://localhost/keys",
        ] {
            check(url).unwrap();
        }
        for (url, found) in [
            ("http://idp.example.com/keys", "http"),
            ("http://localhost.example.com/keys", "http"),
            ("http://127.0.0.1@idp.example.com/keys", "http"),
            ("ftp://127.0.0.1/keys", "ftp"),
            ("/keys", "no scheme"),
        ] {
            assert_eq!(
                check(url).unwrap_err().to_string(),
                format!("`{url}`: {found}, expected https, or http on loopback")
            );
        }
        // What is wrong with it is for the parser of addresses to say.
        let error = check("https://").unwrap_err().to_string();
        assert!(error.starts_with("`https://`: "), "{error}");
    }
}
