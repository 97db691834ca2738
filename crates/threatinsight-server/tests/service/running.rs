//! A service on a free loopback port, and a client for it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use threatinsight::Engine;
use threatinsight_server::{AdministratorToken, Location, Options, Service};
use tokio::runtime::Runtime;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body, RequestBuilder};

pub(crate) const ADMINISTRATOR: &str = "an administrator token of the tests";

/// A running service; it stops when it is dropped.
pub(crate) struct Running {
    runtime: Runtime,
    service: Option<Service>,
    address: SocketAddr,
    pub(crate) directory: TempDir,
    agent: Agent,
    pub(crate) token: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of an answer that was to be a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Status, code and causes of an answer that was to be a refusal.
    #[track_caller]
    pub(crate) fn refused(&self) -> (u16, String, Vec<String>) {
        assert!(self.status >= 400, "{self:?}");
        let error = self.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        assert_eq!(error["errorLink"], error["errorCode"]);
        assert!(text(&error["errorId"]).starts_with("oae"));
        let causes = error["errorCauses"].as_array().unwrap();
        let causes = causes
            .iter()
            .map(|cause| text(&cause["errorSummary"]))
            .collect();
        (self.status, text(&error["errorCode"]), causes)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The URL of the `Link` header with this relation.
    pub(crate) fn link(&self, relation: &str) -> Option<String> {
        let end = format!(">; rel=\"{relation}\"");
        let mut links = self
            .headers
            .get_all("link")
            .iter()
            .map(|link| link.to_str().unwrap());
        let link = links.find_map(|link| link.strip_suffix(&end))?;
        Some(link.strip_prefix('<').unwrap().to_owned())
    }
}

impl From<Response<Body>> for Answer {
    fn from(response: Response<Body>) -> Self {
        let (head, mut body) = response.into_parts();
        let text = body.with_config().limit(64 << 20).read_to_string().unwrap();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            text,
        }
    }
}

impl Running {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::at(TempDir::new().unwrap(), change)
    }

    fn at(directory: TempDir, change: impl FnOnce(&mut Options)) -> Self {
        let store = Location::Directory(directory.path().to_owned());
        let mut options = Options::new("127.0.0.1:0".parse().unwrap(), store);
        options.administrator = Some(AdministratorToken::new(ADMINISTRATOR).unwrap());
        options.rate_limit = u32::MAX;
        change(&mut options);
        let runtime = Runtime::new().unwrap();
        let service = runtime.block_on(Service::start(options)).unwrap();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self {
            runtime,
            address: service.address,
            service: Some(service),
            directory,
            agent: config.into(),
            token: format!("SSWS {ADMINISTRATOR}"),
        }
    }

    /// Stops the service and starts one on the same data.
    pub(crate) fn restart(self) -> Self {
        self.restart_with(|_| {})
    }

    pub(crate) fn restart_with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        self.stop();
        let other = TempDir::new().unwrap();
        let directory = std::mem::replace(&mut self.directory, other);
        Self::at(directory, change)
    }

    pub(crate) fn stop(&mut self) {
        if let Some(service) = self.service.take() {
            self.runtime.block_on(service.stop());
        }
    }

    /// Drops the service without stopping it; what is left is its engine.
    pub(crate) fn abandon(&mut self) -> Engine {
        self.service.take().unwrap().engine()
    }

    pub(crate) fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with("http") {
            return path.to_owned();
        }
        format!("http://{}{path}", self.address)
    }

    fn authorized<T>(&self, builder: RequestBuilder<T>) -> RequestBuilder<T> {
        if self.token.is_empty() {
            builder
        } else {
            builder.header("authorization", &self.token)
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut builder = self.authorized(self.agent.get(self.url(path)));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.call().unwrap().into()
    }

    /// A request without a body.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, &[])
    }

    pub(crate) fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.agent.run(request.body(()).unwrap()).unwrap().into()
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.authorized(self.agent.delete(self.url(path)))
            .call()
            .unwrap()
            .into()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    pub(crate) fn post_text(&self, path: &str, body: &str) -> Answer {
        let builder = self.authorized(self.agent.post(self.url(path)));
        builder
            .header("content-type", "application/json")
            .send(body)
            .unwrap()
            .into()
    }

    pub(crate) fn post_nothing(&self, path: &str) -> Answer {
        self.authorized(self.agent.post(self.url(path)))
            .send_empty()
            .unwrap()
            .into()
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        let builder = self.authorized(self.agent.put(self.url(path)));
        builder
            .header("content-type", "application/json")
            .send(body.to_string())
            .unwrap()
            .into()
    }

    pub(crate) fn put_feed(&self, name: &str, text: impl AsRef<[u8]>) -> Answer {
        let builder = self.authorized(self.agent.put(self.url(&format!("/v1/feeds/{name}"))));
        builder
            .header("content-type", "text/plain")
            .send(text.as_ref())
            .unwrap()
            .into()
    }

    /// The status of the forward-auth endpoint for a request that a trusted proxy passes on.
    pub(crate) fn authorize(&self, forwarded_for: &str) -> u16 {
        self.get_with("/v1/authorize", &[("x-forwarded-for", forwarded_for)])
            .status
    }

    /// A zone that trusts the test's own address to forward requests.
    pub(crate) fn trust_loopback(&self) {
        let zone = serde_json::json!({
            "type": "IP", "name": "gateway",
            "proxies": [{"type": "CIDR", "value": "127.0.0.1/32"}],
        });
        self.post("/api/v1/zones", &zone).ok();
    }

    /// Blocks 203.0.113.7 for so many seconds, and `other` for ever; until when the former.
    pub(crate) fn block_for(&self, seconds: i64, other: &str) -> Timestamp {
        self.trust_loopback();
        self.post("/api/v1/threats/configuration", &json!({"action": "block"}))
            .ok();
        // Without a fraction, as feeds have it.
        let expires = Timestamp::now().as_second() + seconds;
        let expires = Timestamp::from_second(expires).unwrap();
        let client = "203.0.113.7";
        self.put_feed("short", expiring(client, expires, other))
            .ok();
        assert_eq!(self.authorize(client), 403);
        expires
    }

    /// Stops the service, which waits for requests and for its log for ten seconds at most, whatever its store does.
    pub(crate) fn stop_in_time(self) {
        let stopping = Instant::now();
        drop(self);
        let took = stopping.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}");
    }

    /// The events of a query, once there are `count`; decisions are logged behind the request.
    #[track_caller]
    pub(crate) fn events(&self, query: &str, count: usize) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let events = self.get(&format!("/api/v1/logs?{query}")).ok();
            let events = events.as_array().unwrap();
            if events.len() >= count || started.elapsed() > Duration::from_secs(5) {
                assert_eq!(events.len(), count, "{events:?}");
                return events.clone();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A feed with an entry that expires, and one that does not.
pub(crate) fn expiring(client: &str, expires: Timestamp, other: &str) -> String {
    format!(
        "{{\"prefix\": \"{client}\", \"expires\": \"{expires}\"}}\n{{\"prefix\": \"{other}\"}}\n"
    )
}

/// Waits until `condition` holds; for how long.
#[track_caller]
pub(crate) fn until(mut condition: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "it never holds"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    started.elapsed()
}
