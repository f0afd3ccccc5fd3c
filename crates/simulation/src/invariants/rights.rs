//! I8: nothing is delivered to one without the right, nor after a revocation and the bound on hearing of it.

use tidings_protocol::{Channel, ServerMessage};
use tidings_server_core::store::Revocation;

use super::{Checker, Scene};
use crate::{gate::hits, sight::Sight};

/// Milliseconds until every node has heard of a revocation.
const BOUND: u64 = 5_000;

/// Revocations and when they became durable; the last time the store could not be asked.
#[derive(Debug, Default)]
pub(super) struct Rights {
    revoked: Vec<(u64, Revocation)>,
    failed_at: u64,
}

impl Checker for Rights {
    fn invariant(&self) -> &'static str {
        "I8"
    }

    fn saw(&mut self, scene: &Scene<'_>, sight: &Sight) -> Result<(), String> {
        match sight {
            Sight::StoreFailed => self.failed_at = scene.now,
            Sight::Revoked { subject, at } => {
                let revocation = Revocation { subject: subject.clone(), at: *at, until: u64::MAX };
                self.revoked.push((scene.now, revocation));
            }
            Sight::Left { guest, said, .. } => {
                for one in said {
                    let Some(channel) = channel_of(&one.message) else { continue };
                    if !channel.is_system() && channel.inbox_user() != Some(&guest.user) {
                        return Err(format!("{} was told of {channel}", guest.user));
                    }
                    let late = |(since, revocation): &&(u64, Revocation)| {
                        hits(revocation, guest) && scene.now > since.max(&self.failed_at) + BOUND
                    };
                    if let Some((since, revocation)) = self.revoked.iter().find(late) {
                        return Err(format!(
                            "{guest:?} was told of {channel} {} ms after {revocation:?}",
                            scene.now - since
                        ));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The channel a record, or a whole inbox, is of.
const fn channel_of(message: &ServerMessage) -> Option<&Channel> {
    match message {
        ServerMessage::Notification(record) => Some(&record.channel),
        ServerMessage::Marked(record) => Some(&record.channel),
        ServerMessage::Trimmed(record) => Some(&record.channel),
        ServerMessage::Message(record) => Some(&record.channel),
        ServerMessage::Snapshot(snapshot) => Some(&snapshot.channel),
        ServerMessage::Page(page) => Some(&page.channel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidings_server_core::store::Subject;

    use super::*;
    use crate::invariants::testing::{Stage, left, notification};

    #[test]
    fn a_record_of_somebody_else_is_found() {
        let stage = Stage::new();
        let mut checker = Rights::default();
        stage.saw(&mut checker, &left(&[&notification("inbox:mina", 1, "")])).unwrap();
        stage.saw(&mut checker, &left(&[&notification("system:all", 1, "")])).unwrap();
        stage.saw(&mut checker, &left(&[&notification("inbox:tom", 1, "")])).unwrap_err();
    }

    #[test]
    fn a_record_long_after_the_revocation_is_found() {
        let mut stage = Stage::new();
        let mut checker = Rights::default();
        let subject = Subject::Session("s".into());
        stage.saw(&mut checker, &Sight::Revoked { subject, at: 1 }).unwrap();
        let record = left(&[&notification("inbox:mina", 1, "")]);
        stage.now = BOUND;
        stage.saw(&mut checker, &record).unwrap();
        stage.now = BOUND + 1;
        stage.saw(&mut checker, &record).unwrap_err();
    }
}
