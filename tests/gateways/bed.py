"""Starts real gateways, the decision service and the application behind them on free ports."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "examples" / "gateways"
TOKEN = "an administrator token of the gateway tests"
PATIENCE = 60

# Every port in the examples, and every time limit: a loaded machine needs longer ones.
PORT = re.compile(r"\b18\d{3}\b")
LIMIT = re.compile(r"\b(250ms|0\.25s)\b")


class Bed:
    """A folder with the configurations on ports that are free, and the processes that use them."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="gateways-"))
        self.processes = {}
        # Gateways that are started as root let another user do the work.
        self.directory.chmod(0o755)
        sources = [*filter(Path.is_file, EXAMPLES.iterdir()), HERE / "upstream.conf"]
        texts = {source.name: source.read_text() for source in sources}
        self.shift = free_shift()
        for name, text in texts.items():
            self.write(name, text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.directory)

    def port(self, documented):
        """The port in use for one that the examples name."""
        return documented + self.shift

    def write(self, name, text):
        """Puts a configuration into the folder, with the ports and time limits in use."""
        path = self.directory / name
        text = PORT.sub(lambda port: str(self.port(int(port[0]))), text)
        path.write_text(LIMIT.sub("3s", text))
        return path

    def start(self, name, command, ports, **environment):
        """Starts a process and waits until it listens at each of `ports`, as documented."""
        log = open(self.directory / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [str(word) for word in command],
            cwd=self.directory,
            env={**os.environ, "HOME": str(self.directory), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        await_that(f"{name} listens", lambda: self.alive(name) and all(map(self.listens, ports)))

    def alive(self, name):
        code = self.processes[name].poll()
        assert code is None, f"{name} ended with {code}:\n{self.log(name)[-4000:]}"
        return True

    def log(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def listens(self, documented):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port(documented))) == 0

    def stop(self, name):
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{name} did not end:\n{self.log(name)[-4000:]}")

    def prefix(self, name):
        """A folder for what an nginx writes."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def start_application(self):
        configuration = self.directory / "upstream.conf"
        command = ["nginx", "-p", self.prefix("application"), "-c", configuration]
        self.start("application", command, [18090])

    def nginx(self, configuration, ports):
        command = ["nginx", "-p", self.prefix("nginx"), "-c", self.directory / configuration]
        self.start("nginx", command, ports)

    def caddy(self, configuration, ports):
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", configuration]
        self.start("caddy", command, ports)

    def haproxy(self, configuration, ports):
        self.start("haproxy", ["haproxy", "-db", "-f", configuration], ports)

    def envoy(self, configuration, ports):
        # Several Envoys on one machine need it.
        options = ["--disable-hot-restart", "--concurrency", "1", "-l", "error"]
        command = [os.environ["ENVOY"], "-c", configuration, *options]
        self.start(Path(configuration).stem, command, ports)

    def address(self, documented):
        return f"127.0.0.1:{self.port(documented)}"

    def in_process(self, name, port, *options):
        """A gateway that decides itself; its administration has the next port."""
        program = Path(os.environ["BUILT"]) / f"{name}-gateway"
        addresses = [self.address(each) for each in (port, 18090, port + 1)]
        process = " ".join([name, *options])
        command = [program, *addresses, self.directory / f"{process} data", *options]
        self.start(process, command, [port, port + 1], THREATINSIGHT_ADMIN_TOKEN=TOKEN)

    def service(self, *options):
        """The decision service, at the documented ports."""
        command = [os.environ["THREATINSIGHT"], "serve", "--data", self.directory / "data"]
        command += ["--listen", self.address(18080), "--decisions-listen", self.address(18081)]
        command += ["--ext-authz", self.address(18082), "--spoe", self.address(18083)]
        command += ["--rate-limit", 1_000_000_000, "--admission", "open", *options]
        self.start("service", command, range(18080, 18084), THREATINSIGHT_ADMIN_TOKEN=TOKEN)
        api = Api(self.port(18080))
        await_that("the service is ready", lambda: api.ask("GET", "/readyz")[0] == 200)
        return api


class Api:
    """The administration of one service."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Authorization": f"SSWS {TOKEN}", "Content-Type": kind}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def change(self, method, path, body, kind="application/json"):
        text = body if isinstance(body, str) else json.dumps(body)
        status, answer = self.ask(method, path, text, kind)
        assert status == 200, f"{method} {path}: found {status} {answer}, expected 200"
        return json.loads(answer)

    def put_feed(self, name, text):
        self.change("PUT", f"/v1/feeds/{name}", text, "text/plain")

    def add_zone(self, **zone):
        return self.change("POST", "/api/v1/zones", {"type": "IP", **zone})["id"]

    def configure(self, action, *exclude_zones):
        body = {"action": action, "excludeZones": exclude_zones}
        self.change("POST", "/api/v1/threats/configuration", body)


class Client:
    """A client with a source address, header lines and perhaps a PROXY line, on one connection."""

    def __init__(self, port, source, headers=(), proxy=None):
        self.port, self.source, self.headers, self.proxy = port, source, headers, proxy
        self.socket = None

    def ask(self, method="GET", path="/path?kind=other", body=b""):
        """The status and the body of the answer; `None` when the connection is closed without."""
        lines = [f"{method} {path} HTTP/1.1", "Host: example.test"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
        try:
            if self.socket is None:
                self.connect()
            self.socket.sendall(head.encode() + body)
            answer = http.client.HTTPResponse(self.socket, method=method)
            answer.begin()
            text = answer.read()
            if answer.will_close:
                self.close()
            return answer.status, text
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            return None, b""

    def connect(self):
        self.socket = socket.create_connection(
            ("127.0.0.1", self.port), timeout=PATIENCE, source_address=(self.source, 0)
        )
        if self.proxy is not None:
            self.socket.sendall(f"PROXY {self.proxy}\r\n".encode())

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def once(port, source, headers=(), proxy=None, **request):
    """One request on a connection of its own."""
    client = Client(port, source, headers, proxy)
    try:
        return client.ask(**request)
    finally:
        client.close()


def free_shift():
    """What to add to the ports of the examples so that all are free.

    Below the range from which outgoing connections take theirs.
    """
    for shift in range(-8000, 14000, 1000):
        try:
            for port in range(18000 + shift, 19000 + shift):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return shift
    raise AssertionError("no thousand free ports between 10000 and 32000")


def await_that(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)


def await_agent(bed):
    """HAProxy looks every half second whether its agent is there."""
    asks = lambda: once(bed.port(18301), "127.0.0.10")[0] == 200
    await_that("HAProxy has found its agent", asks)
