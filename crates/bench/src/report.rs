//! Medians, ratios to the compared subjects, a table for people and JSON for machines.

use std::{fs, path::Path};

use serde::Serialize;

use crate::{BenchError, args::Args, load::Measured, machine};

/// The subject that all others are compared with: another server that does the same basic job.
const NODE: &str = "node ws";
/// The second subject to compare with: Tidings in its plainest form, over WebSocket, one message a
/// frame, on SQLite.
const TIDINGS: &str = "tidings";

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Less is better.
    Bytes,
    /// Less is better.
    Microseconds,
    /// Less is better.
    Milliseconds,
    /// More is better.
    PerSecond,
}

/// One run's figure.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figure {
    value: f64,
    /// The server's share of its core, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_core: Option<f64>,
    /// The generator's share of its core, in percent. Near 100, the server may be faster than
    /// measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    generator_core: Option<f64>,
    /// Other processes' share of all cores, in percent. The figure is worth little if this is not
    /// near 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<f64>,
}

impl Figure {
    pub(crate) fn of(value: f64) -> Self {
        Self { value, server_core: None, generator_core: None, others: None }
    }

    pub(crate) fn shares(self, measured: &Measured) -> Self {
        Self {
            server_core: Some(measured.server),
            generator_core: Some(measured.generator),
            others: Some(measured.others),
            ..self
        }
    }
}

#[derive(Serialize)]
struct Row {
    metric: String,
    unit: Unit,
    subject: String,
    runs: Vec<Figure>,
    median: f64,
    /// Median divided by that of `node ws`.
    to_node: Option<f64>,
    /// Median divided by that of `tidings`, for other forms of Tidings.
    to_tidings: Option<f64>,
}

/// All figures.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    server_core: usize,
    generator_core: usize,
    seconds: u32,
    payload_bytes: u32,
    subscribers: u32,
    publishers: u32,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(args: &Args, cores: &machine::Cores) -> Self {
        Self {
            machine: machine::description(),
            server_core: cores.server,
            generator_core: cores.generator,
            seconds: args.seconds,
            payload_bytes: args.bytes,
            subscribers: args.subscribers,
            publishers: args.publishers,
            rows: Vec::new(),
        }
    }

    /// A report without figures.
    #[cfg(test)]
    pub(crate) fn empty(machine: &str) -> Self {
        Self {
            machine: machine.to_owned(),
            server_core: 0,
            generator_core: 1,
            seconds: 1,
            payload_bytes: 1,
            subscribers: 1,
            publishers: 1,
            rows: Vec::new(),
        }
    }

    /// The conditions of these figures, in a sentence.
    pub(crate) fn conditions(&self) -> String {
        let runs = self.rows.iter().map(|row| row.runs.len()).max().unwrap_or_default();
        let load = format!(
            "{} subscribers, {} publishers, {} bytes of payload",
            grouped(self.subscribers.into()),
            self.publishers,
            self.payload_bytes
        );
        format!("Medians of {runs} runs of {} s: {load}; {}.\n", self.seconds, self.machine)
    }

    /// Adds one run's figure.
    pub(crate) fn add(&mut self, metric: &str, unit: Unit, subject: &str, figure: Figure) {
        eprintln!("  {metric}, {subject}: {}", shown(figure.value, unit));
        let found = self.rows.iter_mut().find(|row| row.metric == metric && row.subject == subject);
        match found {
            Some(row) => row.runs.push(figure),
            None => self.rows.push(Row {
                metric: metric.to_owned(),
                unit,
                subject: subject.to_owned(),
                runs: vec![figure],
                median: 0.0,
                to_node: None,
                to_tidings: None,
            }),
        }
        self.conclude();
    }

    fn conclude(&mut self) {
        for row in &mut self.rows {
            row.median = median(row.runs.iter().map(|run| run.value));
        }
        let medians: Vec<_> = self
            .rows
            .iter()
            .map(|row| (row.metric.clone(), row.subject.clone(), row.median))
            .collect();
        for row in &mut self.rows {
            let to = |subject: &str| {
                let mut same = medians.iter().filter(|(metric, ..)| *metric == row.metric);
                let (.., median) = same.find(|(_, other, _)| other == subject)?;
                Some(row.median / median).filter(|ratio| ratio.is_finite())
            };
            let (to_node, to_tidings) = (to(NODE), to(TIDINGS));
            row.to_node = to_node;
            let is_other_form = row.subject != TIDINGS && row.subject.starts_with(TIDINGS);
            row.to_tidings = to_tidings.filter(|_| is_other_form);
        }
        // A metric's subjects stand together, in the order of their first measurement.
        let order: Vec<_> = self.rows.iter().map(|row| row.metric.clone()).collect();
        self.rows.sort_by_key(|row| order.iter().position(|metric| *metric == row.metric));
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!(
            "\n{}; server on core {}, generator on core {}",
            self.machine, self.server_core, self.generator_core
        );
        println!(
            "medians; payload {} bytes; ratios to `{NODE}` and to `{TIDINGS}`; shares of their core\n",
            self.payload_bytes
        );
        let header = [
            "",
            "subject",
            "median",
            "spread",
            "÷ node",
            "÷ tidings",
            "server",
            "generator",
            "others",
        ];
        let mut lines = vec![header.map(String::from)];
        let mut last = "";
        for row in &self.rows {
            let metric = if row.metric == last { "" } else { &row.metric };
            last = &row.metric;
            let share = |of: fn(&Figure) -> Option<f64>| {
                let shares: Vec<_> = row.runs.iter().filter_map(of).collect();
                if shares.is_empty() {
                    String::new()
                } else {
                    format!("{:.0} %", median(shares.into_iter()))
                }
            };
            lines.push([
                metric.to_owned(),
                row.subject.clone(),
                shown(row.median, row.unit),
                spread(row),
                row.to_node.map(times).unwrap_or_default(),
                row.to_tidings.map(times).unwrap_or_default(),
                share(|run| run.server_core),
                share(|run| run.generator_core),
                share(|run| run.others),
            ]);
        }
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..header.len()).map(width).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (text, width))| {
                // Names to the left, figures to the right.
                if column < 2 { format!("{text:<width$}") } else { format!("{text:>width$}") }
            });
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }

    /// Writes all runs as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<(), BenchError> {
        let failed = || format!("writing {}", path.display());
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| BenchError::io(failed())(error.into()))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(BenchError::io(failed()))?;
        }
        fs::write(path, text + "\n").map_err(BenchError::io(failed()))?;
        println!("\nall runs: {}", path.display());
        Ok(())
    }
}

/// A figure's median with its ratios, for a document.
pub(crate) struct Stated {
    pub(crate) median: String,
    pub(crate) to_node: Option<f64>,
    pub(crate) to_tidings: Option<f64>,
}

impl Report {
    /// The figure of a subject. The metric is given by its beginning and its end, because the
    /// middle holds the arguments of the run.
    pub(crate) fn stated(&self, metric: &str, end: &str, subject: &str) -> Option<Stated> {
        let is_it = |row: &&Row| {
            row.subject == subject && row.metric.starts_with(metric) && row.metric.ends_with(end)
        };
        let row = self.rows.iter().find(is_it)?;
        let median = shown(row.median, row.unit);
        Some(Stated { median, to_node: row.to_node, to_tidings: row.to_tidings })
    }
}

/// A ratio in a form for readers.
pub(crate) fn times(ratio: f64) -> String {
    format!("{ratio:.2}×")
}

fn spread(row: &Row) -> String {
    let values = row.runs.iter().map(|run| run.value);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    format!("{}–{}", shown(low, row.unit), shown(high, row.unit))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or_default();
    match values.len() % 2 {
        0 => values.get(middle.wrapping_sub(1)).map_or(upper, |lower| f64::midpoint(*lower, upper)),
        _ => upper,
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => format!("{} B", grouped(value)),
        Unit::PerSecond => format!("{}/s", grouped(value)),
        Unit::Microseconds => format!("{value:.2} µs"),
        Unit::Milliseconds => format!("{value:.2} ms"),
    }
}

/// A whole number, with commas between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn large_figures_can_be_read() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(shown(0.126, Unit::Milliseconds), "0.13 ms");
    }

    #[test]
    fn each_subject_is_compared_with_those_that_do_the_same() {
        let mut report = Report::empty("");
        for (metric, subject, value) in [
            ("a", "tidings", 30.0),
            ("b", "tidings", 5.0),
            ("a", NODE, 10.0),
            ("a", "tidings", 50.0),
            ("a", "tidings, otherwise", 60.0),
        ] {
            report.add(metric, Unit::PerSecond, subject, Figure::of(value));
        }
        let ratio = |subject: &str, metric: &str| {
            report
                .rows
                .iter()
                .find(|row| row.subject == subject && row.metric == metric)
                .map(|row| (row.to_node, row.to_tidings))
                .unwrap()
        };
        assert_eq!(ratio("tidings", "a"), (Some(4.0), None));
        assert_eq!(ratio("tidings, otherwise", "a"), (Some(6.0), Some(1.5)));
        assert_eq!(ratio("tidings", "b"), (None, None));
    }
}
