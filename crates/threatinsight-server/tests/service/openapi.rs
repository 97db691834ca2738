use std::collections::BTreeSet;

use serde_json::Value;

use crate::running::Running;

/// The paths that the sources of the router name, without those below `/v1/authorize`: a path that stands for all below
/// it cannot be described.
fn routes() -> BTreeSet<String> {
    let sources = [
        include_str!("../../src/api.rs"),
        include_str!("../../src/api/operations.rs"),
    ];
    let text = sources.concat();
    let routes = text
        .split(".route(")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1));
    let routes = routes.filter(|route| !route.starts_with("/v1/authorize/"));
    routes.map(str::to_owned).collect()
}

#[test]
fn the_description_has_every_route_and_every_method_and_no_other() {
    let mut running = Running::new();
    running.token = String::new();
    let document = running.get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.keys().cloned().collect::<BTreeSet<_>>(), routes());

    for (path, operations) in paths {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let operation: Option<&Value> = operations.get(method.to_lowercase());
            let url = path
                .replace("{id}", "nzo1")
                .replace("{name}", "a")
                .replace("{address}", "192.0.2.1");
            let status = running.ask(method, &url).status;
            let described = operation.is_some();
            assert_eq!(status != 405, described, "{method} {path}: {status}");
            if let Some(operation) = operation {
                let open = operation["security"] == Value::Array(Vec::new());
                assert_eq!(status != 401, open, "{method} {path}: {status}");
            }
        }
    }
}
