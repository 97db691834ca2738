"""Real gateways with the configurations of examples/gateways, against one decision service."""

import argparse
import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

from bed import HERE, Api, Bed, Client, await_agent, await_that, once
from soak import soak

CASES = [json.loads(line) for line in open(HERE.parent / "data" / "gateways.jsonl")]

# name: (its class in tests/data/gateways.jsonl, its documented port, its answer when the service
# does not answer). These hand over the client that they have resolved.
RESOLVING = {
    "nginx": ("edge", 18101, 500),
    "nginx, open": ("edge", 18102, 200),
    "nginx realip": ("behind", 18103, 500),
    "nginx PROXY": ("proxy", 18104, 500),
    "caddy": ("edge", 18201, 502),
    "caddy, open": ("edge", 18202, 200),
    "haproxy": ("edge", 18301, 503),
    "haproxy, open": ("edge", 18302, 200),
    "haproxy set-src": ("behind", 18303, 503),
    "haproxy PROXY": ("proxy", 18304, 503),
    "envoy http": ("edge", 18401, 503),
    "envoy http, open": ("edge", 18402, 200),
    "envoy http behind": ("envoy behind", 18403, 503),
    "envoy http PROXY": ("proxy", 18404, 503),
    "envoy grpc": ("edge", 18501, 503),
    "envoy grpc, open": ("edge", 18502, 200),
    "envoy grpc behind": ("envoy behind", 18503, 503),
}
# These hand over the chain.
CHAIN = {
    "nginx chain": ("chain", 18105, 500),
    "caddy chain": ("chain", 18203, 502),
    "envoy http chain": ("chain", 18405, 503),
}
# These decide themselves; beside each is the port of its administration.
IN_PROCESS = {
    "pingora": ("chain", 18601, None),
    "axum": ("chain", 18701, None),
}

LOAD_BALANCER = "127.0.0.2"
# Listed for what counts in authentication requests alone: every client asks with `?kind=other`, and none may choose.
FEED = "".join(
    json.dumps({"prefix": prefix, "patterns": ["Password Spray"]}) + "\n"
    for prefix in ("203.0.113.0/24", "2001:db8:bad::/48", "127.0.0.66", "127.0.0.77")
)
# As it reaches an edge by itself, and as a load balancer names it.
LISTED = ("127.0.0.66", "203.0.113.7")
FREE = ("127.0.0.10", "198.51.100.7")
OFFICE = ("127.0.0.77", "203.0.113.77")


class Administration:
    """One service and what it was told: a list, trusted proxies, and an office to be excluded."""

    def __init__(self, api):
        self.api = api
        proxies = cidrs("127.0.0.1", LOAD_BALANCER)
        api.put_feed("scanners", FEED)
        api.add_zone(name="gateways", proxies=proxies)
        self.office = api.add_zone(name="office", gateways=cidrs(*OFFICE), proxies=proxies)
        api.configure("block", self.office)

    # What to change, and the answers to the listed client and to the office from then on.
    STEPS = [
        ("block", lambda self: self.api.configure("block"), 403, 403),
        ("none", lambda self: self.api.configure("none"), 200, 200),
        ("block again", lambda self: self.api.configure("block"), 403, 403),
        ("audit", lambda self: self.api.configure("audit"), 200, 200),
        ("office excluded", lambda self: self.api.configure("block", self.office), 403, 200),
        ("another list", lambda self: self.api.put_feed("scanners", "192.0.2.0/24\n"), 200, 200),
        ("the list", lambda self: self.api.put_feed("scanners", FEED), 403, 200),
    ]


def cidrs(*addresses):
    return [{"type": "CIDR", "value": f"{address}/32"} for address in addresses]


def takes(kind, case):
    """Whether a case is about a class of gateway."""
    if kind == "proxy":
        return case["at"] == "proxy"
    return case["at"] == "edge" or (case["at"] == "behind" and kind != "edge")


def expected(case, *keys):
    """The status for the first of `keys` that a case knows."""
    return next(case["expect"][key] for key in (*keys, "*") if key in case["expect"])


def arrive(kind, client):
    """Source, header lines and PROXY line with which a client reaches a class of gateway."""
    if kind == "proxy":
        return LOAD_BALANCER, [], f"TCP4 {client[1]} 127.0.0.1 4711 80"
    if kind.endswith("behind"):
        return LOAD_BALANCER, [("X-Forwarded-For", client[1])], None
    return client[0], [], None


def check_reasons():
    for case in CASES:
        differing = {key for key, status in case["expect"].items() if status != case["expect"]["*"]}
        given = set(case.get("because", {}))
        assert differing == given, f"{case['name']}: reasons for {given}, expected for {differing}"


def corpus(bed, gateways):
    """Every case through every gateway that it is about."""
    failures, count = [], 0
    for name, (kind, port, _) in gateways.items():
        for case in filter(lambda case: takes(kind, case), CASES):
            expect = expected(case, name, kind, name.split()[0])
            method = case.get("method", "GET")
            body = b"x" * 100_000 if method == "POST" else b""
            request = (case["peer"], case.get("headers", ()), case.get("proxy"))
            found, text = once(bed.port(port), *request, method=method, body=body)
            count += 1
            if found != expect or (found == 200) != (text == b"application\n"):
                failures.append(f"{name}: {case['name']}: found {found}, expected {expect}")
    assert not failures, "\n".join(failures)
    print(f"corpus: {count} cases through {' | '.join(gateways)}")


def traefik(bed):
    """What Traefik's ForwardAuth sends for every case: there is no Traefik here, only its headers.

    At an edge its entry point drops forwarded headers, and trustForwardHeader is off. Behind the
    load balancer its entry point trusts that one, and trustForwardHeader is on.
    """
    failures, count = [], 0
    for case in CASES:
        if case["at"] == "proxy":
            continue
        headers = case.get("headers", ())
        lines = [value for name, value in headers if name == "X-Forwarded-For"]
        hops = lines if case["at"] == "behind" and case["peer"] == LOAD_BALANCER else []
        asked = [
            ("X-Forwarded-For", ", ".join([*hops, case["peer"]])),
            ("X-Forwarded-Method", case.get("method", "GET")),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "example.test"),
            ("X-Forwarded-Uri", "/path?kind=other"),
            ("X-Real-Ip", case["peer"]),
            ("Accept-Encoding", "gzip"),
        ]
        expect = expected(case, "traefik", "chain")
        found, text = once(bed.port(18081), "127.0.0.1", asked, path="/v1/authorize")
        count += 1
        if found != expect or (found == 200 and text):
            failures.append(f"traefik: {case['name']}: found {found}, expected {expect}")
    assert not failures, "\n".join(failures)
    print(f"corpus: {count} cases as Traefik would ask")


def told(bed, api, gateways):
    """The log has the URL that was asked, whatever a client writes into headers about it."""
    forged = [(name, "/forged") for name in ("X-Forwarded-Uri", "X-Original-Uri")]
    for name, (kind, port, _) in gateways.items():
        source, headers, proxy = arrive(kind, LISTED)
        # No text to whoever takes headers for ASCII. HAProxy and Envoy refuse such a URL.
        headers = [*headers, *forged, ("User-Agent", "scan/1 é")]
        path = f"/told/{port}" + ("?é" if name.startswith(("nginx", "caddy")) else "")
        once(bed.port(port), source, headers, proxy, path=path)
        query = urlencode({"filter": f'debugContext.debugData.url eq "{path}"'})

        def logged():
            return json.loads(api.ask("GET", f"/api/v1/logs?{query}")[1])

        await_that(f"{name} tells of {path}", logged)
        # Over HTTP Envoy passes on no header that it is not told to.
        agent = (logged()[0]["client"]["userAgent"] or {}).get("rawUserAgent")
        assert agent == "scan/1 é" or name.startswith("envoy http"), f"{name}: found {agent}"
    print(f"told: {' | '.join(gateways)}")


def dynamic_metadata(bed):
    """Envoy's access log has what was decided, as dynamic metadata."""
    for line in ("127.0.0.66 403 block listed scanners", "127.0.0.10 200 allow not-listed -"):
        await_that(f"Envoy logs `{line}`", lambda: line in bed.log("envoy-grpc").splitlines())


def obedience(bed, gateways, administrations):
    """The next request obeys a change, on connections that were open before and on new ones."""
    open_before = {
        (name, client): Client(bed.port(port), *arrive(kind, client))
        for name, (kind, port, _) in gateways.items()
        for client in (LISTED, OFFICE)
    }
    for change, make, *statuses in Administration.STEPS:
        for administration in administrations:
            make(administration)
        for name, (kind, port, _) in gateways.items():
            for client, expect in zip((LISTED, OFFICE), statuses):
                before, _ = open_before[name, client].ask()
                new, _ = once(bed.port(port), *arrive(kind, client))
                found = (before, new)
                told = f"{name}, {change}, {client}: found {found}, expected {expect} twice"
                assert found == (expect, expect), told
    for client in open_before.values():
        client.close()
    print(f"obedience: {len(Administration.STEPS)} changes, {' | '.join(gateways)}")


def away(bed, gateways, in_process):
    """The service hangs, then is gone: each gateway answers as its configuration says."""

    def ask(state, statuses):
        asked = [(*each, client) for each in gateways.items() for client in (LISTED, FREE)]

        def one(asked):
            name, (kind, port, status), client = asked
            found, _ = once(bed.port(port), *arrive(kind, client))
            told = f"{name}, service {state}, {client}: found {found}, expected {status}"
            assert found in statuses(status), told

        # All at once, because each waits for its time limit.
        with ThreadPoolExecutor(len(asked)) as pool:
            list(pool.map(one, asked))
        for name, (kind, port, _) in in_process.items():
            found = [once(bed.port(port), *arrive(kind, client))[0] for client in (LISTED, FREE)]
            assert found == [403, 200], f"{name}, service {state}: found {found}"

    service = bed.processes["service"]
    service.send_signal(signal.SIGSTOP)
    try:
        stat = Path(f"/proc/{service.pid}/stat")
        await_that("the service hangs", lambda: stat.read_text().rpartition(") ")[2][0] == "T")
        ask("hangs", lambda status: (200,) if status == 200 else (500, 502, 503, 504))
    finally:
        service.send_signal(signal.SIGCONT)
    bed.stop("service")
    ask("is gone", lambda status: (status,))
    print(f"away: {' | '.join(gateways)}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--soak", type=float, default=20, metavar="SECONDS")
    arguments = arguments.parse_args()
    check_reasons()
    with Bed() as bed:
        bed.start_application()
        bed.nginx("nginx.conf", range(18101, 18106))
        bed.caddy("Caddyfile", range(18201, 18204))
        bed.haproxy("haproxy.cfg", range(18301, 18305))
        bed.envoy("envoy-http.yaml", range(18401, 18406))
        bed.envoy("envoy-grpc.yaml", range(18501, 18504))
        for name, (_, port, _) in IN_PROCESS.items():
            bed.in_process(name, port)
        beside = [Administration(Api(bed.port(port + 1))) for _, port, _ in IN_PROCESS.values()]

        service = Administration(bed.service("--client-from", "x-real-ip"))
        await_agent(bed)
        corpus(bed, RESOLVING | IN_PROCESS)
        dynamic_metadata(bed)
        told(bed, service.api, RESOLVING)
        obedience(bed, RESOLVING | IN_PROCESS, [service, *beside])
        soak(bed, "nginx", service.api, "service", 18101, arguments.soak / 2)
        for (name, (_, port, _)), administration in zip(IN_PROCESS.items(), beside):
            seconds = arguments.soak / 2 / len(IN_PROCESS)
            soak(bed, name, administration.api, name, port, seconds)
        away(bed, RESOLVING, IN_PROCESS)

        # The same data, and the other way to hand over who asks.
        service.api = bed.service("--on-unknown-client", "block")
        service.api.put_feed("scanners", FEED)
        corpus(bed, CHAIN)
        traefik(bed)
        told(bed, service.api, CHAIN)
        obedience(bed, CHAIN, [service])
        away(bed, CHAIN, {})


main()
