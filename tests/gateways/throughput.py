"""Requests a second through each gateway: without a filter, with its own list, and with this one.

Prints the table of docs/gateways/throughput.md. Every client is one that is not listed.
"""

import argparse
import json
import os
import random
import re
import subprocess
import time
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

from bed import EXAMPLES, Api, Bed, await_agent, once

ENTRIES = 100_000
WITHOUT = "no filter"
NATIVE = {"geo", "src -f", "RBAC", "ip_tagging"}
IN_PROCESS = {"pingora": 18601, "axum": 18701}


def prefixes():
    """94 % IPv4 hosts, 5 % IPv4 /24, 1 % IPv6 hosts; none is on loopback."""
    chance, found = random.Random(5), set()
    while len(found) < ENTRIES:
        if len(found) < ENTRIES * 94 // 100:
            found.add(f"{IPv4Address(chance.randrange(1 << 24, 100 << 24))}/32")
        elif len(found) < ENTRIES * 99 // 100:
            found.add(f"{IPv4Address(chance.randrange(1 << 16, 100 << 16) << 8)}/24")
        else:
            found.add(f"{IPv6Address((0x2A00 << 112) + chance.getrandbits(100))}/128")
    return sorted(found)


def envoy(port, *filters):
    """An Envoy like the one of the examples, with other filters."""
    extensions = "type.googleapis.com/envoy.extensions.filters"
    manager = "network.http_connection_manager.v3.HttpConnectionManager"
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{extensions}.http.router.v3.Router"},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "application"}}
    address = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    connections = {
        "@type": f"{extensions}.{manager}",
        "stat_prefix": "edge",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*filters, router],
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}
    application = {
        "name": "application",
        "connect_timeout": "0.25s",
        "load_assignment": {
            "cluster_name": "application",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(18090)}}]}],
        },
    }
    listener = {"name": "edge", "address": address(port), "filter_chains": [{"filters": [network]}]}
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [application]}})


def ranges(listed):
    networks = map(ip_network, listed)
    return [{"address_prefix": str(n[0]), "prefix_len": n.prefixlen} for n in networks]


def rbac(listed):
    principals = [{"remote_ip": each} for each in ranges(listed)]
    policy = {"permissions": [{"any": True}], "principals": principals}
    kind = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
    rules = {"action": "DENY", "policies": {"listed": policy}}
    return {"name": "envoy.filters.http.rbac", "typed_config": {"@type": kind, "rules": rules}}


def ip_tagging(listed):
    kind = "type.googleapis.com/envoy.extensions.filters.http.ip_tagging.v3.IPTagging"
    tags = [{"ip_tag_name": "listed", "ip_list": ranges(listed)}]
    config = {"@type": kind, "request_type": "BOTH", "ip_tags": tags}
    return {"name": "envoy.filters.http.ip_tagging", "typed_config": config}


def without(text, pattern):
    """An example without what asks the service."""
    cut, count = re.subn(pattern, "", text, flags=re.MULTILINE)
    assert count, f"nothing like {pattern} to cut"
    return cut


def moved(text, by):
    """An example at other ports, to run beside the example itself."""
    return re.sub(r"\b18([1-7]\d\d)\b", lambda port: str(int(port[0]) + by), text)


def start(bed, listed):
    """Starts everything; a row each: gateway, path, port."""
    rows = []

    nginx = (EXAMPLES / "nginx.conf").read_text()
    plain = moved(without(nginx, r"^ *auth_request .*\n"), 10)
    lines = "".join(f"{prefix} 1;\n" for prefix in listed)
    (bed.directory / "geo.conf").write_text("geo $listed { default 0;\n" + lines + "}\n")
    native = re.sub(r"(listen [^;]*;)", r"\1 if ($listed) { return 403; }", moved(plain, 10))
    native = native.replace("http {", "http { include geo.conf;", 1)
    for path, text, port in (
        (WITHOUT, plain, 18111),
        ("geo", native, 18121),
        ("auth_request", nginx, 18101),
    ):
        name = f"nginx-{port}"
        configuration = bed.write(f"{name}.conf", text)
        bed.start(name, ["nginx", "-p", bed.prefix(name), "-c", configuration], [port])
        rows.append(("nginx", path, port))

    caddy = (EXAMPLES / "Caddyfile").read_text()
    bed.write("Caddyfile-plain", moved(without(caddy, r"^\tforward_auth(?:.*\n)*?\t}\n"), 10))
    for path, configuration, port in (
        (WITHOUT, "Caddyfile-plain", 18211),
        ("forward_auth", "Caddyfile", 18201),
    ):
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", configuration]
        bed.start(f"caddy-{port}", command, [port])
        rows.append(("Caddy", path, port))

    haproxy = (EXAMPLES / "haproxy.cfg").read_text()
    plain = moved(without(haproxy, r"^  (filter spoe|http-request) .*\n"), 10)
    (bed.directory / "listed.acl").write_text("".join(f"{prefix}\n" for prefix in listed))
    native = "  http-request deny deny_status 403 if { src -f listed.acl }\n"
    native = re.sub(r"(?m)^  bind .*\n", r"\g<0>" + native, moved(plain, 10))
    for path, text, port in (
        (WITHOUT, plain, 18311),
        ("src -f", native, 18321),
        ("SPOE", haproxy, 18301),
    ):
        bed.write(f"haproxy-{port}.cfg", text)
        bed.start(f"haproxy-{port}", ["haproxy", "-db", "-f", f"haproxy-{port}.cfg"], [port])
        rows.append(("HAProxy", path, port))

    for path, port, filters in (
        (WITHOUT, 18411, []),
        ("RBAC", 18412, [rbac(listed)]),
        ("ip_tagging", 18413, [ip_tagging(listed)]),
    ):
        bed.write(f"envoy-{port}.json", envoy(port, *filters))
        bed.envoy(f"envoy-{port}.json", [port])
        rows.append(("Envoy", path, port))
    bed.envoy("envoy-http.yaml", [18401])
    bed.envoy("envoy-grpc.yaml", [18502])
    # The gRPC listener that fails open is the one that writes no access log.
    rows += [("Envoy", "ext_authz over HTTP", 18401), ("Envoy", "ext_authz over gRPC", 18502)]

    for name, port in IN_PROCESS.items():
        bed.in_process(name, port + 10, "--unfiltered")
        bed.in_process(name, port)
        rows += [(name, WITHOUT, port + 10), (name, "in process", port)]
    return rows


def measure(port, seconds):
    """Requests a second, and the median and the 99th percentile of the latency."""
    url = f"http://127.0.0.1:{port}/"
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--timeout", "30s", "--latency", url]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Socket errors" not in report and "Non-2xx" not in report, report
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1])
    return rate, *(re.search(rf"(?m)^ +{centile}% +(\S+)", report)[1] for centile in (50, 99))


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    name = model[1] if model else "unknown processor"
    return f"{name}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, load {load} before"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=3, help="each measurement")
    arguments.add_argument("--rounds", type=int, default=5, help="measurements of each path")
    arguments = arguments.parse_args()
    print(machine(), end="\n\n")
    listed = prefixes()
    feed = "\n".join([*listed, "127.0.0.66", ""])
    with Bed() as bed:
        bed.start_application()
        services = [bed.service("--client-from", "x-real-ip")]
        rows = start(bed, [*listed, "127.0.0.66/32"])
        services += [Api(bed.port(port + 1)) for port in IN_PROCESS.values()]
        for api in services:
            api.put_feed("scanners", feed)
            api.configure("block")
        await_agent(bed)
        for gateway, path, port in rows:
            # A path that lets everything through would be fast.
            found = once(bed.port(port), "127.0.0.66")[0]
            expect = 200 if path in (WITHOUT, "ip_tagging") else 403
            assert found == expect, f"{gateway}, {path}: found {found}, expected {expect}"
        results = {row: [] for row in rows}
        for _ in range(arguments.rounds):
            for row in rows:
                results[row].append(measure(bed.port(row[2]), arguments.seconds))

    print("| gateway | path | requests/s | p50 | p99 | beside no filter | beside its own list |")
    print("|---|---|--:|--:|--:|--:|--:|")
    middle = {row[:2]: sorted(found)[len(found) // 2] for row, found in results.items()}
    for (gateway, path), (rate, p50, p99) in middle.items():
        beside = lambda other: f"{rate / middle[gateway, other][0]:.2f}"
        plain = "" if path == WITHOUT else beside(WITHOUT)
        own = [other for name, other in middle if name == gateway and other in NATIVE]
        own = [] if path in (WITHOUT, *own) else [f"{beside(other)} ({other})" for other in own]
        print(f"| {gateway} | {path} | {rate:,.0f} | {p50} | {p99} | {plain} | {', '.join(own)} |")


main()
