//! `_links` in objects, and `Link` headers of lists.

use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use threatinsight::{Hints, Link, Links, NetworkZone, ZoneStatus};

const NOT_IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn link(href: String, allow: &[&str]) -> Option<Link> {
    let allow = allow.iter().map(|method| (*method).to_owned()).collect();
    Some(Link {
        href,
        hints: Some(Hints { allow }),
    })
}

/// The links of the configuration.
pub(super) fn of_configuration(base: &str) -> Links {
    Links {
        this: link(
            format!("{base}/api/v1/threats/configuration"),
            &["GET", "POST"],
        ),
        ..Links::default()
    }
}

/// `zone` with its links.
pub(super) fn with_links(base: &str, zone: &NetworkZone) -> NetworkZone {
    let mut zone = zone.clone();
    let head = zone.head();
    let this = format!(
        "{base}/api/v1/zones/{}",
        head.id.as_deref().unwrap_or_default()
    );
    let lifecycle = |step| link(format!("{this}/lifecycle/{step}"), &["POST"]);
    let (activate, deactivate) = match head.status {
        ZoneStatus::Active => (None, lifecycle("deactivate")),
        ZoneStatus::Inactive => (lifecycle("activate"), None),
    };
    let all = Some(Links {
        activate,
        deactivate,
        this: link(this, &["GET", "PUT", "DELETE"]),
    });
    match &mut zone {
        NetworkZone::Ip(zone) => zone.links = all,
        NetworkZone::Dynamic(zone) => zone.links = all,
        NetworkZone::DynamicV2(zone) => zone.links = all,
    }
    zone
}

/// `path` with `query`, and with `after` in place of the query's own.
pub(super) fn page(
    base: &str,
    path: &str,
    query: &[(String, String)],
    after: Option<&str>,
) -> String {
    let kept = query.iter().filter(|(name, _)| name != "after");
    let pairs = kept.map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs = pairs.chain(after.map(|after| ("after", after)));
    let mut url = format!("{base}{path}");
    for (place, (name, value)) in pairs.enumerate() {
        url.push(if place == 0 { '?' } else { '&' });
        url.extend(utf8_percent_encode(name, NOT_IN_QUERY));
        url.push('=');
        url.extend(utf8_percent_encode(value, NOT_IN_QUERY));
    }
    url
}

/// Adds `Link: <url>; rel="rel"`.
pub(super) fn add(headers: &mut HeaderMap, url: &str, rel: &str) {
    if let Ok(value) = HeaderValue::from_str(&format!("<{url}>; rel=\"{rel}\"")) {
        headers.append(LINK, value);
    }
}
