//! Bearer tokens: signed here with a key made for these tests, verified by the service.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use threatinsight_server::{BearerOptions, JwksSource, Location, Options, Service};
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::running::{ADMINISTRATOR, Running, until};

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

fn bearers(jwks: JwksSource) -> BearerOptions {
    BearerOptions::new(jwks, ISSUER.to_owned(), AUDIENCE.to_owned())
}

fn running(directory: &TempDir) -> Running {
    let file = directory.path().join("jwks.json");
    fs::write(&file, jwks("k1")).unwrap();
    Running::with(|options| {
        options.bearers = Some(bearers(JwksSource::File(file)));
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

/// An issuer that publishes what it is told, and counts how often it is asked.
struct Issuer {
    url: String,
    published: Arc<Mutex<(StatusCode, String)>>,
    asked: Arc<AtomicUsize>,
    /// A port that is taken and, before `open`, refuses connections.
    socket: Option<TcpSocket>,
    runtime: Runtime,
}

impl Issuer {
    fn closed() -> Self {
        let runtime = Runtime::new().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            url: format!("http://{}/keys", socket.local_addr().unwrap()),
            published: Arc::new(Mutex::new((StatusCode::OK, jwks("k1")))),
            asked: Arc::default(),
            socket: Some(socket),
            runtime,
        }
    }

    fn open() -> Self {
        let mut issuer = Self::closed();
        issuer.listen();
        issuer
    }

    fn listen(&mut self) {
        let (published, asked) = (Arc::clone(&self.published), Arc::clone(&self.asked));
        let keys = get(async move || {
            asked.fetch_add(1, Ordering::Relaxed);
            published.lock().unwrap().clone()
        });
        let _context = self.runtime.enter();
        let listener = self.socket.take().unwrap().listen(64).unwrap();
        let server = axum::serve(listener, Router::new().route("/keys", keys));
        self.runtime.spawn(server.into_future());
    }

    fn publish(&self, status: StatusCode, text: impl Into<String>) {
        *self.published.lock().unwrap() = (status, text.into());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// A service that trusts this issuer. It reads keys no more often than every `pause`.
    fn trusted(&self, age: Duration, pause: Duration) -> Running {
        Running::with(|options| {
            options.bearers = Some(BearerOptions {
                jwks_age: age,
                jwks_pause: pause,
                ..bearers(JwksSource::Url(self.url.clone()))
            });
        })
    }
}

/// An age that no test reaches, and a pause that none waits for.
const NEVER: Duration = Duration::from_secs(3_600);

fn status(running: &mut Running, key: &str) -> u16 {
    running.token = format!("Bearer {}", sign(&claims(), key));
    running.get(CONFIGURATION).status
}

#[test]
fn the_first_token_signed_with_a_new_key_is_accepted() {
    let issuer = Issuer::open();
    let mut running = issuer.trusted(NEVER, Duration::ZERO);
    assert_eq!(status(&mut running, "k1"), 200);
    assert_eq!(issuer.asked(), 1, "a known key is not asked for again");
    issuer.publish(StatusCode::OK, jwks("k2"));
    assert_eq!(status(&mut running, "k1"), 200, "until the keys are read");
    assert_eq!(status(&mut running, "k2"), 200);
    assert_eq!(status(&mut running, "k1"), 401, "no longer published");
}

#[test]
fn keys_that_the_issuer_withdraws_end_with_their_age() {
    let issuer = Issuer::open();
    let mut running = issuer.trusted(Duration::from_millis(50), Duration::from_millis(50));
    until(|| status(&mut running, "k1") == 200);
    issuer.publish(StatusCode::OK, jwks("k2"));
    until(|| status(&mut running, "k1") == 401);
    assert_eq!(status(&mut running, "k2"), 200);
}

#[test]
fn keys_stay_fresh_when_the_service_is_dropped() {
    let issuer = Issuer::open();
    let mut running = issuer.trusted(Duration::from_millis(50), Duration::from_millis(50));
    until(|| status(&mut running, "k1") == 200);
    running.abandon();
    issuer.publish(StatusCode::OK, jwks("k2"));
    until(|| status(&mut running, "k1") == 401);
}

#[test]
fn a_service_starts_without_its_issuer_and_accepts_bearers_once_it_is_there() {
    let mut issuer = Issuer::closed();
    let mut running = issuer.trusted(NEVER, Duration::from_millis(20));
    assert_eq!(status(&mut running, "k1"), 401);
    running.token = format!("SSWS {ADMINISTRATOR}");
    running.get(CONFIGURATION).ok();
    issuer.listen();
    until(|| issuer.asked() == 1);
    until(|| status(&mut running, "k1") == 200);
}

#[test]
fn whatever_an_issuer_answers_instead_of_keys_leaves_those_that_were_read() {
    let issuer = Issuer::open();
    let mut running = issuer.trusted(NEVER, Duration::ZERO);
    assert_eq!(status(&mut running, "k1"), 200);
    let padding = " ".repeat(2 << 20);
    for (answered, text) in [
        (StatusCode::INTERNAL_SERVER_ERROR, jwks("k2")),
        (StatusCode::FOUND, jwks("k2")),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, "{}".to_owned()),
        (StatusCode::OK, r#"{"keys": []}"#.to_owned()),
        (
            StatusCode::OK,
            r#"{"keys": [{"kty": "new", "kid": "k2"}]}"#.to_owned(),
        ),
        (StatusCode::OK, format!("{padding}{}", jwks("k2"))),
    ] {
        let before = issuer.asked();
        issuer.publish(answered, text.clone());
        let text = text.trim();
        assert_eq!(status(&mut running, "k2"), 401, "{answered} {text}");
        assert_eq!(issuer.asked(), before + 1, "{answered} {text}");
        assert_eq!(status(&mut running, "k1"), 200, "{answered} {text}");
    }
    let mut mixed: Value = serde_json::from_str(&jwks("k2")).unwrap();
    mixed["keys"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"kty": "new", "kid": "k3"}));
    issuer.publish(StatusCode::OK, mixed.to_string());
    assert_eq!(status(&mut running, "k2"), 200);
}

#[test]
fn invented_key_ids_do_not_become_requests_to_the_issuer() {
    let issuer = Issuer::open();
    let mut running = issuer.trusted(NEVER, NEVER);
    assert_eq!(status(&mut running, "k1"), 200);
    let url = running.url(CONFIGURATION);
    std::thread::scope(|scope| {
        for client in 0..4 {
            let url = &url;
            scope.spawn(move || {
                let config = ureq::Agent::config_builder().http_status_as_error(false);
                let agent: ureq::Agent = config.build().into();
                for n in 0..50 {
                    let token = sign(&claims(), &format!("invented {client} {n}"));
                    let request = agent
                        .get(url)
                        .header("authorization", format!("Bearer {token}"));
                    assert_eq!(request.call().unwrap().status(), 401);
                }
            });
        }
    });
    assert_eq!(issuer.asked(), 1);
    assert_eq!(status(&mut running, "k1"), 200);
}

#[test]
fn nobody_waits_for_a_file_of_keys_that_does_not_end() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("jwks.json");
    fs::write(&file, jwks("k1")).unwrap();
    let mut running = Running::with(|options| {
        options.bearers = Some(BearerOptions {
            jwks_age: Duration::from_secs(1),
            jwks_pause: Duration::ZERO,
            ..bearers(JwksSource::File(file.clone()))
        });
    });
    // A pipe that nobody writes to.
    fs::remove_file(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    assert_eq!(status(&mut running, "k2"), 401);
    assert_eq!(status(&mut running, "k1"), 200);
    let stopping = Instant::now();
    running.stop();
    let took = stopping.elapsed();
    // The runtime waits for whoever reads it.
    fs::write(&file, jwks("k2")).unwrap();
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn an_address_that_others_could_answer_for_is_refused_at_the_start() {
    let directory = TempDir::new().unwrap();
    let store = Location::Directory(directory.path().to_owned());
    let mut options = Options::new("127.0.0.1:0".parse().unwrap(), store);
    let url = "http://idp.example.com/keys".to_owned();
    options.bearers = Some(bearers(JwksSource::Url(url)));
    let started = Runtime::new().unwrap().block_on(Service::start(options));
    assert_eq!(
        started.unwrap_err().to_string(),
        "`http://idp.example.com/keys`: http, expected https, or http on loopback"
    );
}

#[test]
fn a_key_verifies_only_when_it_says_nothing_else() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("jwks.json");
    let key = |id: &str, stated: Value| {
        let mut set: Value = serde_json::from_str(&jwks(id)).unwrap();
        let mut key = set["keys"][0].take();
        let members = key.as_object_mut().unwrap();
        members.remove("use");
        members.extend(stated.as_object().unwrap().clone());
        key
    };
    let cases = [
        ("nothing", json!({}), 200),
        ("verify", json!({"key_ops": ["verify"]}), 200),
        ("both", json!({"use": "sig", "key_ops": ["verify"]}), 200),
        ("enc", json!({"use": "enc"}), 401),
        ("own", json!({"use": "acme"}), 401),
        ("wrap", json!({"key_ops": ["wrapKey", "encrypt"]}), 401),
        ("one", json!({"use": "sig", "key_ops": ["sign"]}), 401),
    ];
    let keys: Vec<Value> = cases
        .iter()
        .map(|(id, stated, _)| key(id, stated.clone()))
        .collect();
    // Keys of one id are told apart by what they are for.
    let shared = [
        key("shared", json!({"use": "enc"})),
        key("shared", json!({})),
    ];
    let keys = json!({"keys": (keys.iter().chain(&shared).collect::<Vec<_>>())});
    fs::write(&file, keys.to_string()).unwrap();
    let mut running = Running::with(|options| {
        options.bearers = Some(bearers(JwksSource::File(file)));
    });
    for (id, _, expected) in cases {
        assert_eq!(status(&mut running, id), expected, "{id}");
    }
    assert_eq!(status(&mut running, "shared"), 200);
}
