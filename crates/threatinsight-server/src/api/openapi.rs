//! The description of the API that `/openapi.json` serves. A test compares it with the routes.
//!
//! Okta's own objects are described by what clients of it need to know; Okta's OpenAPI document
//! has the rest.

use serde_json::{Map, Value, json};

use crate::scope::Scope;

/// One operation: method, path, id, summary, scope, and the schema of its body if it has one.
type Operation = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<Scope>,
    Option<&'static str>,
);

const OPERATIONS: [Operation; 21] = [
    (
        "get",
        "/api/v1/threats/configuration",
        "getCurrentConfiguration",
        "Read the configuration",
        Some(Scope::ThreatInsightsRead),
        None,
    ),
    (
        "post",
        "/api/v1/threats/configuration",
        "updateConfiguration",
        "Replace the configuration",
        Some(Scope::ThreatInsightsManage),
        Some("Configuration"),
    ),
    (
        "get",
        "/api/v1/zones",
        "listNetworkZones",
        "List zones, newest first",
        Some(Scope::NetworkZonesRead),
        None,
    ),
    (
        "post",
        "/api/v1/zones",
        "createNetworkZone",
        "Create a zone",
        Some(Scope::NetworkZonesManage),
        Some("NetworkZone"),
    ),
    (
        "get",
        "/api/v1/zones/{id}",
        "getNetworkZone",
        "Read a zone",
        Some(Scope::NetworkZonesRead),
        None,
    ),
    (
        "put",
        "/api/v1/zones/{id}",
        "replaceNetworkZone",
        "Replace a zone",
        Some(Scope::NetworkZonesManage),
        Some("NetworkZone"),
    ),
    (
        "delete",
        "/api/v1/zones/{id}",
        "deleteNetworkZone",
        "Delete an inactive zone",
        Some(Scope::NetworkZonesManage),
        None,
    ),
    (
        "post",
        "/api/v1/zones/{id}/lifecycle/activate",
        "activateNetworkZone",
        "Activate a zone",
        Some(Scope::NetworkZonesManage),
        None,
    ),
    (
        "post",
        "/api/v1/zones/{id}/lifecycle/deactivate",
        "deactivateNetworkZone",
        "Deactivate a zone",
        Some(Scope::NetworkZonesManage),
        None,
    ),
    (
        "get",
        "/api/v1/logs",
        "listLogEvents",
        "Query the System Log",
        Some(Scope::LogsRead),
        None,
    ),
    (
        "get",
        "/v1/feeds",
        "listFeeds",
        "List feeds",
        Some(Scope::FeedsRead),
        None,
    ),
    (
        "get",
        "/v1/feeds/{name}",
        "getFeed",
        "Read what is known about a feed, or its text",
        Some(Scope::FeedsRead),
        None,
    ),
    (
        "put",
        "/v1/feeds/{name}",
        "replaceFeed",
        "Upload a feed",
        Some(Scope::FeedsManage),
        Some("FeedText"),
    ),
    (
        "delete",
        "/v1/feeds/{name}",
        "deleteFeed",
        "Delete a feed",
        Some(Scope::FeedsManage),
        None,
    ),
    (
        "get",
        "/v1/listed/{address}",
        "getListed",
        "Who lists an address, and since when",
        Some(Scope::FeedsRead),
        None,
    ),
    (
        "post",
        "/v1/decisions",
        "decide",
        "Judge request chains",
        Some(Scope::DecisionsRead),
        Some("Question"),
    ),
    (
        "get",
        "/v1/authorize",
        "authorize",
        "Judge this request as a gateway forwards it: 200 or 403; the same with every method, and at every path below",
        None,
        None,
    ),
    (
        "get",
        "/livez",
        "livez",
        "Whether the process lives",
        None,
        None,
    ),
    (
        "get",
        "/readyz",
        "readyz",
        "Whether what is stored is served",
        None,
        None,
    ),
    (
        "get",
        "/metrics",
        "metrics",
        "Metrics for Prometheus",
        None,
        None,
    ),
    (
        "get",
        "/openapi.json",
        "openapi",
        "This description",
        None,
        None,
    ),
];

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (method, path, id, summary, scope, body) in OPERATIONS {
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        let names = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = names
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let mut operation = json!({
            "operationId": id,
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "2XX": {"description": "done"},
                "4XX": {
                    "description": "refused",
                    "content": {"application/json": {"schema": reference("Error")}},
                },
            },
            "security": scope.map_or_else(
                || json!([]),
                |scope| json!([{"apiToken": []}, {"bearer": [scope.name()]}]),
            ),
        });
        if let (Some(schema), Some(members)) = (body, operation.as_object_mut()) {
            let kind = if schema == "FeedText" {
                "text/plain"
            } else {
                "application/json"
            };
            let content = json!({kind: {"schema": reference(schema)}});
            members.insert(
                "requestBody".to_owned(),
                json!({"required": true, "content": content}),
            );
        }
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(method.to_owned(), operation);
        }
    }
    // Some gateways ask with the method of their client.
    if let Some(authorize) = paths
        .get_mut("/v1/authorize")
        .and_then(Value::as_object_mut)
    {
        let get = authorize.get("get").cloned().unwrap_or_default();
        for method in ["delete", "head", "options", "patch", "post", "put"] {
            let mut operation = get.clone();
            if let Some(id) = operation.get_mut("operationId") {
                *id = json!(format!("authorize-{method}"));
            }
            authorize.insert(method.to_owned(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "ThreatInsight", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {"schemas": schemas(), "securitySchemes": {
            "apiToken": {
                "type": "apiKey", "in": "header", "name": "Authorization",
                "description": "`SSWS` and the token",
            },
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        }},
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn schemas() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let addresses = json!({"type": ["array", "null"], "items": {
        "type": "object", "required": ["type", "value"],
        "properties": {"type": {"enum": ["CIDR", "RANGE"]}, "value": text},
    }});
    json!({
        "Configuration": {"type": "object", "required": ["action"], "properties": {
            "action": {"enum": ["none", "audit", "block"]},
            "excludeZones": {"type": ["array", "null"], "items": text},
        }},
        "NetworkZone": {"type": "object", "required": ["type", "name"], "properties": {
            "type": {"enum": ["IP", "DYNAMIC", "DYNAMIC_V2"]},
            "name": {"type": "string", "maxLength": 128},
            "status": {"enum": ["ACTIVE", "INACTIVE"]},
            "usage": {"enum": ["POLICY", "BLOCKLIST"]},
            "gateways": addresses,
            "proxies": addresses,
        }},
        "Question": {"type": "object", "properties": {
            "chain": {"type": "string", "description": "hops with commas between them, the peer last"},
            "chains": texts,
            "kind": {"enum": ["authentication", "other"]},
            "explain": {"type": "boolean"},
        }},
        "FeedText": {"type": "string", "description": "one address, prefix or range in a line, or JSON lines"},
        "Error": {"type": "object", "properties": {
            "errorCode": text, "errorSummary": text, "errorLink": text, "errorId": text,
            "errorCauses": {"type": "array", "items": {
                "type": "object", "properties": {"errorSummary": text},
            }},
        }},
    })
}
