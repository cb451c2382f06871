#!/usr/bin/env python3
"""Runs published clients for asynchronous APIs, and kling-omni, against one mock server, and compares how they wait.

With `--lost` it compares how many tasks each of them pays for when the reply of a create is lost. Prints a table in
Markdown. README.md beside this file says what its columns mean.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

HERE = Path(__file__).resolve().parent
SAMPLING_SECONDS = 0.2


class Unavailable(Exception):
    """Why a client cannot be run here. It costs that client its figures, and no other."""


@dataclass(frozen=True)
class Peer:
    name: str
    """For `--only`, and the API key by which the server knows the client."""
    language: str
    package: str
    rule: str


PEERS = [
    Peer("kling-omni", "Rust", "kling-omni", "default of `task.wait()`"),
    Peer("kling-omni-api", "Rust", "kling-omni-api", "5 s, by our loop"),
    Peer("curl", "sh", "curl", "5 s, by our loop"),
    Peer("google-cloud-lro", "Rust", "google-cloud-lro", "1 s, doubled up to 60 s"),
    Peer("runway-sdk", "Rust", "runway-sdk", "6 s"),
    Peer("runwayml-py", "Python", "runwayml", "4.5 s to 7.5 s, at random"),
    Peer("fal-py", "Python", "fal-client", "0.1 s"),
    Peer("replicate-py", "Python", "replicate", "`Prefer: wait` for 60 s, then 0.5 s"),
    Peer("runwayml-js", "npm", "@runwayml/sdk", "4.5 s to 7.5 s, at random"),
    Peer("fal-js", "npm", "@fal-ai/client", "0.5 s"),
    Peer("replicate-js", "npm", "replicate", "`Prefer: wait` for 60 s, then 0.5 s"),
]


LOSSES = {"cut": "connection cut", "500": "500", "502": "502", "503": "503", "slow": "no reply for 330 s"}
"""How the reply of a create is lost after the task was made, as `mock.py` knows it, and the heading of its column."""
LOST_SECONDS = 60
SLOW_SECONDS = 1500


@dataclass
class Driver:
    """A client that is installed and can be started."""

    peer: Peer
    command: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Usage:
    cpu_seconds: float
    peak_kib: int | None
    failure: str | None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20, help="tasks of each client at the same time (20)")
    parser.add_argument("--median", type=float, default=90, help="seconds that half of the tasks take at most (90)")
    parser.add_argument("--sigma", type=float, default=0, help="spread of a log-normal task time; 0: all alike (0)")
    parser.add_argument("--seed", type=int, default=1, help="of the task times, which are the same for all (1)")
    parser.add_argument("--only", metavar="NAME,NAME", help=", ".join(peer.name for peer in PEERS))
    parser.add_argument("--one-by-one", action="store_true", help="one client after the other, not all at once")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to install and build, for later runs, too")
    parser.add_argument("--lost", action="store_true", help="count the tasks that are paid for when replies are lost")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write each task and each request as JSON")
    options = parser.parse_args()
    if options.tasks < 1:
        parser.error("--tasks must be 1 or more")
    if not 0 < options.median < 3600:
        parser.error("--median must be more than 0 and less than 3600")
    if not 0 <= options.sigma <= 2:
        parser.error("--sigma must be between 0 and 2")
    options.peers = PEERS
    if options.only is not None:
        names = [name.strip() for name in options.only.split(",")]
        for name in names:
            if name not in (peer.name for peer in PEERS):
                parser.error(f"--only: no client {name!r}; there are {', '.join(peer.name for peer in PEERS)}")
        options.peers = [peer for peer in PEERS if peer.name in names]
    if options.work and options.work.exists() and not options.work.is_dir():
        parser.error(f"--work: {options.work} is not a folder")
    if options.save and not options.save.parent.is_dir():
        parser.error(f"--save: the folder does not exist: {options.save.parent}")
    return options


def version(peer: Peer) -> str:
    """The version that is pinned in the file of its language; that of curl is the machine's."""
    if peer.language == "npm":
        return str(json.loads((HERE / "package.json").read_text())["dependencies"][peer.package])
    if peer.language == "sh":
        found = re.match(r"curl (\S+)", subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout)
        return found[1] if found else "unknown"
    file, pattern = {
        "Python": ("requirements.txt", rf"^{peer.package}==(.+)$"),
        "Rust": ("rust/Cargo.lock", rf'^name = "{peer.package}"\nversion = "(.+)"$'),
    }[peer.language]
    found = re.search(pattern, (HERE / file).read_text(), re.MULTILINE)
    assert found, f"{peer.package} is not pinned in {file}"
    return found[1]


def call(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Runs what has to succeed before a client can be run."""
    try:
        subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(reason(error.stderr)) from error


def reason(text: str) -> str:
    """The line of an error output that tells most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if re.match(r"(npm )?error\b(?! code)", line, re.IGNORECASE)]
    return (told or lines or ["no reason given"])[0 if told else -1][:200].replace("|", "\\|")


def prepare(peer: Peer, work: Path) -> Driver:
    """Installs or builds a client of its pinned version."""
    print(f"preparing {peer.package} {version(peer)} ({peer.language})", file=sys.stderr)
    if peer.language == "Python":
        python = work / "venv" / "bin" / "python"
        if not python.exists():
            call(sys.executable, "-m", "venv", work / "venv")
        pins = HERE / "requirements.txt"
        call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", pins, peer.package)
        return Driver(peer, [str(python), str(HERE / "python_peers.py"), peer.package], {})
    if peer.language == "npm":
        folder = work / "npm" / peer.name
        folder.mkdir(parents=True, exist_ok=True)
        package = f"{peer.package}@{version(peer)}"
        call("npm", "install", "--loglevel=error", "--no-package-lock", "--prefix", folder, package)
        driver = ["node", str(HERE / "node_peers.cjs"), peer.package]
        return Driver(peer, driver, {"NODE_PATH": str(folder / "node_modules")})
    if peer.language == "sh":
        call("curl", "--version")
        return Driver(peer, ["sh", str(HERE / "curl_peer.sh")], {})
    target = Path(os.environ.get("CARGO_TARGET_DIR") or work / "target").resolve()
    manifest = HERE / "rust" / "Cargo.toml"
    call(
        *("cargo", "build", "--quiet", "--release", "--manifest-path", manifest),
        *("--bin", peer.package, "--features", peer.package),
        environment={"CARGO_TARGET_DIR": str(target)},
    )
    return Driver(peer, [str(target / "release" / peer.package)], {})


@contextlib.contextmanager
def mock(**settings: Any) -> Iterator[tuple[str, list[float]]]:
    """The server as its base URL, and how long its tasks take."""
    command = [f"--{name}={value}" for name, value in settings.items()]
    with subprocess.Popen(
        [sys.executable, HERE / "mock.py", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        started = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{started['port']}", started["durations"]


def run(drivers: list[Driver], base_url: str, tasks: int, seconds: float) -> list[Usage]:
    """Runs drivers at the same time, and ends those that take longer than so many seconds."""
    usages: dict[str, Usage] = {}
    running: dict[str, tuple[subprocess.Popen[bytes], Any]] = {}
    peaks: dict[str, int] = {}
    end = time.monotonic() + seconds
    try:
        for driver in drivers:
            errors = tempfile.TemporaryFile()
            process = subprocess.Popen(
                [*driver.command, base_url, driver.peer.name, str(tasks)],
                env={**os.environ, **driver.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            running[driver.peer.name] = (process, errors)
        while running:
            late = time.monotonic() > end
            for name, (process, errors) in list(running.items()):
                peaks[name] = max(peak_kib(process.pid), peaks.get(name, 0))
                if late:
                    process.kill()
                pid, status, usage = os.wait4(process.pid, 0 if late else os.WNOHANG)
                if pid == 0:
                    continue
                process.returncode = os.waitstatus_to_exitcode(status)
                errors.seek(0)
                failure = f"did not end within {seconds:.0f} s" if late else None
                if process.returncode != 0 and not late:
                    failure = reason(errors.read().decode(errors="replace"))
                errors.close()
                usages[name] = Usage(usage.ru_utime + usage.ru_stime, peaks[name] or None, failure)
                del running[name]
            time.sleep(SAMPLING_SECONDS)
    finally:
        for process, _ in running.values():
            process.kill()
            process.wait()
    return [usages[driver.peer.name] for driver in drivers]


def peak_kib(pid: int) -> int:
    """The most memory that a process has had so far; 0 where the system has no /proc.

    Not from `getrusage`: what that has includes the process that the child was forked from.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0


def row(peer: Peer, cells: list[str]) -> str:
    return "| " + " | ".join([f"{peer.package} ({peer.language})", version(peer), peer.rule, *cells]) + " |"


def figures(tasks: int, usage: Usage, idle: Usage, seen: Any) -> list[str]:
    """The cells of a client that was run."""
    failure = usage.failure or idle.failure
    delays = [task["delay"] for task in seen["tasks"]] if seen else []
    if failure is None and (len(delays) != tasks or None in delays):
        failure = f"{len(delays)} tasks made, {len(delays) - delays.count(None)} results fetched"
    if failure is not None:
        return [f"failed: {failure}", "", "", "", "", ""]
    return [
        f"{len(seen['requests']) / tasks:.1f}",
        f"{sum(delays) / tasks:.2f} s",
        f"{max(delays):.2f} s",
        f"{1000 * usage.cpu_seconds / tasks:.1f} ms",
        f"{1000 * idle.cpu_seconds:.0f} ms",
        f"{usage.peak_kib / 1024:.1f} MiB" if usage.peak_kib else "unknown",
    ]


def description(options: argparse.Namespace, durations: list[float]) -> str:
    """What was run and where, in one line."""
    if options.sigma == 0:
        times = f"done {options.median:g} s after its create"
    else:
        times = (
            f"done at a log-normal time after its create: median {options.median:g} s, sigma {options.sigma:g}, "
            f"seed {options.seed}; drawn from {min(durations):.1f} s to {max(durations):.1f} s, "
            f"{sum(durations) / len(durations):.1f} s on average"
        )
    order = "one client after the other" if options.one_by_one else "all clients at once"
    cores = os.cpu_count()
    return f"{options.tasks} tasks of each client, each {times}; {order}, on {cores} cores of {platform.machine()}."


def prepare_all(options: argparse.Namespace, work: Path) -> tuple[list[Driver], dict[str, str]]:
    """The clients that can be run, and why each of the others cannot."""
    missing: dict[str, str] = {}
    drivers: list[Driver] = []
    for peer in options.peers:
        try:
            drivers.append(prepare(peer, work))
        except Unavailable as error:
            missing[peer.name] = str(error)
    return drivers, missing


def count_paid(drivers: list[Driver], loss: str, losses: float) -> dict[str, str]:
    """How many tasks each client pays for when it wants one, and whether it gets its result."""
    seconds = SLOW_SECONDS if loss == "slow" else LOST_SECONDS
    with mock(tasks=1, median=3, sigma=0, seed=1, loss=loss, losses=losses) as (base_url, _):
        print(f"losing replies: {loss}, {losses:g} of each client, up to {seconds} s", file=sys.stderr)
        run(drivers, base_url, 1, seconds)
        with urllib.request.urlopen(f"{base_url}/report") as answer:
            report = json.load(answer)
    counts = {}
    for name in (driver.peer.name for driver in drivers):
        delays = [task["delay"] for task in report[name]["tasks"]] if name in report else []
        has_result = any(delay is not None for delay in delays)
        counts[name] = f"{len(delays)}{', result' if has_result else ''}"
    return counts


def compare_lost(options: argparse.Namespace, work: Path) -> str:
    """Tables of what each client pays for, with the first reply lost and with every reply lost."""
    drivers, missing = prepare_all(options, work)
    tables = []
    headings = {1: "The first reply is lost", math.inf: "Every reply is lost"}
    with ThreadPoolExecutor() as pool:
        slow = {losses: pool.submit(count_paid, drivers, "slow", losses) for losses in headings}
        quick = {
            losses: {loss: count_paid(drivers, loss, losses) for loss in LOSSES if loss != "slow"} for losses in headings
        }
        counts = {losses: {**quick[losses], "slow": slow[losses].result()} for losses in headings}
    for losses, heading in headings.items():
        rows = []
        for peer in options.peers:
            cells = [counts[losses][loss].get(peer.name, "") for loss in LOSSES]
            if peer.name in missing:
                cells[0] = f"not run: {missing[peer.name]}"
            rows.append("| " + " | ".join([f"{peer.package} ({peer.language})", version(peer), *cells]) + " |")
        head = "| client | version | " + " | ".join(LOSSES.values()) + " |"
        tables.append("\n".join([f"{heading}:", "", head, "| --- | --- |" + " --- |" * len(LOSSES), *rows]))
    return "\n\n".join(tables)


def compare(options: argparse.Namespace, work: Path) -> str:
    drivers, missing = prepare_all(options, work)
    numbers = {name: getattr(options, name) for name in ("tasks", "median", "sigma", "seed")}
    with mock(**numbers) as (base_url, durations):
        seconds = 2 * max(durations) + 120
        idle = [run([driver], base_url, 0, 60)[0] for driver in drivers]
        print(f"running {len(drivers)} clients, {max(durations):.0f} s or more", file=sys.stderr)
        groups = [[driver] for driver in drivers] if options.one_by_one else [drivers]
        used = [usage for group in groups for usage in run(group, base_url, options.tasks, seconds)]
        with urllib.request.urlopen(f"{base_url}/report") as answer:
            report = json.load(answer)
    if options.save:
        options.save.write_text(json.dumps(report))
    cells = {
        driver.peer.name: figures(options.tasks, usage, at_rest, report.get(driver.peer.name))
        for driver, usage, at_rest in zip(drivers, used, idle)
    }
    for name, why in missing.items():
        cells[name] = [f"not run: {why}", "", "", "", "", ""]
    return "\n".join(
        [
            description(options, durations),
            "",
            "| client | version | polls again after | requests per task | delay, mean | delay, longest "
            "| CPU per task | CPU at start | peak memory |",
            "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(row(peer, cells[peer.name]) for peer in options.peers),
        ]
    )


def main() -> None:
    options = arguments()
    with contextlib.ExitStack() as stack:
        work = options.work
        if work is None:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-")))
        work.mkdir(parents=True, exist_ok=True)
        print((compare_lost if options.lost else compare)(options, work.resolve()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
