//! Cores, limits, and figures of a process from `/proc`. Linux only, as the benches are.

use std::{fs, time::Duration};

use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::BenchError;

/// Raises the soft limit of open files to the hard limit, and returns it.
pub(crate) fn raise_open_files() -> Result<u64, BenchError> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)
        .map_err(|error| BenchError::io("raising the limit of open files")(error.into()))?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// One core for the server under test, another for the generator.
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) generator: usize,
}

impl Cores {
    /// The last core for the server and the one before it for the generator: the first core serves
    /// most interrupts.
    pub(crate) fn pick() -> Result<Self, BenchError> {
        let set = sched_getaffinity(None)
            .map_err(|error| BenchError::io("reading the cores")(error.into()))?;
        let mut usable = (0..CpuSet::MAX_CPU).rev().filter(|core| set.is_set(*core));
        match (usable.next(), usable.next()) {
            (Some(server), Some(generator)) => Ok(Self { server, generator }),
            _ => Err(BenchError::Machine("the benches need two cores".to_owned())),
        }
    }

    /// Binds this process to the generator's core.
    pub(crate) fn pin_generator(&self) -> Result<(), BenchError> {
        let mut set = CpuSet::new();
        set.set(self.generator);
        sched_setaffinity(None, &set)
            .map_err(|error| BenchError::io("binding to a core")(error.into()))
    }
}

/// A process, by its id.
#[derive(Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn of(id: u32) -> Self {
        Self(id)
    }

    pub(crate) fn own() -> Self {
        Self(std::process::id())
    }

    /// Resident memory in bytes, without the kernel's memory for its sockets.
    pub(crate) fn resident(self) -> Result<u64, BenchError> {
        let statm = self.read("statm")?;
        let pages =
            statm.split_ascii_whitespace().nth(1).and_then(|field| field.parse::<u64>().ok());
        let pages = pages.ok_or_else(|| unreadable("statm"))?;
        Ok(pages * page_size() as u64)
    }

    /// CPU time so far, user and system.
    pub(crate) fn cpu(self) -> Result<Duration, BenchError> {
        let stat = self.read("stat")?;
        // The name, in parentheses, may hold spaces; the counted fields follow it.
        let (_, fields) = stat.rsplit_once(')').ok_or_else(|| unreadable("stat"))?;
        let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
        let (Some(Ok(user)), Some(Ok(system))) = (times.next(), times.next()) else {
            return Err(unreadable("stat"));
        };
        Ok(Duration::from_millis((user + system) * 1_000 / clock_ticks_per_second()))
    }

    fn read(self, file: &str) -> Result<String, BenchError> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).map_err(BenchError::io(path))
    }
}

/// CPU time of all processes together, including time that the host gave to other machines.
pub(crate) fn busy() -> Result<Duration, BenchError> {
    let stat = fs::read_to_string("/proc/stat").map_err(BenchError::io("/proc/stat"))?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu "));
    let fields = line.ok_or_else(|| unreadable("stat"))?.split_ascii_whitespace();
    let ticks: Vec<_> = fields.filter_map(|field| field.parse::<u64>().ok()).collect();
    // The fields are user, nice, system, idle, iowait, irq, softirq, steal. Time that belongs to no
    // process is left out.
    let counted = [0, 1, 2, 7].into_iter().filter_map(|field| ticks.get(field));
    Ok(Duration::from_millis(counted.sum::<u64>() * 1_000 / clock_ticks_per_second()))
}

fn unreadable(file: &str) -> BenchError {
    BenchError::Machine(format!("/proc/…/{file} is not as Linux writes it"))
}

/// The machine in one line: figures of different machines can't be compared.
pub(crate) fn description() -> String {
    let of = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = of("/proc/cpuinfo");
    let field = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = field.map_or("unknown processor", |(_, model)| model.trim());
    let kernel = of("/proc/sys/kernel/osrelease");
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    // The rest names a build of the kernel, which tells a reader nothing.
    let number = kernel.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap_or_default();
    format!("{model}, {cores} cores, Linux {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_process() {
        assert!(Process::own().resident().unwrap() > 100_000);
        // CPU time below a day shows that the right fields were read.
        let own = Process::own().cpu().unwrap();
        assert!(own < Duration::from_secs(86_400));
        assert!(own <= busy().unwrap(), "one process had more time than all of them");
    }
}
