//! Deliveries a second: everyone-messages published over REST, received by all subscribers.
//!
//! Tidings stores each message durably before it delivers it; Node only forwards it. `windowed`: at
//! most 32 publishes have not reached all subscribers. `saturated`: sixteen publishers, each with
//! eight requests in flight, whether delivered or not. After each run, every message must have
//! reached every subscriber.

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

const WINDOW: u64 = 32;
const PUBLISHERS: usize = 16;
const DEPTH: usize = 8;

pub(crate) async fn run(
    args: &Args,
    binaries: &Binaries,
    cores: &Cores,
    label: &str,
    report: &mut Report,
) -> Result<(), BenchError> {
    let (fanout, sse) = (&[Bench::Fanout], &[Bench::Sse]);
    let subjects: [(_, _, _, &[Bench]); 5] = [
        (Kind::Tidings, Way::Frames, "tidings", &[Bench::Fanout, Bench::Sse]),
        (Kind::Node, Way::Frames, "node ws", fanout),
        (Kind::Tidings, Way::JoinedFrames, "tidings, joined frames", fanout),
        (Kind::Tidings, Way::EventSource, "tidings, EventSource", sse),
        (Kind::Tidings, Way::FetchedStream, "tidings, fetched stream", sse),
    ];
    for (kind, way, name, benches) in subjects {
        if !args.wants(benches) {
            continue;
        }
        for saturated in [false, true] {
            let mode = if saturated { "saturated" } else { "windowed" };
            let what = format!("fan-out to {} subscribers of {name}, {mode}", args.subscribers);
            let step = Step::begin(format!("{label}: {what}"));
            let subject = Rc::new(Running::start(kind, binaries, cores).await?);
            let swarm = Swarm::open(&subject, args.subscribers, way).await?;
            let (tally, subscribers) = (&swarm.tally, u64::from(args.subscribers));
            let request = subject.publish(To::Broadcast, args.bytes);
            let requests = vec![vec![request]; PUBLISHERS];
            let (depth, pace) = if saturated {
                (DEPTH, Pace::Free)
            } else {
                let tally = Rc::clone(tally);
                (1, Pace::Delivered { window: WINDOW, subscribers, tally })
            };
            let received = || tally.messages();
            let measured =
                load::publish(&subject, requests, depth, pace, args.seconds, received).await?;
            tally.reach(measured.total * subscribers).await?;
            tally.intact()?;
            if tally.messages() != measured.total * subscribers {
                let message = format!("{name} delivered more than was published");
                return Err(BenchError::Subject(message));
            }
            let metric = format!("fan-out to {subscribers}, {mode}");
            let figure = Figure::of(measured.delivered).shares(&measured);
            report.add(&metric, Unit::PerSecond, name, figure);
            let cpu = measured.server / 100.0 / measured.delivered * 1e6;
            let metric = format!("CPU of a delivery to {subscribers}, {mode}");
            report.add(&metric, Unit::Microseconds, name, Figure::of(cpu));
            swarm.close().await;
            step.end();
        }
    }
    Ok(())
}
