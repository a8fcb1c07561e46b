# /// script
# requires-python = ">=3.11"
# dependencies = ["pygal==3.1.3"]
# ///
"""Makes performance.md and its plots from what the benchmarks printed.

./streamflow bench > figures.jsonl
.venv/bin/uv run --script docs/use/performance.py figures.jsonl
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle

HERE = Path(__file__).parent
Line = dict[str, Any]
Row = tuple[str, str, str, str]


class Figures:
    """The benchmarks' lines; the last of several for the same thing counts."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines: list[Line] = [json.loads(line) for line in lines if line.startswith("{")]

    def all(self, bench: str, **which: Any) -> list[Line]:
        return [line for line in self.lines if line["bench"] == bench and which.items() <= line.items()]

    def one(self, bench: str, **which: Any) -> Line | None:
        found = self.all(bench, **which)
        return found[-1] if found else None


def rows(figures: Figures) -> Iterator[Row]:
    """Yield each figure with its goal, its value, and the value of its peer."""
    for tell in (runs, limiter, faults, probe, verdicts, samples, udi, page):
        yield from tell(figures)


def runs(figures: Figures) -> Iterator[Row]:
    if ten := figures.one("ten_by_30s"):
        beside = f"plain tasks {ten['plain_tasks_s']} s, one after another {ten['sequential_s']} s"
        yield "10 streams of 30 s, limit 10: the whole run", "34 s", f"{ten['concurrent_s']} s", beside
    if span := figures.one("makespan"):
        beside = f"bound {span['bound_s']:g} s, took {span['took_s']} s"
        yield "200 streams of 5 s, limits 1, 2, 5, 0: over the bound", "1.15", f"{span['ratio']}", beside
    if cost := figures.one("cost_of_a_stream"):
        beside = f"plain tasks {cost['plain_tasks_seconds_each']} s"
        yield "cost of a stream, 1,000 of length zero", "0.2 s", f"{cost['seconds_each']} s", beside
    if scale := figures.one("scale"):
        beside = f"first runs {scale['seconds_each_in_first_runs']} s, last {scale['seconds_each_in_last_runs']} s"
        yield f"cost of a stream, {scale['streams']:,}", "1.2 times that", f"{scale['seconds_each']} s", beside


def limiter(figures: Figures) -> Iterator[Row]:
    def pairs(peer: str, clients: int) -> Line | None:
        return figures.one("acquire_release", peer=peer, clients=clients)

    if (ours := pairs("leases", 16)) and (theirs := pairs("watch_multi", 16)):
        ratio = ours["pairs_per_second"] / theirs["pairs_per_second"]
        seen, beside = f"{ratio:.1f} times", f"{ours['pairs_per_second']:,} and {theirs['pairs_per_second']:,} a second"
        yield "acquire and release, 16 clients, over WATCH/MULTI", "20 times", seen, beside
    if (ours := pairs("leases", 1)) and (theirs := pairs("watch_multi", 1)):
        beside = f"WATCH/MULTI {theirs['median_ms']} ms"
        yield "acquire and release, one client, median", "0.4 ms", f"{ours['median_ms']} ms", beside
    if wake := figures.one("wake_up"):
        beside = f"worst {wake['worst_ms']} ms"
        yield "a freed slot wakes its waiter, median", "250 ms", f"{wake['median_ms']} ms", beside
    if waiters := figures.one("waiters"):
        seen = f"{waiters['connections']} connections"
        beside = f"{waiters['cpu_percent']} % of a core"
        yield f"{waiters['waiters']:,} waiters in one process", "a constant number", seen, beside


def faults(figures: Figures) -> Iterator[Row]:
    if line := figures.one("limits_under_faults"):
        what = f"limit exceeded, {line['checks_killed']} checks killed, Redis restarted {line['redis_restarted']} times"
        peaks = ", ".join(f"{peak} of {line['limits'][name] or 'any'}" for name, peak in line["peak"].items())
        yield what, "0 times", f"{line['exceeded']} times", f"most connections at once, by account: {peaks}"


def verdicts(figures: Figures) -> Iterator[Row]:
    if line := figures.one("verdicts"):
        streams, measured = line["streams"], line["measured"]
        yield (
            "verdict on every class of the lab",
            "all right",
            f"{line['verdicts_right']} of {streams}",
            (f"at most {line['most_connections_a_stream']} connection each"),
        )
        exact = f"{min(line['width_right'], line['height_right'])} and {line['fps_right']} of {measured}"
        yield "size and frame rate", "exact", exact, ""
        yield "bitrate, the worst", "5 %", f"{100 * line['worst_bitrate_error']:.1f} %", ""
        yield "a stream that answers 404", "1 s", f"{line['http_404_s']} s", ""


def samples(figures: Figures) -> Iterator[Row]:
    if line := figures.one("samples"):
        beside = f"whole samples {line['slot_s_whole']} s"
        yield "slot-seconds of a healthy stream", "5 s", f"{line['slot_s_short']} s", beside
        yield (
            "slot-seconds of an unchanged healthy stream",
            "3.5 s",
            f"{line['slot_s_known']} s",
            beside,
        )
        of_all = f"of {line['streams']} streams, each in three ways"
        yield "verdicts of short samples that differ from the whole one's", "0", f"{line['verdicts_differing']}", of_all
        yield (
            "bitrate of a short sample, the worst difference",
            "10 %",
            f"{100 * line['worst_bitrate_difference']:.1f} %",
            "",
        )


def probe(figures: Figures) -> Iterator[Row]:
    for clip, what, cpu, memory in (
        ("bench_fhd25_6m", "1080p25 at 6 Mbit/s", "0.5 s", "60 MB"),
        ("bench_fhd25_6m in packets", "the same in packets of 1,316 bytes, as over a network", "0.5 s", "60 MB"),
        ("bench_uhd50_hevc", "2160p50 HEVC at 20 Mbit/s", "", "150 MB"),
    ):
        ways = {line["way"]: line for line in figures.all("probe", clip=clip)}
        if ours := ways.pop("probe", None):
            beside = ", ".join(f"{way} {line['cpu_s']} s" for way, line in ways.items())
            yield f"CPU of a probe, {ours['seconds']:g} s of {what}", cpu, f"{ours['cpu_s']} s", beside
            beside = ", ".join(f"{way} {line['memory_mb_above_idle']} MB" for way, line in ways.items())
            yield f"memory of it above idle, {what}", memory, f"{ours['memory_mb_above_idle']} MB", beside


def udi(figures: Figures) -> Iterator[Row]:
    ours, theirs = (figures.one("udi", store=store, streams=100_000) for store in ("fallback", "straightforward"))
    if not ours or not theirs:
        return
    slowest = max(time["p99"] for time in ours["lookup_ms"].values())
    scan = theirs["lookup_ms"]["account"]["p99"]
    yield "UDI of 100,000 streams: first load", "5 s", f"{ours['load_s']} s", f"{theirs['load_s']} s"
    refresh = f"{theirs['refresh_1_percent_s']} s"
    yield "refresh with 1 % changed", "1 s", f"{ours['refresh_1_percent_s']} s", refresh
    yield "slowest lookup's p99", "1 ms", f"{slowest} ms", f"by account {scan} ms"
    yield "memory", "90 MB", f"{ours['memory_mb']} MB", f"{theirs['memory_mb']} MB"


# What a night's check is reckoned with: the library, the hours, the sample with its opening, and a usual HD stream.
STREAMS, HOURS, SECONDS, MBIT = 100_000, 6, 11.0, 6.0


def page(figures: Figures) -> Iterator[Row]:
    lines = figures.all("page")
    if views := [line for line in lines if "view" in line]:
        slowest = max(views, key=lambda line: line["p95_ms"])
        what = f"page, {slowest['streams']:,} streams, results arriving: requests of the slowest view, p95"
        yield what, f"{slowest['goal_p95_ms']} ms", f"{slowest['p95_ms']:.0f} ms", f"view {slowest['view']}"
    if opened := [line for line in lines if "opened" in line]:
        slowest = max(opened, key=lambda line: line["median_ms"])
        what = "page with an empty cache: until the slowest view can be used, median"
        yield what, f"{slowest['goal_ms']} ms", f"{slowest['median_ms']} ms", f"view {slowest['opened']}"


def needs(figures: Figures) -> Iterator[tuple[str, str, str]]:
    """Yield the needs of a night over all streams, calculated from the figures above."""
    at_once = STREAMS * SECONDS / (HOURS * 3600)
    yield "checks at once", f"{at_once:.0f}", f"{STREAMS:,} x {SECONDS:g} s in {HOURS} h"
    yield "bandwidth", f"{at_once * MBIT:.0f} Mbit/s", f"{at_once:.0f} x {MBIT:g} Mbit/s"
    if cost := figures.one("cost_of_a_stream"):
        hours = STREAMS * cost["seconds_each"] / 3600
        yield "Airflow", f"{hours:.1f} h of two cores", f"{STREAMS:,} x {cost['seconds_each']} s"
    if ours := figures.one("probe", clip="bench_fhd25_6m", way="probe"):
        each = ours["cpu_s"] * SECONDS / ours["seconds"]
        yield "probing", f"{STREAMS * each / 3600:.1f} core hours", f"{STREAMS:,} x {each:.2f} s"
    if store := figures.one("udi", store="fallback", streams=100_000):
        each = store["bytes_a_stream"] + store["bytes_a_first_result"]
        yield "Redis", f"{STREAMS * each / 1e6:.0f} MB", f"{STREAMS:,} x {each} bytes, and less for each later result"
    if scale := figures.one("scale"):
        each = scale["metadata_database_mb"] / scale["streams"]
        kept = f"{scale['metadata_database_mb']} MB for {scale['streams']:,}; 30 days are kept"
        yield "Airflow's database", f"{STREAMS * each:.0f} MB a night", kept


def plots(figures: Figures) -> Iterator[tuple[str, str, Callable[[Path], None]]]:
    """File name, caption, and what draws it."""
    if ten := figures.one("ten_by_30s"):
        values = {"one after another": "sequential_s", "at once": "concurrent_s", "plain tasks": "plain_tasks_s"}
        yield "runs", "Ten streams of 30 s, seconds", bars({name: ten[key] for name, key in values.items()})
    peers = {line["peer"]: line["pairs_per_second"] for line in figures.all("acquire_release", clients=16)}
    if peers:
        yield "limiter", "Acquire and release by 16 clients, pairs a second", bars(peers)
    ways = {line["way"]: line["cpu_s"] for line in figures.all("probe", clip="bench_fhd25_6m")}
    if ways:
        yield "probe", "CPU seconds for 30 s of 1080p25 at 6 Mbit/s", bars(ways)
    sizes = sorted({line["streams"] for line in figures.all("udi")})
    if len(sizes) > 1:
        stores = ("fallback", "straightforward")
        loads = {
            store: [(size, line["load_s"]) for size in sizes if (line := figures.one("udi", store=store, streams=size))]
            for store in stores
        }
        yield "udi", "First load over the number of streams, seconds", curves(loads)


def bars(values: dict[str, float]) -> Callable[[Path], None]:
    chart = pygal.HorizontalBar(
        style=CleanStyle, js=[], show_legend=False, height=60 + 50 * len(values), print_values=True
    )
    chart.x_labels = list(values)
    chart.add("", list(values.values()))
    return lambda file: chart.render_to_file(str(file))


def curves(series: dict[str, list[tuple[int, float]]]) -> Callable[[Path], None]:
    chart = pygal.XY(style=CleanStyle, js=[], height=320, legend_at_bottom=True)
    for name, points in series.items():
        chart.add(name, points)
    return lambda file: chart.render_to_file(str(file))


def machine() -> str:
    about = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", about, re.MULTILINE)
    lock = (HERE.parents[1] / "requirements.txt").read_text()
    versions = [
        f"{name} {found[1]}"
        for package, name in (("apache-airflow", "Airflow"), ("av", "PyAV"), ("redis", "redis-py"))
        if (found := re.search(rf"^{package}(?:\[.*\])?==([^ ]+)", lock, re.MULTILINE))
    ]
    cores = f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}"
    return f"{cores}, Linux {platform.release()}, Python {platform.python_version()}, {', '.join(versions)}"


def main(source: Path) -> None:
    figures = Figures(source.read_text().splitlines())
    text = [
        "# Performance",
        "",
        "`docs/use/performance.py` made this page from the output of `./streamflow bench`. Each figure stands beside",
        "the figure that it is compared to in the same run.",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}.",
        "",
        "| what | to reach | seen | beside it |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows(figures)),
        "",
    ]
    if spent := figures.one("scale") or figures.one("cost_of_a_stream"):
        text += ["## Where the CPU of a stream goes", "", f"Mean of {spent['streams']:,} streams that answer 404; "]
        text[-1] += "`tasks` are the processes that the scheduler's executor runs."
        text += ["", "| part | CPU seconds a stream |", "|---|---|"]
        text += [f"| {part} | {seconds} |" for part, seconds in spent["cpu_s_each"].items()] + [""]
    if trace := figures.one("where_the_time_goes"):
        text += ["## Where the time of a run goes", "", "Ten streams of 30 s; seconds since the run's start.", ""]
        text += ["| moment | seconds |", "|---|---|"]
        text += [f"| {name.replace('_', ' ')} | {value} |" for name, value in trace["seconds"].items()] + [""]
    text += [f"## What {STREAMS:,} streams a night take", "", "| what | how much | reckoned as |", "|---|---|---|"]
    text += [f"| {' | '.join(row)} |" for row in needs(figures)] + [""]
    for name, caption, draw in plots(figures):
        image = HERE.parent / "images" / f"performance-{name}.svg"
        draw(image)
        text += [f"## {caption}", "", f"![{caption}](../images/{image.name})", ""]
    (HERE / "performance.md").write_text("\n".join(text))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
