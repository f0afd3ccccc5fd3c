//! Publishes a second, with each publisher waiting for the answer before its next publish:
//! notifications to one user for each publisher, without subscribers.
//!
//! Tidings assigns an offset, updates the counts and syncs to disk before the answer; it joins
//! publishes that arrive together into one commit. Node stores nothing (`node ws`), or appends the
//! body to a file and calls `fdatasync` for each publish (`node ws, fdatasync`). PostgreSQL, where
//! used, shares the server's core.

use std::rc::Rc;

use crate::{
    BenchError,
    args::{Args, Bench},
    load::{self, Pace},
    machine::Cores,
    report::{Figure, Report, Unit},
    step::Step,
    subject::{Binaries, Kind, Running, To, Way},
    swarm::Swarm,
};

pub(crate) async fn run(
    args: &Args,
    binaries: &Binaries,
    cores: &Cores,
    label: &str,
    report: &mut Report,
) -> Result<(), BenchError> {
    let (publish, postgres) = (&[Bench::Publish], &[Bench::Postgres]);
    let subjects: [(_, _, &[Bench]); 4] = [
        (Kind::Tidings, "tidings", &[Bench::Publish, Bench::Postgres]),
        (Kind::TidingsPostgres, "tidings on PostgreSQL", postgres),
        (Kind::Node, "node ws", publish),
        (Kind::NodeDurable, "node ws, fdatasync", publish),
    ];
    for (kind, name, benches) in subjects {
        if !args.wants(benches) {
            continue;
        }
        let step = Step::begin(format!("{label}: {} publishers to {name}", args.publishers));
        let subject = Running::start(kind, binaries, cores).await?;
        let users = 0..args.publishers;
        let requests =
            users.map(|user| vec![subject.publish(To::User(user), args.bytes)]).collect();
        let nobody = || 0;
        let measured =
            load::publish(&subject, requests, 1, Pace::Free, args.seconds, nobody).await?;
        let metric = format!("publish, {} at once", args.publishers);
        let figure = Figure::of(measured.published).shares(&measured);
        report.add(&metric, Unit::PerSecond, name, figure);
        for percent in [50, 99] {
            let metric = format!("publish, {} at once, p{percent}", args.publishers);
            let latency = measured.percentile(percent).as_secs_f64() * 1_000.0;
            report.add(&metric, Unit::Milliseconds, name, Figure::of(latency));
        }
        step.end();
    }
    listened(args, binaries, cores, label, report).await
}

/// The same to users of whom each listens: publishers take turns with them, so that each commit is
/// about other inboxes than the one before.
async fn listened(
    args: &Args,
    binaries: &Binaries,
    cores: &Cores,
    label: &str,
    report: &mut Report,
) -> Result<(), BenchError> {
    if !args.wants(&[Bench::Publish]) {
        return Ok(());
    }
    let (users, publishers) = (args.subscribers, args.publishers.min(args.subscribers));
    let what = format!("publish to {users} users who listen, {publishers} at once");
    let step = Step::begin(format!("{label}: {what}"));
    let subject = Rc::new(Running::start(Kind::Tidings, binaries, cores).await?);
    let swarm = Swarm::open(&subject, users, Way::JoinedFrames).await?;
    let theirs = |first| (first..users).step_by(publishers as usize);
    let request = |user| subject.publish(To::User(user), args.bytes);
    let requests = (0..publishers).map(|first| theirs(first).map(request).collect()).collect();
    let received = || swarm.tally.messages();
    let measured = load::publish(&subject, requests, 1, Pace::Free, args.seconds, received).await?;
    swarm.tally.reach(measured.total).await?;
    swarm.tally.intact()?;
    let figure = Figure::of(measured.published).shares(&measured);
    report.add(&what, Unit::PerSecond, "tidings", figure);
    let cpu = measured.server / 100.0 / measured.published * 1e6;
    report.add(&format!("CPU of a {what}"), Unit::Microseconds, "tidings", Figure::of(cpu));
    swarm.close().await;
    step.end();
    Ok(())
}
