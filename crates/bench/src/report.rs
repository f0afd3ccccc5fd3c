//! Medians, ratios to Node, a table for people and JSON for machines.

use std::{fs, path::Path};

use serde::Serialize;

use crate::{BenchError, args::Args, load::Measured, machine};

/// What the others are compared with.
const BASELINE: &str = "node ws";

/// Of a figure.
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

/// One run's.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Figure {
    value: f64,
    /// Share of its core the server took, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    server_core: Option<f64>,
    /// Share of its core the generator took: near 100 means that the server may be faster than
    /// this.
    #[serde(skip_serializing_if = "Option::is_none")]
    generator_core: Option<f64>,
    /// What other processes took of all cores: not near 0 means that the figure is worth little.
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
    /// Median divided by the baseline's.
    to_node: Option<f64>,
}

/// Everything measured.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: String,
    server_core: usize,
    generator_core: usize,
    seconds: u32,
    payload_bytes: u32,
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
            rows: Vec::new(),
        }
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
            }),
        }
        self.conclude();
    }

    fn conclude(&mut self) {
        for row in &mut self.rows {
            row.median = median(row.runs.iter().map(|run| run.value));
        }
        let baseline: Vec<_> = self.rows.iter().filter(|row| row.subject == BASELINE).collect();
        let baseline: Vec<_> =
            baseline.iter().map(|row| (row.metric.clone(), row.median)).collect();
        for row in &mut self.rows {
            let found = baseline.iter().find(|(metric, _)| *metric == row.metric);
            row.to_node =
                found.map(|(_, median)| row.median / median).filter(|ratio| ratio.is_finite());
        }
        // One metric's subjects stand together, in the order they were first measured.
        let order: Vec<_> = self.rows.iter().map(|row| row.metric.clone()).collect();
        self.rows.sort_by_key(|row| order.iter().position(|metric| *metric == row.metric));
    }

    /// The table.
    pub(crate) fn print(&self) {
        println!(
            "\n{}; server on core {}, generator on core {}",
            self.machine, self.server_core, self.generator_core
        );
        println!(
            "medians; payload {} bytes; ratio to `{BASELINE}`; shares of their core\n",
            self.payload_bytes
        );
        let header = ["", "subject", "median", "spread", "ratio", "server", "generator", "others"];
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
                row.to_node.map(|ratio| format!("{ratio:.2}×")).unwrap_or_default(),
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

    /// The same as JSON, all runs included.
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

/// Whole, with commas between thousands.
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
    fn each_subject_is_compared_with_node_doing_the_same() {
        let mut report = Report {
            machine: String::new(),
            server_core: 0,
            generator_core: 1,
            seconds: 1,
            payload_bytes: 1,
            rows: Vec::new(),
        };
        for (metric, subject, value) in [
            ("a", "tidings", 30.0),
            ("b", "tidings", 5.0),
            ("a", BASELINE, 10.0),
            ("a", "tidings", 50.0),
        ] {
            report.add(metric, Unit::PerSecond, subject, Figure::of(value));
        }
        let ratio = |subject: &str, metric: &str| {
            report
                .rows
                .iter()
                .find(|row| row.subject == subject && row.metric == metric)
                .unwrap()
                .to_node
        };
        assert_eq!(ratio("tidings", "a"), Some(4.0));
        assert_eq!(ratio("tidings", "b"), None);
    }
}
