//! Memory of idle connections: the resident memory of the process, divided by the connections.
//!
//! Tidings' connections are authenticated, each as another user, and subscribed to the inbox and
//! `system:all`. Node's are bare sockets.

use std::rc::Rc;

use crate::{
    BenchError,
    args::{Args, Bench},
    http::Http,
    machine::Cores,
    report::{Figure, Report, Unit},
    step::Step,
    subject::{Binaries, Kind, Running, To, Way},
    swarm::Swarm,
};

/// Connections that are opened and closed first, so that one-time costs of the process are not
/// counted.
const WARM_UP: u32 = 100;

pub(crate) async fn run(
    args: &Args,
    binaries: &Binaries,
    cores: &Cores,
    label: &str,
    report: &mut Report,
) -> Result<(), BenchError> {
    let subjects = [
        (Kind::Tidings, Way::JoinedFrames, "tidings"),
        (Kind::Node, Way::Frames, "node ws"),
        (Kind::Tidings, Way::EventSource, "tidings, streams"),
    ];
    for (kind, way, name) in subjects {
        if !args.wants(&[Bench::Idle]) {
            continue;
        }
        let step = Step::begin(format!("{label}: {} idle connections to {name}", args.connections));
        let subject = Rc::new(Running::start(kind, binaries, cores).await?);
        Swarm::open(&subject, WARM_UP, way).await?.close().await;
        let before = subject.settled_memory().await?;

        let swarm = Swarm::open(&subject, args.connections, way).await?;
        let waiting = subject.settled_memory().await?;
        let mut http = Http::connect(subject.address).await?;
        http.ask(&subject.publish(To::Broadcast, args.bytes)).await?;
        swarm.tally.reach(u64::from(args.connections)).await?;
        let woken = subject.settled_memory().await?;
        swarm.tally.intact()?;

        let each =
            |resident: u64| resident.saturating_sub(before) as f64 / f64::from(args.connections);
        report.add("idle connection", Unit::Bytes, name, Figure::of(each(waiting)));
        let after = "idle connection, after one everyone-message";
        report.add(after, Unit::Bytes, name, Figure::of(each(woken)));
        swarm.close().await;
        step.end();
    }
    Ok(())
}
