"""Draws the manual's pictures from what a running server answers: python3 docs/pictures/draw.py

Reached by psql with PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD, as a role that may create tables. The returns are made by a
formula, so the pictures come out the same.
"""

import math
import pathlib
import subprocess

FOLDER = pathlib.Path(__file__).parent
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 80, 44, 34, 36
INK, GRID, MAIN, SECOND = "#333", "#ddd", "#1f6feb", "#d1495b"

# Five funds over 500 days: a common movement, one of their own, and a drift that pays for it.
SETUP = """
DROP TABLE IF EXISTS picture;
CREATE TABLE picture AS
SELECT date '2023-01-02' + t AS day, 'fund ' || chr(64 + a) AS fund,
  0.00012 * a + 0.004 * z(t, 0) * (0.4 + 0.15 * a) + (0.002 + 0.0014 * a) * z(t, a) AS ret
FROM generate_series(1, 500) AS s(t), generate_series(1, 5) AS f(a);
"""


def noise(t, a):
    """The sum of four numbers that look random, in SQL: nearly normal, with variance 1."""
    parts = (f"(sin({t} * {12.9898 + i} + ({a}) * {78.233 + 7 * i}) * 43758.5453)" for i in range(4))
    return "(" + " + ".join(f"({part} - floor({part}) - 0.5)" for part in parts) + f") * {math.sqrt(3):.6f}"


def ask(sql):
    command = ["psql", "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in answer.splitlines()]


class Picture:
    """A plane with axes, as SVG."""

    def __init__(self, title, xs, ys, x_label, y_label):
        self.x, self.y = (min(xs), max(xs)), (min(ys), max(ys))
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{WIDTH / 2}" y="18" text-anchor="middle" font-size="14" fill="{INK}">{title}</text>',
            f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle" fill="{INK}">{x_label}</text>',
            f'<text x="14" y="{HEIGHT / 2}" text-anchor="middle" fill="{INK}" transform="rotate(-90 14 {HEIGHT / 2})">{y_label}</text>',
        ]

    def at(self, x, y):
        share = lambda value, ends: (value - ends[0]) / (ends[1] - ends[0])
        across = LEFT + share(x, self.x) * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - share(y, self.y) * (HEIGHT - BOTTOM - TOP), 1)

    def rows(self, form, count=5):
        for i in range(count + 1):
            value = self.y[0] + (self.y[1] - self.y[0]) * i / count
            x, y = self.at(self.x[0], value)
            self.parts.append(f'<path d="M{x} {y}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            self.parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end" fill="{INK}">{form(value)}</text>')

    def columns(self, form, count=5):
        for i in range(count + 1):
            value = self.x[0] + (self.x[1] - self.x[0]) * i / count
            x, y = self.at(value, self.y[0])
            self.parts.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle" fill="{INK}">{form(value)}</text>')

    def line(self, points, colour=MAIN, extra=""):
        path = "L".join("{} {}".format(*self.at(x, y)) for x, y in points)
        self.parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" {extra}/>')

    def dot(self, x, y, label, colour=SECOND):
        x, y = self.at(x, y)
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/><text x="{x + 7}" y="{y + 4}" fill="{INK}">{label}</text>')

    def bar(self, first, last, height, colour):
        (left, top), (right, bottom) = self.at(first, height), self.at(last, self.y[0])
        self.parts.append(f'<rect x="{left}" y="{top}" width="{max(right - left - 1, 0):.1f}" height="{bottom - top:.1f}" fill="{colour}"/>')

    def text(self, x, y, text, anchor):
        x, y = self.at(x, y)
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{INK}">{text}</text>')

    def save(self, name):
        (FOLDER / name).write_text("\n".join(self.parts + ["</svg>"]) + "\n")


def per_cent(value):
    return f"{100 * value:.1f} %"


def frontier():
    call = "(picture, timestamp_col => day, asset_col => fund, return_col => ret"
    points = ask(f"SELECT DISTINCT point, portfolio_volatility, portfolio_return FROM efficient_frontier{call}, points => 40) ORDER BY point")
    curve = [(float(risk), float(gain)) for _, risk, gain in points]
    best = ask(f"SELECT DISTINCT portfolio_volatility, portfolio_return FROM portfolio_optimize{call})")[0]
    funds = ask(
        "SELECT fund, volatility(ret), (exp(sum(ln(1 + ret))) ^ (252.0 / count(*))) - 1 FROM picture GROUP BY fund ORDER BY fund"
    )
    xs = [risk for risk, _ in curve] + [float(row[1]) for row in funds]
    ys = [gain for _, gain in curve] + [float(row[2]) for row in funds]
    picture = Picture("efficient_frontier", [0.9 * min(xs), 1.1 * max(xs)], [min(ys) - 0.01, max(ys) + 0.01], "volatility a year", "expected return a year")
    picture.rows(per_cent)
    picture.columns(per_cent)
    picture.line(curve)
    for fund, risk, gain in funds:
        picture.dot(float(risk), float(gain), fund, INK)
    picture.dot(float(best[0]), float(best[1]), "max_sharpe")
    picture.save("frontier.svg")


def falls():
    rows = ask(
        "SELECT row_number() OVER (ORDER BY day), drawdown(price) OVER (ORDER BY day) FROM "
        "(SELECT day, exp(sum(ln(1 + ret)) OVER (ORDER BY day)) AS price FROM picture WHERE fund = 'fund E') AS p ORDER BY day"
    )
    points = [(float(t), -abs(float(depth))) for t, depth in rows]
    found = ask(
        "SELECT (d).max_drawdown, (d).peak_at - date '2023-01-02', (d).trough_at - date '2023-01-02', (d).recovered_at - date '2023-01-02' "
        "FROM (SELECT drawdown_info(ret ORDER BY day) AS d FROM picture WHERE fund = 'fund E') AS x"
    )[0]
    picture = Picture("drawdown and drawdown_info", [0, len(points)], [min(y for _, y in points) * 1.1, 0.01], "day", "below the peak before")
    picture.rows(per_cent)
    picture.columns(lambda value: f"{value:.0f}")
    picture.line(points)
    for place, label in zip(found[1:], ["peak", "trough", "recovered"]):
        if place:
            picture.dot(float(place), dict(points).get(float(place), 0.0), label)
    picture.save("drawdown.svg")


def losses():
    values = [float(row[0]) for row in ask("SELECT ret FROM picture WHERE fund = 'fund E' ORDER BY ret")]
    at_risk, shortfall = (float(x) for x in ask("SELECT value_at_risk(ret), expected_shortfall(ret) FROM picture WHERE fund = 'fund E'")[0])
    bins, low, high = 36, min(values), max(values)
    width = (high - low) / bins
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / width), bins - 1)] += 1
    picture = Picture("value_at_risk and expected_shortfall", [low, high], [0, max(counts) * 1.1], "return of a day", "days")
    picture.rows(lambda value: f"{value:.0f}")
    picture.columns(per_cent)
    for place, count in enumerate(counts):
        first = low + place * width
        picture.bar(first, first + width, count, SECOND if first + width / 2 < -at_risk else MAIN)
    for loss, label, share, anchor in [(at_risk, "value_at_risk", 0.95, "start"), (shortfall, "expected_shortfall", 0.8, "middle")]:
        picture.line([(-loss, 0), (-loss, share * max(counts))], INK, 'stroke-dasharray="4 3"')
        picture.text(-loss, share * max(counts) * 1.02, f"{label} {per_cent(loss)}", anchor)
    picture.save("value_at_risk.svg")


def main():
    sql = SETUP.replace("z(t, 0)", noise("t", "0")).replace("z(t, a)", noise("t", "a"))
    for statement in sql.split(";"):
        if statement.strip():
            ask(statement)
    frontier()
    falls()
    losses()
    ask("DROP TABLE picture")


main()
