//! The figures as README.md states them, between two marks.

use std::{fs, path::Path};

use crate::{
    BenchError,
    report::{Report, Stated, times},
};

const MARKS: (&str, &str) = ("<!-- bench -->", "<!-- /bench -->");

/// Replaces the table in a file.
///
/// # Errors
/// The file can't be read or written, has no marks, or a figure is missing.
pub(crate) fn write(file: &Path, report: &Report) -> Result<(), BenchError> {
    let name = || format!("the figures in {}", file.display());
    let text = fs::read_to_string(file).map_err(BenchError::io(name()))?;
    let missing = |what: String| BenchError::Subject(format!("{}: {what}", name()));
    let table = table(report).map_err(missing)?;
    let text = between(&text, &table)
        .ok_or_else(|| missing(format!("no place between {} and {}", MARKS.0, MARKS.1)))?;
    fs::write(file, text).map_err(BenchError::io(name()))
}

fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some(format!("{before}{}\n{table}{}{after}", MARKS.0, MARKS.1))
}

/// The table of README.md, or the name of the figure that is missing.
fn table(report: &Report) -> Result<String, String> {
    let of = |metric: &str, end: &str, subject: &str| {
        let found = report.stated(metric, end, subject);
        found.ok_or_else(|| format!("\"{metric}…{end}\" of {subject} was not measured"))
    };
    let node = |stated: &Stated| match stated.to_node {
        Some(ratio) => format!("{} of Node `ws`", times(ratio)),
        None => String::new(),
    };
    let own = |stated: &Stated, what: &str| match stated.to_tidings {
        Some(ratio) => format!("{} of {what}", times(ratio)),
        None => String::new(),
    };
    let mut rows = Vec::new();
    let idle = of("idle connection", "connection", "tidings")?;
    let woken = of("idle connection", "message", "tidings")?;
    rows.push([
        "an idle connection, authenticated and subscribed to inbox and `system:all`".to_owned(),
        format!("{} ({} after an everyone-message)", idle.median, woken.median),
        format!("{}, which does neither", node(&idle)),
    ]);
    for (mode, how) in [("saturated", "as fast as it goes"), ("windowed", "a window at a time")] {
        let fanout = of("fan-out", mode, "tidings")?;
        rows.push([
            format!("deliveries of stored messages, {how}"),
            fanout.median.clone(),
            node(&fanout),
        ]);
    }
    for (subject, what) in
        [("tidings, EventSource", "an `EventSource`"), ("tidings, fetched stream", "`fetch`")]
    {
        let cpu = of("CPU of a delivery", "windowed", subject)?;
        rows.push([
            format!("CPU of a delivery to {what}"),
            cpu.median.clone(),
            own(&cpu, "WebSocket's"),
        ]);
    }
    let durable = of("publish", "at once", "node ws, fdatasync")?;
    for (subject, what) in [("tidings", "SQLite"), ("tidings on PostgreSQL", "PostgreSQL")] {
        let rate = of("publish", "at once", subject)?;
        let late = of("publish", "p99", subject)?;
        let beside = match (subject, rate.to_node.zip(durable.to_node)) {
            ("tidings", Some((rate, durable))) => {
                format!("{} of Node `ws` with an `fdatasync` for each", times(rate / durable))
            }
            _ => own(&rate, "SQLite's"),
        };
        rows.push([
            format!("durable publishes on {what}"),
            format!("{}, p99 {}", rate.median, late.median),
            beside,
        ]);
    }
    let line = |cells: [String; 3]| format!("| {} |\n", cells.join(" | "));
    let head = ["", "Tidings", "beside"].map(str::to_owned);
    let body: String = rows.into_iter().map(line).collect();
    Ok(format!("{}\n{}|---|---|---|\n{body}", report.conditions(), line(head)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Figure, Unit};

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = "a <!-- bench -->\nold\n<!-- /bench --> b";
        let new = between(text, "new\n").unwrap();
        assert_eq!(new, "a <!-- bench -->\nnew\n<!-- /bench --> b");
        assert_eq!(between(&new, "new\n").unwrap(), new);
        assert_eq!(between("no marks", "new"), None);
    }

    #[test]
    fn a_table_states_medians_and_ratios_and_asks_for_what_is_missing() {
        let mut report = Report::empty("a machine");
        assert!(table(&report).unwrap_err().contains("idle connection"));
        let mut add = |metric: &str, unit, figures: &[(&str, f64)]| {
            for (subject, value) in figures {
                report.add(metric, unit, subject, Figure::of(*value));
            }
        };
        add("idle connection", Unit::Bytes, &[("tidings", 5_000.0), ("node ws", 10_000.0)]);
        let woken = "idle connection, after one everyone-message";
        add(woken, Unit::Bytes, &[("tidings", 6_000.0)]);
        for mode in ["saturated", "windowed"] {
            let metric = format!("fan-out to 1000, {mode}");
            add(&metric, Unit::PerSecond, &[("tidings", 900.0), ("node ws", 100.0)]);
        }
        let metric = "CPU of a delivery to 1000, windowed";
        let streams =
            [("tidings", 1.0), ("tidings, EventSource", 1.4), ("tidings, fetched stream", 1.2)];
        add(metric, Unit::Microseconds, &streams);
        let all = [
            ("tidings", 3_000.0),
            ("tidings on PostgreSQL", 1_500.0),
            ("node ws", 10_000.0),
            ("node ws, fdatasync", 6_000.0),
        ];
        add("publish, 16 at once", Unit::PerSecond, &all);
        add("publish, 16 at once, p99", Unit::Milliseconds, &all);
        let table = table(&report).unwrap();
        for row in [
            "| 5,000 B (6,000 B after an everyone-message) | 0.50× of Node `ws`, which does neither |",
            "| 900/s | 9.00× of Node `ws` |",
            "an `EventSource` | 1.40 µs | 1.40× of WebSocket's |",
            "SQLite | 3,000/s, p99 3000.00 ms | 0.50× of Node `ws` with an `fdatasync` for each |",
            "PostgreSQL | 1,500/s, p99 1500.00 ms | 0.50× of SQLite's |",
        ] {
            assert!(table.contains(row), "{row} in\n{table}");
        }
    }
}
