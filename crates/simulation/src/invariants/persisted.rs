//! I15 over crashes: an intent on a browser's disk ends as stored, or as an error that an app of
//! its user shows.

use std::collections::{BTreeMap, BTreeSet};

use tidings_protocol::ServerMessage;

use super::{
    Checker, Scene,
    rows::{Answer, Row, Rows},
};
use crate::{observation::Observation, storage::RowKey, world::message_of};

/// Persisted intents and their ends. User and content identify an intent.
#[derive(Debug, Default)]
pub(super) struct Persisted {
    rows: Rows,
    /// The lane and `seq` from which each was last to be sent.
    last: BTreeMap<(String, String), RowKey>,
    /// Intents whose rows can't be read any more.
    damaged: BTreeSet<(String, String)>,
    /// Errors shown, by user.
    shown: BTreeMap<String, usize>,
}

impl Checker for Persisted {
    fn invariant(&self) -> &'static str {
        "I15"
    }

    fn observe(&mut self, _: &Scene<'_>, observation: &Observation) -> Result<(), String> {
        match observation {
            Observation::Persisted { user, changes } => {
                let new = self.rows.persist(user, changes).into_iter();
                let new = new.filter(|(_, row)| !row.refused);
                self.last
                    .extend(new.map(|(row_key, row)| ((user.clone(), row.operation), row_key)));
            }
            Observation::Damaged { key: row_key } => {
                let row = self.rows.at(row_key);
                self.damaged.extend(row.map(|row| (row_key.0.clone(), row.operation.clone())));
            }
            Observation::Left { guest, messages, .. } => {
                messages.iter().for_each(|one| self.rows.left(guest, one));
            }
            Observation::Failed { user } => *self.shown.entry(user.clone()).or_default() += 1,
            _ => {}
        }
        Ok(())
    }

    fn settled(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let stored = self.stored(scene);
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, row_key) in &self.last {
            let (user, operation) = key;
            let is_message = self.rows.at(row_key).is_some_and(|row| row.message.is_some());
            match self.rows.answer(row_key) {
                _ if self.damaged.contains(key) || stored.contains(key) => {}
                None => return Err(format!("{user} had {operation} kept, and it has no end")),
                Some(Answer::Record) => {
                    return Err(format!("{operation} of {user} is said to be stored and is not"));
                }
                Some(Answer::Nothing) if !is_message => {}
                Some(Answer::Nothing | Answer::Refused) => {
                    *refused.entry(user).or_default() += 1;
                }
            }
        }
        for (user, refused) in refused {
            let shown = self.shown.get(user).copied().unwrap_or_default();
            if shown < refused {
                return Err(format!("{refused} intents of {user} were refused, {shown} are shown"));
            }
        }
        Ok(())
    }
}

impl Persisted {
    /// Intents that are in a log, from any lane and `seq`.
    fn stored(&self, scene: &Scene<'_>) -> BTreeSet<(String, String)> {
        let (messages, row_keys) = facts(scene);
        let is_fact = |((_, lane, seq), row): &(&RowKey, &Row)| {
            row_keys.contains(&(lane.as_str(), *seq))
                || row.message.is_some_and(|message| messages.contains(&message))
        };
        let facts = self.rows.iter().filter(is_fact);
        facts.map(|((user, ..), row)| (user.clone(), row.operation.clone())).collect()
    }
}

/// Messages of apps, and places in lanes, that are in some log.
fn facts<'a>(scene: &'a Scene<'_>) -> (BTreeSet<u64>, BTreeSet<(&'a str, u64)>) {
    let (mut messages, mut row_keys) = (BTreeSet::new(), BTreeSet::new());
    for fact in scene.history.logs().flat_map(|(_, log)| &log.facts) {
        let (lane, seq) = match fact {
            ServerMessage::Message(message) => {
                messages.extend(message_of(&message.data));
                (&message.client_id, message.seq)
            }
            ServerMessage::Marked(marked) => (&marked.client_id, marked.seq),
            _ => continue,
        };
        row_keys.extend(lane.as_deref().zip(seq));
    }
    (messages, row_keys)
}

#[cfg(test)]
mod tests {
    use tidings_client_core::Change;

    use super::*;
    use crate::{
        invariants::testing::{Stage, left, publish_as, room},
        world::words,
    };

    fn persist(seq: u64, message: u64) -> Observation {
        let (channel, data) = (room(), words(message, 0));
        let sent = format!(
            r#"{{"type":"publish","channel":"{channel}","client_id":"tab","seq":{seq},"data":{}}}"#,
            data.as_str()
        );
        let text = format!("17\n{sent}");
        let changes = vec![Change::Put { lane: "tab".into(), seq, text }];
        Observation::Persisted { user: "mina".into(), changes }
    }

    fn refused(seq: u64) -> String {
        format!(
            r#"{{"type":"error","client_id":"tab","seq":{seq},"code":"forbidden","message":"","retry":"never"}}"#
        )
    }

    #[test]
    fn a_persisted_intent_without_an_end_is_found() {
        let mut stage = Stage::new();
        let mut checker = Persisted::default();
        stage.observe(&mut checker, &persist(1, 1)).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
        publish_as(&mut stage, "tab", 1, 1);
        checker.settled(&stage.scene()).unwrap();
    }

    #[test]
    fn a_refusal_that_nobody_is_shown_is_found() {
        let stage = Stage::new();
        let mut checker = Persisted::default();
        stage.observe(&mut checker, &persist(1, 1)).unwrap();
        stage.observe(&mut checker, &left(&[&refused(1)])).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
        stage.observe(&mut checker, &Observation::Failed { user: "mina".into() }).unwrap();
        checker.settled(&stage.scene()).unwrap();
        // It was tried again, without an end.
        stage.observe(&mut checker, &persist(2, 1)).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
    }

    #[test]
    fn an_ack_without_a_record_is_found() {
        let stage = Stage::new();
        let mut checker = Persisted::default();
        stage.observe(&mut checker, &persist(1, 1)).unwrap();
        let ack = r#"{"type":"ack","client_id":"tab","seq":1,"channel":"room:a","epoch":"aaaaaaaa","offset":1,"record_id":"r"}"#;
        stage.observe(&mut checker, &left(&[ack])).unwrap();
        checker.settled(&stage.scene()).unwrap_err();
    }
}
