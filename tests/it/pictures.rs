//! The manual's pictures, `docs/pictures/*.svg`: each is drawn from what a query over the manual's tables answers.
//!
//! `TESSERA_DOCS_UPDATE=1 cargo test --test it -- pictures` draws them anew.

use std::fmt::Write;
use std::path::Path;

use tessera_udfs::reference::EXAMPLE_TABLES;

use crate::client::Client;
use crate::harness::{PASSWORD, Server, quoted};

const FOLDER: &str = "docs/pictures";
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
/// Room for the labels.
const LEFT: f64 = 48.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;
const RIGHT: f64 = 12.0;

/// A picture of the rows of a query, whose columns are those of [`Point`] in their order.
struct Picture {
    file: &'static str,
    title: &'static str,
    sql: &'static str,
}

const PICTURES: &[Picture] = &[
    Picture {
        file: "forecast.svg",
        title: "forecast(…, horizon => 12): values, forecast, intervals of 80 and 95 %",
        sql: "SELECT row_number() OVER (ORDER BY f.forecast_timestamp), f.forecast_timestamp, CASE WHEN f.confidence_level IS NULL THEN f.forecast_value END,
                     CASE WHEN f.confidence_level IS NOT NULL THEN f.forecast_value END, f.prediction_interval_lower_bound, f.prediction_interval_upper_bound,
                     n.prediction_interval_lower_bound, n.prediction_interval_upper_bound, false
                FROM forecast((SELECT * FROM sales WHERE shop = 'north'), timestamp_col => month, data_col => units, horizon => 12, output_history => true) AS f
                LEFT JOIN forecast((SELECT * FROM sales WHERE shop = 'north'), timestamp_col => month, data_col => units, horizon => 12, confidence_level => 0.8) AS n
                  USING (forecast_timestamp)
               ORDER BY 1",
    },
    Picture {
        file: "anomalies.svg",
        title: "detect_anomalies(…, method => 'stl'): values, bounds of what is usual, anomalies",
        sql: "SELECT row_number() OVER (ORDER BY time_series_timestamp), time_series_timestamp::date, time_series_data, NULL, lower_bound, upper_bound, NULL, NULL, is_anomaly
                FROM detect_anomalies((SELECT date '2024-01-01' + i AS day, 100 + i * 0.2 + CASE i % 7 WHEN 5 THEN -18 WHEN 6 THEN -24 ELSE 0 END + 4 * sin(i * i)
                            + CASE i WHEN 33 THEN 30 WHEN 61 THEN -26 WHEN 62 THEN 14 ELSE 0 END AS orders FROM generate_series(0, 97) AS s(i)),
                     timestamp_col => day, data_col => orders, method => 'stl')
               ORDER BY 1",
    },
    Picture {
        file: "changepoints.svg",
        title: "detect_changepoints(…, cost => 'normal'): values, means of the segments, changes",
        sql: "SELECT i, i, value, avg(value) OVER (PARTITION BY segment), NULL, NULL, NULL, NULL, is_changepoint
                FROM (SELECT time AS i, value, is_changepoint, count(*) FILTER (WHERE is_changepoint) OVER (ORDER BY time) AS segment
                        FROM detect_changepoints((SELECT i, CASE WHEN i <= 60 THEN 20 + 2 * sin(i * i) WHEN i <= 110 THEN 26 + 2 * sin(i * i) ELSE 26 + 7 * sin(i * i) END AS latency
                                                    FROM generate_series(1, 180) AS s(i)), timestamp_col => i, data_col => latency, cost => 'normal') AS f) AS q
               ORDER BY 1",
    },
];

/// A row; what is NULL is not drawn.
struct Point {
    at: f64,
    label: String,
    observed: Option<f64>,
    expected: Option<f64>,
    bounds: Option<(f64, f64)>,
    inner: Option<(f64, f64)>,
    is_marked: bool,
}

#[test]
fn the_pictures_show_what_the_functions_answer() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let password = quoted(PASSWORD);
    server.operator().run(&format!(
        "CREATE TENANT gallery WITH (admin = 'boss', password = '{password}')"
    ));
    let mut client = server.session("gallery", "boss");
    for statement in EXAMPLE_TABLES {
        client.run(statement);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    for picture in PICTURES {
        let found = drawn(picture, &points(&mut client, picture.sql));
        let path = folder.join(picture.file);
        if std::env::var_os("TESSERA_DOCS_UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, found).unwrap();
            continue;
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == kept,
            "{} is not what the functions answer now",
            picture.file
        );
    }
}

fn points(client: &mut Client, sql: &str) -> Vec<Point> {
    let rows = client.rows(sql);
    assert!(rows.len() > 12, "{sql}: {} rows", rows.len());
    let number = |text: &String| (text != "NULL").then(|| text.parse::<f64>().unwrap());
    let point = |row: &Vec<String>| Point {
        at: number(&row[0]).unwrap(),
        label: row[1].clone(),
        observed: number(&row[2]),
        expected: number(&row[3]),
        bounds: number(&row[4]).zip(number(&row[5])),
        inner: number(&row[6]).zip(number(&row[7])),
        is_marked: row[8] == "t",
    };
    rows.iter().map(point).collect()
}

/// Where points lie on the paper.
struct Paper {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Paper {
    fn of(points: &[Point]) -> Self {
        let pairs = points.iter().flat_map(|p| [p.bounds, p.inner]).flatten();
        let values = pairs.flat_map(|(low, high)| [low, high]);
        let lines = points
            .iter()
            .flat_map(|p| [p.observed, p.expected])
            .flatten();
        let all: Vec<f64> = values.chain(lines).collect();
        Self {
            from: points[0].at,
            to: points[points.len() - 1].at,
            low: all.iter().copied().fold(f64::INFINITY, f64::min),
            high: all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at - self.from) / (self.to - self.from) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (self.high - value) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)
    }

    fn place(&self, at: f64, value: f64) -> String {
        format!("{:.1},{:.1}", self.x(at), self.y(value))
    }

    fn band(
        &self,
        points: &[Point],
        part: impl Fn(&Point) -> Option<(f64, f64)>,
        opacity: f64,
    ) -> String {
        let pairs: Vec<(f64, (f64, f64))> = points
            .iter()
            .filter_map(|p| Some((p.at, part(p)?)))
            .collect();
        let above = pairs.iter().map(|(at, (_, high))| self.place(*at, *high));
        let below = pairs
            .iter()
            .rev()
            .map(|(at, (low, _))| self.place(*at, *low));
        let corners: Vec<String> = above.chain(below).collect();
        if corners.is_empty() {
            return String::new();
        }
        format!(
            "<polygon points=\"{}\" fill=\"#2f6fbd\" fill-opacity=\"{opacity}\"/>\n",
            corners.join(" ")
        )
    }

    fn line(&self, points: &[Point], part: impl Fn(&Point) -> Option<f64>, colour: &str) -> String {
        let places: Vec<String> = points
            .iter()
            .filter_map(|p| Some(self.place(p.at, part(p)?)))
            .collect();
        if places.is_empty() {
            return String::new();
        }
        format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>\n",
            places.join(" ")
        )
    }
}

fn drawn(picture: &Picture, points: &[Point]) -> String {
    let paper = Paper::of(points);
    let (foot, side) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"13\">{}</text>\n",
        picture.title.replace('>', "&gt;")
    );
    for quarter in 0..=4 {
        let value = paper.low + (paper.high - paper.low) * f64::from(quarter) / 4.0;
        let y = paper.y(value);
        writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{side}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>", LEFT - 6.0, y + 4.0).unwrap();
    }
    for sixth in 0..6 {
        let point = &points[(points.len() - 1) * sixth / 6];
        writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            paper.x(point.at),
            foot + 17.0,
            point.label
        )
        .unwrap();
    }
    svg += &paper.band(points, |p| p.bounds, 0.18);
    svg += &paper.band(points, |p| p.inner, 0.25);
    svg += &paper.line(points, |p| p.observed, "#333333");
    svg += &paper.line(points, |p| p.expected, "#2f6fbd");
    for point in points.iter().filter(|p| p.is_marked) {
        let (x, y) = (
            paper.x(point.at),
            paper.y(point.observed.unwrap_or(paper.low)),
        );
        writeln!(svg, "<path d=\"M{x:.1} {TOP}V{foot}\" stroke=\"#c0392b\" stroke-dasharray=\"3 3\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#c0392b\"/>").unwrap();
    }
    svg + "</svg>\n"
}
