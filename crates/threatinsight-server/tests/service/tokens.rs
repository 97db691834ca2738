//! Bearer tokens: signed here with a key made for these tests, verified by the service.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use threatinsight_server::BearerOptions;

use crate::running::Running;

const CONFIGURATION: &str = "/api/v1/threats/configuration";
const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "https://acme.example.com";

/// A P-256 key that signs nothing but the tokens of these tests.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoQb5if26DdfQ1rEb\nFzBAu9kenaIQQxf6BTithtzdDjShRANCAAS4MWed2TT+5WWzMYPFIvVqL3pWrbCt\nWDob8mqKFotkIhwmOR+WWejLcg+Ml1NYVxkcZa7aPkPbsc9fYA/ZQhZ8\n-----END PRIVATE KEY-----\n";

fn jwks(id: &str) -> String {
    let key = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
        "x": "uDFnndk0_uVlszGDxSL1ai96Vq2wrVg6G_JqihaLZCI",
        "y": "HCY5H5ZZ6MtyD4yXU1hXGRxlrto-Q9uxz19gD9lCFnw",
    });
    json!({"keys": [key]}).to_string()
}

fn claims() -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": now + 300, "cid": "terraform",
        "scp": ["okta.threatInsights.manage", "openid"],
    })
}

fn sign(claims: &Value, id: &str) -> String {
    let header = Header {
        kid: Some(id.to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    encode(
        &header,
        claims,
        &EncodingKey::from_ec_pem(KEY.as_bytes()).unwrap(),
    )
    .unwrap()
}

fn running(directory: &TempDir) -> Running {
    let file = directory.path().join("jwks.json");
    fs::write(&file, jwks("k1")).unwrap();
    Running::with(|options| {
        options.bearers = Some(BearerOptions {
            jwks: file,
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        });
    })
}

#[test]
fn a_bearer_may_do_what_its_scopes_say() {
    let directory = TempDir::new().unwrap();
    let mut running = running(&directory);
    for scheme in ["Bearer ", "bearer", "Bearer"] {
        running.token = format!("{scheme}{}", sign(&claims(), "k1"));
        running.get(CONFIGURATION).ok();
    }
    running
        .post(CONFIGURATION, &json!({"action": "audit"}))
        .ok();
    assert_eq!(running.get("/api/v1/zones").refused().1, "E0000006");
    let mut text = claims();
    text["scp"] = json!("okta.logs.read okta.networkZones.read");
    running.token = format!("Bearer {}", sign(&text, "k1"));
    let event = &running.get("/api/v1/logs").ok()[0];
    assert_eq!(event["actor"]["id"], "terraform");
    running.get("/api/v1/zones").ok();
}

#[test]
fn a_bearer_that_is_not_valid_here_and_now_is_refused() {
    let directory = TempDir::new().unwrap();
    let mut running = running(&directory);
    let mut wrong: Vec<(&str, String)> = Vec::new();
    for (member, value) in [
        ("iss", json!("https://other.example.com")),
        ("aud", json!("https://other.example.com")),
        ("exp", json!(1_000_000_000)),
        ("nbf", json!(99_999_999_999_u64)),
    ] {
        let mut claims = claims();
        claims[member] = value;
        wrong.push((member, sign(&claims, "k1")));
    }
    for member in ["iss", "aud", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(member);
        wrong.push((member, sign(&claims, "k1")));
    }
    let valid = sign(&claims(), "k1");
    wrong.push(("an unknown key", sign(&claims(), "k2")));
    wrong.push(("another payload", {
        let mut parts: Vec<&str> = valid.split('.').collect();
        let other = sign(&json!({"iss": ISSUER}), "k1");
        let payload = other.split('.').nth(1).unwrap().to_owned();
        parts[1] = &payload;
        parts.join(".")
    }));
    // A shared secret that is the public key, and no signature at all.
    let shared = Header {
        kid: Some("k1".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(jwks("k1").as_bytes());
    wrong.push(("HS256", encode(&shared, &claims(), &secret).unwrap()));
    let payload = valid.split('.').nth(1).unwrap();
    wrong.push((
        "none",
        format!("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{payload}."),
    ));
    for (what, token) in wrong {
        running.token = format!("Bearer {token}");
        assert_eq!(running.get(CONFIGURATION).refused().1, "E0000011", "{what}");
    }
    running.token = format!("Bearer {valid}");
    running.get(CONFIGURATION).ok();
}
