use serde_json::json;
use threatinsight_server::{Location, Scope, Tokens};

use crate::running::{ADMINISTRATOR, Running};

const CONFIGURATION: &str = "/api/v1/threats/configuration";

fn tokens(running: &Running) -> Tokens {
    let location = Location::Directory(running.directory.path().to_owned());
    running.block_on(Tokens::open(&location)).unwrap()
}

#[test]
fn without_a_valid_token_nothing_is_answered() {
    let mut running = Running::new();
    for token in [
        "",
        "SSWS",
        "SSWS wrong",
        "Basic abc",
        "Bearer abc",
        "SSWS 00aaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    ] {
        running.token = token.to_owned();
        for path in [
            CONFIGURATION,
            "/api/v1/zones",
            "/api/v1/zones/nzo1",
            "/api/v1/logs",
            "/v1/feeds",
            "/v1/listed/192.0.2.1",
        ] {
            assert_eq!(
                running.get(path).refused(),
                (401, "E0000011".to_owned(), vec![]),
                "{token} {path}"
            );
        }
        assert_eq!(
            running
                .post("/v1/decisions", &json!({"chain": "192.0.2.1"}))
                .refused()
                .1,
            "E0000011"
        );
    }
    for token in [
        format!("SSWS{ADMINISTRATOR}"),
        format!("ssws   {ADMINISTRATOR}"),
    ] {
        running.token = token;
        running.get(CONFIGURATION).ok();
    }
}

#[test]
fn a_token_may_do_what_its_scopes_say_and_manage_includes_read() {
    let mut running = Running::new();
    let tokens = tokens(&running);
    let make = |scopes: &[Scope]| {
        format!(
            "SSWS {}",
            running.block_on(tokens.create("test", scopes)).unwrap()
        )
    };
    let reader = make(&[Scope::ThreatInsightsRead, Scope::NetworkZonesRead]);
    let manager = make(&[Scope::ThreatInsightsManage]);
    let logs = make(&[Scope::LogsRead]);
    let decisions = make(&[Scope::DecisionsRead]);
    let feeds = make(&[Scope::FeedsManage]);
    let body = json!({"action": "audit"});
    let question = json!({"chain": "192.0.2.1"});

    running.token = reader;
    running.get(CONFIGURATION).ok();
    running.get("/api/v1/zones").ok();
    assert_eq!(
        running.post(CONFIGURATION, &body).refused(),
        (403, "E0000006".to_owned(), vec![])
    );
    assert_eq!(
        running
            .post_nothing("/api/v1/zones/nzo1/lifecycle/activate")
            .refused()
            .1,
        "E0000006"
    );
    assert_eq!(running.get("/api/v1/logs").refused().1, "E0000006");

    running.token = manager;
    running.post(CONFIGURATION, &body).ok();
    running.get(CONFIGURATION).ok();
    assert_eq!(running.get("/api/v1/zones").refused().1, "E0000006");

    running.token = decisions;
    running.post("/v1/decisions", &question).ok();
    assert_eq!(running.get("/v1/feeds").refused().1, "E0000006");

    running.token = feeds;
    running.put_feed("scanners", "203.0.113.7\n").ok();
    running.get("/v1/listed/203.0.113.7").ok();
    assert_eq!(
        running.post("/v1/decisions", &question).refused().1,
        "E0000006"
    );

    running.token = logs;
    let event = &running.get("/api/v1/logs").ok()[0];
    assert_eq!(event["actor"]["displayName"], "test");
    let listed = running.block_on(tokens.list()).unwrap();
    let id = event["transaction"]["detail"]["requestApiTokenId"]
        .as_str()
        .unwrap();
    let known = listed.iter().find(|token| token.id == id).unwrap();
    assert_eq!(known.scopes, "okta.threatInsights.manage");
}

#[test]
fn a_revoked_token_counts_no_more() {
    let mut running = Running::new();
    let tokens = tokens(&running);
    let token = running
        .block_on(tokens.create("leaver", &Scope::ALL))
        .unwrap();
    running.token = format!("SSWS {token}");
    running.get(CONFIGURATION).ok();
    assert!(running.block_on(tokens.revoke(&token[..12])).unwrap());
    assert!(!running.block_on(tokens.revoke(&token[..12])).unwrap());
    assert_eq!(running.get(CONFIGURATION).refused().1, "E0000011");
}

#[test]
fn the_first_start_makes_one_administrator_token_and_the_second_none() {
    let mut running = Running::with(|options| options.administrator = None);
    let token = running.service().administrator_token.clone().unwrap();
    running.token = format!("SSWS {token}");
    running.get(CONFIGURATION).ok();
    let mut running = running.restart_with(|options| options.administrator = None);
    assert_eq!(running.service().administrator_token, None);
    running.token = format!("SSWS {token}");
    running.get(CONFIGURATION).ok();
}

#[test]
fn a_caller_has_a_limit_in_each_bucket() {
    let mut running = Running::with(|options| options.rate_limit = 3);
    for left in ["2", "1", "0"] {
        let answer = running.get(CONFIGURATION);
        answer.ok();
        assert_eq!(answer.header("x-rate-limit-limit"), "3");
        assert_eq!(answer.header("x-rate-limit-remaining"), left);
    }
    let answer = running.post(CONFIGURATION, &json!({"action": "audit"}));
    assert_eq!(answer.refused(), (429, "E0000047".to_owned(), vec![]));
    assert_eq!(answer.header("x-rate-limit-remaining"), "0");
    let reset: u64 = answer.header("x-rate-limit-reset").parse().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!((now..=now + 61).contains(&reset), "{reset}");
    assert!(answer.header("date").ends_with(" GMT"));
    running.get("/api/v1/zones").ok();

    // Whoever has no token is counted by address, so that guessing ends.
    running.token = "SSWS guess".to_owned();
    let statuses: Vec<u16> = (0..4).map(|_| running.get(CONFIGURATION).status).collect();
    assert_eq!(statuses, [401, 401, 401, 429]);
}
