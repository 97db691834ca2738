use serde_json::{Value, json};
use threatinsight_server::{Location, Options, Service};

use crate::running::Running;

const PATH: &str = "/api/v1/zones";

fn office() -> Value {
    json!({
        "type": "IP",
        "name": "office",
        "status": "INACTIVE",
        "gateways": [
            {"type": "CIDR", "value": "203.0.113.4/24"},
            {"type": "RANGE", "value": "198.51.100.1"},
            {"type": "RANGE", "value": "2001:db8::1-2001:db8::9"},
        ],
    })
}

fn id(zone: &Value) -> &str {
    zone["id"].as_str().unwrap()
}

#[test]
fn an_address_zone_is_created_active_and_echoed_as_recorded() {
    let running = Running::new();
    let answer = running.post(PATH, &office());
    let zone = answer.ok();
    let (id, created) = (id(&zone), zone["created"].as_str().unwrap());
    let href = running.url(&format!("{PATH}/{id}"));
    assert_eq!(
        answer.text,
        format!(
            r#"{{"type":"IP","id":"{id}","name":"office","status":"ACTIVE","usage":"POLICY","created":"{created}","lastUpdated":"{created}","system":false,"gateways":[{{"type":"CIDR","value":"203.0.113.4/24"}},{{"type":"RANGE","value":"198.51.100.1-198.51.100.1"}},{{"type":"RANGE","value":"2001:db8::1-2001:db8::9"}}],"proxies":null,"_links":{{"self":{{"href":"{href}","hints":{{"allow":["GET","PUT","DELETE"]}}}},"deactivate":{{"href":"{href}/lifecycle/deactivate","hints":{{"allow":["POST"]}}}}}}}}"#
        )
    );
    assert_eq!(id.len(), 20);
    assert_eq!(running.get(&format!("{PATH}/{id}")).text, answer.text);
}

#[test]
fn dynamic_zones_are_stored_faithfully_and_marked_as_not_enforced() {
    let running = Running::new();
    let zone = json!({
        "type": "DYNAMIC_V2", "name": "services", "usage": "BLOCKLIST", "asns": {},
        "ipServiceCategories": {"include": ["ALL_IP_SERVICES", "A_NEW_ONE"], "exclude": ["SURFSHARK_VPN"]},
        "locations": {"include": [{"country": "US"}, {"country": "AF", "region": "AF-BGL"}]},
    });
    let answer = running.post(PATH, &zone);
    let zone = answer.ok();
    assert_eq!(zone["asns"], json!({"include": [], "exclude": []}));
    assert_eq!(
        zone["locations"]["include"],
        json!([{"country": "AF", "region": "AF-BGL"}, {"country": "US", "region": null}])
    );
    assert_eq!(zone["ipServiceCategories"]["include"][1], "A_NEW_ONE");
    assert_eq!(answer.header("x-threatinsight-not-enforced"), id(&zone));
    let decision = running
        .post("/v1/decisions", &json!({"chain": "203.0.113.7"}))
        .ok();
    assert_eq!(decision["notEnforced"], json!([id(&zone)]));

    running
        .post_nothing(&format!("{PATH}/{}/lifecycle/deactivate", id(&zone)))
        .ok();
    let decision = running
        .post("/v1/decisions", &json!({"chain": "203.0.113.7"}))
        .ok();
    assert_eq!(decision.get("notEnforced"), None);

    let tor = json!({"type": "DYNAMIC", "name": "tor", "proxyType": "TorAnonymizer"});
    let tor = running.post(PATH, &tor).ok();
    assert_eq!(
        (&tor["proxyType"], &tor["locations"], tor.get("asns")),
        (&json!("TorAnonymizer"), &Value::Null, None)
    );
}

#[test]
fn a_replacement_drops_what_it_does_not_say() {
    let running = Running::new();
    let mut body = office();
    body["proxies"] = json!([{"type": "CIDR", "value": "192.0.2.1/32"}]);
    let zone = running.post(PATH, &body).ok();
    let path = format!("{PATH}/{}", id(&zone));
    let body = json!({"type": "IP", "name": "branch", "id": "nzoOther", "system": true,
        "status": "INACTIVE", "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]});
    let replaced = running.put(&path, &body).ok();
    assert_eq!(replaced["id"], zone["id"]);
    assert_eq!(replaced["name"], "branch");
    assert_eq!(replaced["proxies"], Value::Null);
    assert_eq!(replaced["system"], false);
    assert_eq!(replaced["status"], "INACTIVE");
    assert_eq!(replaced["created"], zone["created"]);

    let other_type = json!({"type": "DYNAMIC", "name": "branch", "proxyType": "Tor"});
    let (status, code, _) = running.put(&path, &other_type).refused();
    assert_eq!((status, code.as_str()), (400, "E0000001"));
}

#[test]
fn the_lifecycle_ends_in_a_zone_that_is_gone() {
    let running = Running::new();
    let zone = running.post(PATH, &office()).ok();
    let path = format!("{PATH}/{}", id(&zone));
    let active = "is an active zone. Active zones cannot be deleted.";
    let answer = running.delete(&path);
    assert_eq!(
        answer.refused(),
        (
            400,
            "E0000001".to_owned(),
            vec![format!("id: The zone: {} {active}", id(&zone))]
        )
    );
    assert_eq!(
        answer.json()["errorSummary"],
        format!("Api validation failed: The zone: office {active}")
    );

    let inactive = running
        .post_nothing(&format!("{path}/lifecycle/deactivate"))
        .ok();
    assert_eq!(inactive["status"], "INACTIVE");
    assert_eq!(
        inactive["_links"]["activate"]["hints"]["allow"],
        json!(["POST"])
    );
    assert_eq!(inactive["_links"].get("deactivate"), None);
    // Deactivating again is no mistake.
    running
        .post_nothing(&format!("{path}/lifecycle/deactivate"))
        .ok();

    let configuration = "/api/v1/threats/configuration";
    running
        .post(
            configuration,
            &json!({"action": "block", "excludeZones": [id(&zone)]}),
        )
        .ok();
    let (status, code, causes) = running.delete(&path).refused();
    assert_eq!((status, code.as_str()), (400, "E0000001"));
    assert!(
        causes[0].contains("excluded from ThreatInsight"),
        "{causes:?}"
    );
    running
        .post(configuration, &json!({"action": "block"}))
        .ok();

    let answer = running.delete(&path);
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let answer = running.get(&path);
    assert_eq!(answer.refused(), (404, "E0000007".to_owned(), vec![]));
    assert_eq!(
        answer.json()["errorSummary"],
        format!("Not found: Resource not found: {} (NetworkZone)", id(&zone))
    );
    for (event, count) in [
        ("zone.create", 1),
        ("zone.deactivate", 2),
        ("zone.delete", 1),
    ] {
        let query = format!("filter=eventType%20eq%20%22{event}%22");
        let events = running.events(&query, count);
        assert_eq!(events[0]["target"][0]["id"], zone["id"], "{event}");
    }
}

#[test]
fn what_is_not_a_zone_is_refused_with_its_place() {
    let running = Running::new();
    running.post(PATH, &office()).ok();
    let many = |count: usize| -> Value {
        (0..count)
            .map(|n| json!({"type": "CIDR", "value": format!("198.18.{}.{}/32", n / 256, n % 256)}))
            .collect()
    };
    for (body, code, cause) in [
        (
            json!({"name": "a"}),
            "E0000001",
            "type: The field cannot be left blank",
        ),
        (
            json!({"type": "IP"}),
            "E0000001",
            "name: The field cannot be left blank",
        ),
        (json!({"type": "MOON", "name": "a"}), "E0000003", ""),
        (
            json!({"type": "IP", "name": "a", "gateways": [{"type": "CIDR"}]}),
            "E0000003",
            "",
        ),
        (
            json!(["IP", "a", null, null, [{"type": "CIDR", "value": "192.0.2.0/24"}]]),
            "E0000003",
            "",
        ),
        (
            json!({"type": "IP", "name": "a", "gateways": [["CIDR", "192.0.2.0/24"]]}),
            "E0000003",
            "",
        ),
        (
            json!({"type": "IP", "name": "a", "usage": {"BLOCKLIST": null}, "gateways": many(1)}),
            "E0000003",
            "",
        ),
        (
            json!({"type": "DYNAMIC", "name": "a", "locations": [["DE", null]]}),
            "E0000003",
            "",
        ),
        (
            json!({"type": "DYNAMIC_V2", "name": "a", "locations": [null, null]}),
            "E0000003",
            "",
        ),
        (
            json!({"type": "DYNAMIC_V2", "name": "a", "ipServiceCategories": [["NORD_VPN"], []]}),
            "E0000003",
            "",
        ),
        (
            json!({"type": "IP", "name": "a"}),
            "E0000001",
            "gateways: An IP zone needs at least one gateway or proxy.",
        ),
        (
            office(),
            "E0000001",
            "name: The name: office is already in use by another network zone.",
        ),
        (
            json!({"type": "IP", "name": "x".repeat(129), "gateways": many(1)}),
            "E0000001",
            "name: The name may not be longer than 128 characters.",
        ),
        (
            json!({"type": "IP", "name": "a", "gateways": [{"type": "RANGE", "value": "1.2.3.4.5-1.2.3.6"}]}),
            "E0000001",
            "gateways: The IP: 1.2.3.4.5 in the RANGE: 1.2.3.4.5-1.2.3.6 is invalid. Make sure it is a valid IPV4 or IPV6.",
        ),
        (
            json!({"type": "IP", "name": "a", "proxies": [{"type": "CIDR", "value": "192.0.2.0/33"}]}),
            "E0000001",
            "proxies: The IP: 192.0.2.0/33 in the CIDR: 192.0.2.0/33 is invalid. Make sure it is a valid IPV4 or IPV6.",
        ),
        (
            json!({"type": "IP", "name": "a", "gateways": many(151)}),
            "E0000001",
            "gateways: No more than 150 gateways may be included in the network zone.",
        ),
        (
            json!({"type": "IP", "name": "a", "usage": "BLOCKLIST", "gateways": many(1_001)}),
            "E0000001",
            "gateways: No more than 1000 gateways may be included in the network zone.",
        ),
        (
            json!({"type": "DYNAMIC", "name": "a", "asns": vec!["1"; 76]}),
            "E0000001",
            "asns: No more than 75 asns may be included in a Location Zone.",
        ),
        (
            json!({"type": "DYNAMIC", "name": "a", "asns": [], "locations": [], "proxyType": ""}),
            "E0000001",
            "locations: A dynamic zone needs a location, an ASN or a proxy type.",
        ),
    ] {
        let (status, found, causes) = running.post(PATH, &body).refused();
        assert_eq!((status, found.as_str()), (400, code), "{body:.200}");
        assert_eq!(
            causes.first().map_or("", String::as_str),
            cause,
            "{body:.200}"
        );
    }
    assert_eq!(running.get(PATH).ok().as_array().unwrap().len(), 3);

    running
        .post(
            PATH,
            &json!({"type": "IP", "name": "b", "usage": "BLOCKLIST", "gateways": many(1_000)}),
        )
        .ok();
    for n in 4..100 {
        running
            .post(
                PATH,
                &json!({"type": "IP", "name": format!("zone {n}"), "gateways": many(1)}),
            )
            .ok();
    }
    let (_, _, causes) = running
        .post(
            PATH,
            &json!({"type": "IP", "name": "c", "gateways": many(1)}),
        )
        .refused();
    assert_eq!(
        causes,
        ["name: No more than 100 network zones may be created."]
    );
}

#[test]
fn the_list_is_newest_first_and_paged_by_links() {
    let running = Running::new();
    for name in ["a", "b", "c"] {
        let zone = json!({"type": "IP", "name": name, "gateways": [{"type": "CIDR", "value": "192.0.2.0/24"}]});
        running.post(PATH, &zone).ok();
    }
    let names = |zones: Value| -> Vec<String> {
        zones
            .as_array()
            .unwrap()
            .iter()
            .map(|zone| zone["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut next = Some(format!("{PATH}?limit=2"));
    let mut pages = Vec::new();
    while let Some(url) = next {
        let answer = running.get(&url);
        assert!(answer.link("self").unwrap().contains("limit=2"));
        next = answer.link("next");
        let page = answer.ok();
        // The list goes on though the last zone of a page is gone by then.
        if pages.is_empty() {
            let id = page[1]["id"].as_str().unwrap();
            let body = json!({});
            running
                .post(&format!("{PATH}/{id}/lifecycle/deactivate"), &body)
                .ok();
            assert_eq!(running.delete(&format!("{PATH}/{id}")).status, 204);
        }
        pages.push(names(page));
    }
    assert_eq!(
        pages,
        [
            vec!["c", "b"],
            vec!["a", "BlockedIpZone"],
            vec!["LegacyIpZone"]
        ]
    );

    let filtered = |filter: &str| names(running.get(&format!("{PATH}?filter={filter}")).ok());
    assert_eq!(filtered("usage%20eq%20%22BLOCKLIST%22"), ["BlockedIpZone"]);
    assert_eq!(
        filtered("system+eq+true+and+usage+eq+%22POLICY%22"),
        ["LegacyIpZone"]
    );
    for (query, code) in [
        ("filter=name%20eq%20%22a%22", "E0000031"),
        ("filter=usage%20eqq%20%22a%22", "E0000031"),
        ("after=nzoNone", "E0000029"),
        ("limit=0", "E0000001"),
    ] {
        let (status, found, _) = running.get(&format!("{PATH}?{query}")).refused();
        assert_eq!((status, found.as_str()), (400, code), "{query}");
    }
}

#[test]
fn system_zones_stay_and_the_exempt_zone_is_replaced_by_its_own_rule() {
    let running = Running::with(|options| {
        options.exempt_zone = true;
        options.enhanced_zone = true;
    });
    let zones = running.get(PATH).ok();
    let zone = |name: &str| {
        let zones = zones.as_array().unwrap().iter();
        zones
            .clone()
            .find(|zone| zone["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(zone("DefaultEnhancedDynamicZone")["status"], "INACTIVE");
    let blocked = zone("BlockedIpZone");
    assert_eq!(
        (&blocked["usage"], &blocked["gateways"], &blocked["system"]),
        (&json!("BLOCKLIST"), &Value::Null, &json!(true))
    );
    running
        .post_nothing(&format!("{PATH}/{}/lifecycle/deactivate", id(&blocked)))
        .ok();
    assert_eq!(
        running.delete(&format!("{PATH}/{}", id(&blocked))).status,
        400
    );

    let path = format!("{PATH}/{}", id(&zone("DefaultExemptIpZone")));
    let mut body = json!({"type": "IP", "name": "DefaultExemptIpZone",
        "gateways": [{"type": "CIDR", "value": "203.0.113.0/28"}]});
    let (_, _, causes) = running.put(&path, &body).refused();
    assert_eq!(
        causes,
        ["useAsExemptList: The network zone does not allow usage changes for DefaultExemptIpZone."]
    );
    body["useAsExemptList"] = json!(true);
    let exempt = running.put(&path, &body).ok();
    assert_eq!(
        (&exempt["useAsBlackList"], &exempt["useAsExemptList"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(running.get(&path).ok().get("useAsExemptList"), None);

    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running.trust_loopback();
    running
        .post("/api/v1/threats/configuration", &json!({"action": "block"}))
        .ok();
    assert_eq!(running.authorize("203.0.113.7"), 200);
    assert_eq!(running.authorize("203.0.113.77"), 403);
}

#[test]
fn without_its_option_the_exempt_zone_exempts_nothing() {
    let running = Running::with(|options| options.exempt_zone = true);
    let zones = running.get(PATH).ok();
    let mut zones = zones.as_array().unwrap().iter();
    let exempt = zones.find(|zone| zone["name"] == "DefaultExemptIpZone");
    let path = format!("{PATH}/{}", id(exempt.unwrap()));
    let body = json!({"type": "IP", "name": "DefaultExemptIpZone", "useAsExemptList": true,
        "gateways": [{"type": "CIDR", "value": "203.0.113.7/32"}]});
    running.put(&path, &body).ok();
    running.put_feed("scanners", "203.0.113.0/24\n").ok();
    running.trust_loopback();
    let block = json!({"action": "block"});
    running.post("/api/v1/threats/configuration", &block).ok();
    assert_eq!(running.authorize("203.0.113.7"), 200);

    let running = running.restart();
    assert_eq!(running.authorize("203.0.113.7"), 403);
    // Nor does it after the next change.
    running.post("/api/v1/threats/configuration", &block).ok();
    assert_eq!(running.authorize("203.0.113.7"), 403);
    assert_eq!(running.get(&path).ok()["gateways"], body["gateways"]);

    let running = running.restart_with(|options| options.exempt_zone = true);
    assert_eq!(running.authorize("203.0.113.7"), 200);
}

#[test]
fn a_zone_with_the_name_of_a_system_zone_stops_a_start_that_asks_for_that_one() {
    let running = Running::new();
    let mut body = office();
    body["name"] = json!("DefaultExemptIpZone");
    let path = format!("{PATH}/{}", id(&running.post(PATH, &body).ok()));
    let start = || {
        let store = Location::Directory(running.directory.path().to_owned());
        let mut options = Options::new("127.0.0.1:0".parse().unwrap(), store);
        options.exempt_zone = true;
        running.block_on(Service::start(options))
    };
    let error = start().unwrap_err().to_string();
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(
        error,
        format!(
            "store: zone {id}: called `DefaultExemptIpZone`, as the system zone that was asked \
             for; start without that one and rename this one"
        )
    );
    running.put(&path, &office()).ok();
    running.block_on(start().unwrap().stop());
}
