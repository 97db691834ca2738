"""One gateway under load while the list is swapped ten times a second."""

import re
import subprocess
import threading
import time
from ipaddress import IPv4Address
from statistics import mean

from bed import Client, once

INTERVAL = 0.1
ALWAYS, NEVER, SOMETIMES = "127.0.0.66", "127.0.0.10", "127.0.0.88"


def soak(bed, name, api, process, port, seconds):
    """No failed request, no wrong verdict, no growth of the process that decides."""
    port = bed.port(port)
    feeds = [feed(listed) for listed in (False, True)]
    status = f"/proc/{bed.processes[process].pid}/status"
    ended, failures, counts = threading.Event(), [], {}

    def check(source, expect):
        client = Client(port, source)
        while not ended.is_set() and not failures:
            found, _ = client.ask()
            counts[source] = counts.get(source, 0) + 1
            if found != expect:
                failures.append(f"{source}: found {found}, expected {expect}")
        client.close()

    checks = [threading.Thread(target=check, args=each) for each in ((ALWAYS, 403), (NEVER, 200))]
    url = f"http://127.0.0.1:{port}/"
    load = ["wrk", "-t1", "-c8", f"-d{max(1, round(seconds))}s", "--timeout", "30s", url]
    swaps, memory = 0, []
    api.put_feed("scanners", feeds[0])
    with subprocess.Popen(load, stdout=subprocess.PIPE, text=True) as wrk:
        for thread in checks:
            thread.start()
        while wrk.poll() is None and not failures:
            began = time.monotonic()
            swaps += 1
            api.put_feed("scanners", feeds[swaps % 2])
            found, _ = once(port, SOMETIMES)
            if found != (200, 403)[swaps % 2]:
                failures.append(f"swap {swaps}: found {found} for the very next request")
            memory.append(resident(status))
            time.sleep(max(0, INTERVAL - (time.monotonic() - began)))
        ended.set()
        for thread in checks:
            thread.join()
        wrk.terminate()
        report = wrk.stdout.read()
    assert not failures, f"soak of {name}: {failures}"
    assert "Socket errors" not in report and "Non-2xx" not in report, f"soak of {name}:\n{report}"
    assert swaps >= 10, f"soak of {name}: only {swaps} swaps"
    # The first moments fill caches and queues.
    memory = memory[len(memory) // 10 :]
    third = len(memory) // 3
    first, last = mean(memory[:third]), mean(memory[-third:])
    print(
        f"soak: {name}, {seconds:.0f} s, {swaps} swaps, {total(report)} requests, "
        f"{counts[ALWAYS]} of a listed client, {counts[NEVER]} of another, "
        f"resident {first:.1f} MB in the first third, {last:.1f} MB in the last"
    )
    assert last < first * 1.15 + 4, f"soak of {name}: memory grows: {memory}"


def feed(sometimes):
    """A list that differs from swap to swap in one address and half of its other entries."""
    start = int(IPv4Address("11.0.0.0")) + 4096 * sometimes
    lines = [str(IPv4Address(start + 2 * n)) for n in range(4096)]
    return "\n".join([ALWAYS, *lines, *([SOMETIMES] if sometimes else [])]) + "\n"


def resident(status):
    """Megabytes."""
    with open(status) as lines:
        return int(re.search(r"VmRSS:\s+(\d+) kB", lines.read())[1]) / 1024


def total(report):
    return int(re.search(r"(\d+) requests in", report)[1])
