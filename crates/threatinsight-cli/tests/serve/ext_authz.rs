//! gRPC for Envoy, beside the API: one engine, one log, one set of metrics, one end.

use std::io::BufRead as _;
use std::process::Command;

use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::{self as core, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::Code;

use crate::server::{Server, TOKEN, agent, ask, command};

fn check(client: &str) -> CheckRequest {
    let address = SocketAddress {
        address: client.to_owned(),
        ..SocketAddress::default()
    };
    let headers = [
        ("user-agent", "curl/8"),
        ("x-forwarded-for", "198.51.100.7"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer {
                address: Some(core::Address {
                    address: Some(Address::SocketAddress(address)),
                }),
                ..Peer::default()
            }),
            request: Some(Request {
                http: Some(HttpRequest {
                    path: "/sign-in?next=a".to_owned(),
                    headers: headers.into(),
                    ..HttpRequest::default()
                }),
                ..Request::default()
            }),
            ..AttributeContext::default()
        }),
    }
}

#[test]
fn envoy_is_answered_by_the_engine_that_the_api_changes() {
    let data = TempDir::new().unwrap();
    let mut command = command();
    command.env("THREATINSIGHT_ADMIN_TOKEN", TOKEN);
    let mut server = Server::spawn_with(command, data.path(), |command| {
        command.args(["--ext-authz", "127.0.0.1:0"]);
    });
    let mut line = String::new();
    server.said.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("ext_authz on ").unwrap();
    let change = |method: &str, path: &str, body: &str| {
        let url = format!("{}{path}", server.url);
        assert_eq!(ask(&agent(), method, &url, TOKEN, body).unwrap().0, 200);
    };

    let runtime = Runtime::new().unwrap();
    let url = format!("http://{address}");
    let mut client = runtime.block_on(AuthorizationClient::connect(url)).unwrap();
    let mut code = |address: &str| {
        let answer = runtime.block_on(client.check(check(address)));
        let answer = answer.map(|answer| answer.into_inner().status.unwrap().code);
        answer.map_err(|status| status.code())
    };
    change(
        "PUT",
        "/v1/feeds/scanners",
        r#"{"prefix": "203.0.113.0/24"}"#,
    );
    assert_eq!(code("203.0.113.7"), Ok(Code::Ok.into()));
    change(
        "POST",
        "/api/v1/threats/configuration",
        r#"{"action":"block"}"#,
    );
    assert_eq!(code("203.0.113.7"), Ok(Code::PermissionDenied.into()));
    assert_eq!(code("198.51.100.7"), Ok(Code::Ok.into()));
    assert_eq!(code("garbage"), Err(Code::InvalidArgument));

    let events = server.events("203.0.113.7");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["outcome"]["result"], "DENY");
    assert_eq!(events[0]["client"]["userAgent"]["rawUserAgent"], "curl/8");
    assert_eq!(
        events[0]["debugContext"]["debugData"]["url"],
        "/sign-in?next=a"
    );
    let metrics = agent()
        .get(format!("{}/metrics", server.url))
        .call()
        .unwrap();
    let metrics = metrics.into_body().read_to_string().unwrap();
    for expected in [
        r#"threatinsight_decisions_total{verdict="block",reason="listed"} 1"#,
        r#"threatinsight_decisions_total{verdict="allow",reason="not-listed"} 1"#,
        r#"threatinsight_unjudged_total{gateway="ext_authz"} 1"#,
    ] {
        assert!(metrics.lines().any(|line| line == expected), "{metrics}");
    }
    // What gateways check health by.
    let health = agent()
        .get(format!("http://{address}/readyz"))
        .call()
        .unwrap();
    assert_eq!(health.status(), 200);

    // It ends although Envoy's connection is open.
    let id = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(server.child.wait().unwrap().success());
    assert_eq!(code("198.51.100.7"), Err(Code::Unavailable));
}
