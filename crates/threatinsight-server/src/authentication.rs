//! Who asks.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::error::StoreError;
use crate::jwt::Bearers;
use crate::refusal::{Code, Refusal};
use crate::scope::Scope;
use crate::store::Store;
use crate::token::{self, AdministratorToken};

/// The longest token that is looked at.
pub(crate) const TOKEN_LIMIT: usize = 8_192;

/// Whoever showed a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The API token's id; `None` for a bearer.
    pub(crate) token: Option<String>,
    pub(crate) scopes: Vec<Scope>,
}

impl Caller {
    pub(crate) fn require(&self, needed: Scope) -> Result<(), Refusal> {
        if self.scopes.iter().any(|scope| scope.includes(needed)) {
            Ok(())
        } else {
            Err(Refusal::new(Code::Forbidden))
        }
    }
}

/// What tokens are looked up in.
#[derive(Clone, Debug)]
pub(crate) struct Authentication {
    pub(crate) store: Store,
    pub(crate) administrator: Option<AdministratorToken>,
    pub(crate) bearers: Option<Bearers>,
}

impl Authentication {
    /// The caller that the `Authorization` header names; `None` when it names nobody.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, StoreError> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Ok(None);
        };
        let Ok(line) = line.to_str() else {
            return Ok(None);
        };
        if let Some(presented) = after_scheme(line, "SSWS") {
            return self.token(presented).await;
        }
        match (after_scheme(line, "Bearer"), &self.bearers) {
            (Some(presented), Some(bearers)) => Ok(bearers.verify(presented).await),
            (None, _) | (_, None) => Ok(None),
        }
    }

    async fn token(&self, presented: &str) -> Result<Option<Caller>, StoreError> {
        if self
            .administrator
            .as_ref()
            .is_some_and(|token| token.is(presented))
        {
            return Ok(Some(Caller {
                id: "administrator".to_owned(),
                name: "administrator".to_owned(),
                token: Some("administrator".to_owned()),
                scopes: Scope::ALL.to_vec(),
            }));
        }
        let token = token::find(&self.store, presented).await?;
        Ok(token.map(|token| Caller {
            scopes: token
                .scopes
                .split(' ')
                .filter_map(|scope| scope.parse().ok())
                .collect(),
            token: Some(token.id.clone()),
            id: token.id,
            name: token.name,
        }))
    }
}

/// What follows `scheme`, in whatever case; one of Okta's own clients writes no blank between them.
fn after_scheme<'a>(line: &'a str, scheme: &str) -> Option<&'a str> {
    let (head, rest) = line.trim().split_at_checked(scheme.len())?;
    let rest = rest.trim_start();
    (head.eq_ignore_ascii_case(scheme) && (1..=TOKEN_LIMIT).contains(&rest.len())).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_after_the_scheme_is_optional() {
        for (line, expected) in [
            ("SSWS 00abc", Some("00abc")),
            ("SSWS00abc", Some("00abc")),
            ("ssws  00abc ", Some("00abc")),
            ("SSWS", None),
            ("SSWS ", None),
            ("Bearer 00abc", None),
            ("SSW", None),
            ("é", None),
        ] {
            assert_eq!(after_scheme(line, "SSWS"), expected, "{line}");
        }
    }
}
