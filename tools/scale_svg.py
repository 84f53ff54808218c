# SPDX-License-Identifier: BSD-2-Clause
"""The curve of make bench-scale as a picture: throughput and p99 over the number of VMs, both axes
logarithmic, one line a mode. Follows the reader's choice of dark or light."""

import math

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP, BOTTOM = 760, 240, 76, 36, 74, 46, 44
PANELS = [("requests_per_s", "requests/s"), ("p99_ms", "p99, ms")]
# Readable on both backgrounds, and apart for those who confuse red and green.
COLOURS = ["#2f81f7", "#e3770e", "#a371f7", "#3fa35b", "#d1477a"]
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 15px; font-weight: 600; }
  .back { fill: #ffffff; }
  .grid { stroke: #8c959f; stroke-opacity: 0.35; stroke-width: 1; }
  .frame { fill: none; stroke: #8c959f; }
  .line { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .back { fill: #0d1117; }
  }
"""


class Scale:
    """A logarithmic axis of whole decades, from values to pixels."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.start, self.end = start, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def decades(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def text(x, y, words, anchor="start", kind=None):
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{words}</text>'


def grid(x, y, label, last):
    """The frame of a panel, its decades and their names."""
    left, right, low, high = x.start, x.end, y.start, y.end
    for value in y.decades():
        at = y.at(value)
        yield f'<path class="grid" d="M{left} {at:.1f}H{right}"/>'
        yield text(left - 8, at + 4, f"{value:,g}", "end")
    for value in x.decades():
        at = x.at(value)
        yield f'<path class="grid" d="M{at:.1f} {low}V{high}"/>'
        if last:
            yield text(at, low + 18, f"{value:,.0f}", "middle")
    yield f'<rect class="frame" x="{left}" y="{high}" width="{right - left}" '\
          f'height="{low - high}"/>'
    yield text(left, high - 8, label)
    if last:
        yield text((left + right) / 2, low + 36, "VMs", "middle")


def line(points, x, y, key, colour):
    places = [(x.at(p["vms"]), y.at(p[key])) for p in points]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    yield f'<path class="line" stroke="{colour}" d="M{path}"/>'
    for (a, b), point in zip(places, points):
        yield f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}">'\
              f'<title>{point["mode"]}, {point["vms"]:,} VMs: {point[key]:,.1f}</title></circle>'


def legend(modes):
    at = LEFT
    for mode, colour in modes.items():
        yield f'<path class="line" stroke="{colour}" d="M{at} 34h22"/>'
        yield text(at + 28, 38, mode)
        at += 48 + 8 * len(mode)


def usable(curve, key):
    return [p for p in curve if p.get(key) and p[key] > 0 and p["vms"] > 0]


def draw(curve):
    """The SVG document of a list of points."""
    height = TOP + len(PANELS) * (PANEL + GAP) - GAP + BOTTOM
    names = list(dict.fromkeys(p["mode"] for p in curve))
    modes = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    parts = [text(LEFT, 18, "Web VMs on one machine, Zipf(1.0)", kind="title"), *legend(modes)]
    for number, (key, label) in enumerate(PANELS):
        points = usable(curve, key)
        if not points:
            continue
        top = TOP + number * (PANEL + GAP)
        x = Scale([p["vms"] for p in points], LEFT, WIDTH - RIGHT)
        y = Scale([p[key] for p in points], top + PANEL, top)
        parts += grid(x, y, label, number == len(PANELS) - 1)
        for mode, colour in modes.items():
            own = sorted((p for p in points if p["mode"] == mode), key=lambda p: p["vms"])
            parts += line(own, x, y, key, colour) if own else []
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="Throughput and latency over the number of VMs">\n'
        f'<style>{STYLE}</style>\n<rect class="back" width="{WIDTH}" height="{height}"/>\n'
        f"{body}\n</svg>\n"
    )
