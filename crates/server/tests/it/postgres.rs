//! PostgreSQL as a store: the contract, and its own properties.

use std::{sync::OnceLock, thread, time::Duration};

use tidings_backing::Postgres as Server;
use tidings_protocol::{Channel, Epoch, Json};
use tidings_server::log::{ConnectError, Connector, Postgres};
use tidings_server_core::{
    conformance,
    leases::{Claim, ConnectionId, ConnectionLeases as _, Verdict},
    store::{
        Answer, Draft, IdempotencyKey, Op, Query, Retention, Revocation, Store, StoreError,
        Subject, Write, Written,
    },
};

/// One server for all tests that do not harm it, with a database for each.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

pub(crate) fn connector(url: &str) -> Connector {
    let patience = Duration::from_secs(20);
    Connector { url: url.to_owned(), ca_file: None, connections: 4, patience }
}

pub(crate) fn open() -> Postgres {
    Postgres::open(&connector(&server().database())).unwrap()
}

/// Executes SQL in the database of a URL.
pub(crate) fn execute(url: &str, sql: &str) -> String {
    server().execute(name(url), sql)
}

/// The database's name in a URL.
fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

fn room(name: &str) -> Channel {
    Channel::parse(&format!("room:{name}")).unwrap()
}

fn message(channel: &Channel, id: &str) -> Write {
    let (channel, id) = (channel.clone(), id.to_owned());
    let data = Json::string(&id);
    let draft = Draft { channel, id, kind: String::new(), at: 1, data };
    Write { key: None, lane: None, op: Op::Message { draft, from: None } }
}

fn keyed(key: &str, write: Write) -> Write {
    let key = IdempotencyKey { credential: "c".into(), key: key.into(), fingerprint: [1; 32] };
    Write { key: Some(key), ..write }
}

fn say(store: &Postgres, channel: &Channel, id: &str) -> Written {
    store.commit(1, &[message(channel, id)]).unwrap().remove(0).unwrap()
}

fn epoch(store: &Postgres, channel: &Channel) -> Epoch {
    match store.read(&[Query::Heads(vec![channel.clone()])]).unwrap().remove(0) {
        Ok(Answer::Heads(heads)) => heads[0].unwrap().epoch,
        other => panic!("{other:?}"),
    }
}

fn ids(store: &Postgres, channel: &Channel) -> Result<Vec<(u64, String)>, StoreError> {
    let query =
        Query::Records { channel: channel.clone(), after: 0, limit: 9_999, bytes: u32::MAX };
    match store.read(&[query]).unwrap().remove(0)? {
        Answer::Records { records, .. } => {
            Ok(records.into_iter().map(|record| (record.offset, record.id)).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn postgres_keeps_the_contract() {
    conformance::run(&|| Box::new(open()));
}

#[test]
fn nodes_that_start_at_once_make_the_tables_once() {
    let url = server().database();
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            thread::spawn(move || Postgres::open(&connector(&url)).map(drop))
        })
        .collect();
    for node in nodes {
        node.join().unwrap().unwrap();
    }
}

#[test]
fn nodes_that_write_at_once_give_dense_offsets_and_wait_for_one_another_at_most() {
    let url = server().database();
    let rooms = ["a", "b", "c", "d"].map(room);
    let nodes: Vec<_> = (0..3)
        .map(|node| {
            let (url, rooms) = (url.clone(), rooms.clone());
            thread::spawn(move || {
                let store = Postgres::open(&connector(&url)).unwrap();
                for round in 0..40 {
                    // Each thread has another order: rows must still be locked in the same order.
                    let mut batch: Vec<Write> = rooms
                        .iter()
                        .map(|room| keyed(&format!("{node}-{round}-{room}"), message(room, "x")))
                        .collect();
                    batch.rotate_left((node + round) % 4);
                    for answer in store.commit(1, &batch).unwrap() {
                        assert!(matches!(answer, Ok(Written::Records { .. })), "{answer:?}");
                    }
                }
            })
        })
        .collect();
    nodes.into_iter().for_each(|node| node.join().unwrap());
    let store = Postgres::open(&connector(&url)).unwrap();
    for room in &rooms {
        let offsets: Vec<u64> = ids(&store, room).unwrap().into_iter().map(|(at, _)| at).collect();
        assert_eq!(offsets, (1..=120).collect::<Vec<_>>());
    }
    assert!(store.examine().unwrap().damage.is_empty());
}

#[test]
fn one_key_on_two_nodes_at_once_is_one_record() {
    let url = server().database();
    let nodes = [(); 2].map(|()| Postgres::open(&connector(&url)).unwrap());
    let room = room("a");
    thread::scope(|scope| {
        for store in &nodes {
            let room = &room;
            scope.spawn(move || {
                for n in 0..50 {
                    let write = keyed(&format!("k{n}"), message(room, &format!("m{n}")));
                    store.commit(1, &[write]).unwrap().remove(0).unwrap();
                }
            });
        }
    });
    assert_eq!(ids(&nodes[0], &room).unwrap().len(), 50);
}

#[test]
fn a_log_is_the_same_after_a_restart_and_another_on_another_timeline() {
    let mut server = Server::start();
    let (url, room) = (server.database(), room("a"));
    let open = |url: &str| Postgres::open(&connector(url)).unwrap();
    let store = open(&url);
    say(&store, &room, "1");
    let before = epoch(&store, &room);
    assert_eq!(epoch(&open(&url), &room), before);
    // The same node goes on: its connections break, and the next one checks the timeline.
    server.change_timeline();
    let after = loop {
        if let Ok(answers) = store.read(&[Query::Heads(vec![room.clone()])]) {
            match &answers[0] {
                Ok(Answer::Heads(heads)) => break heads[0].unwrap().epoch,
                // An old connection, found broken.
                _ => continue,
            }
        }
    };
    assert_ne!(after, before);
    assert_eq!(epoch(&open(&url), &room), after, "once");
    let renamed = Postgres::open_with_new_epochs(&connector(&url)).unwrap();
    assert_ne!(epoch(&renamed, &room), after, "by hand");
}

#[test]
fn a_write_that_fails_fails_alone() {
    let url = server().database();
    let (store, room) = (Postgres::open(&connector(&url)).unwrap(), room("a"));
    say(&store, &room, "1");
    server().execute(
        name(&url),
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''refused by the test''; END';
         CREATE TRIGGER broken BEFORE INSERT ON record FOR EACH ROW
             WHEN (new.id = 'bad') EXECUTE FUNCTION refuse()",
    );
    let batch = ["good", "bad", "better"].map(|id| keyed(id, message(&room, id)));
    let answers = store.commit(1, &batch).unwrap();
    assert!(matches!(&answers[1], Err(StoreError::Unavailable(_))), "{:?}", answers[1]);
    let expected = [(1, "1"), (2, "good"), (3, "better")].map(|(at, id)| (at, id.to_owned()));
    assert_eq!(ids(&store, &room).unwrap(), expected);
    // Nothing of it was stored.
    server().execute(name(&url), "DROP TRIGGER broken ON record");
    let again = store.commit(1, &[batch[1].clone()]).unwrap().remove(0).unwrap();
    assert!(matches!(again, Written::Records { .. }), "{again:?}");
}

#[test]
fn a_commit_whose_answer_does_not_come_is_unknown_and_its_repeat_is_stored_once() {
    let url = server().database();
    let (store, room) = (Postgres::open(&connector(&url)).unwrap(), room("a"));
    say(&store, &room, "1");
    // The connection breaks in the middle of COMMIT.
    server().execute(
        name(&url),
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON record DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (new.id = 'deadly') EXECUTE FUNCTION die()",
    );
    let write = keyed("k", message(&room, "deadly"));
    let answer = store.commit(1, std::slice::from_ref(&write));
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    server().execute(name(&url), "DROP TRIGGER dies ON record");
    // The publisher repeats until it gets an answer, and once more.
    let stored = loop {
        if let Ok(mut answers) = store.commit(1, std::slice::from_ref(&write)) {
            break answers.remove(0).unwrap();
        }
    };
    assert!(matches!(stored, Written::Records { .. } | Written::Replayed(_)), "{stored:?}");
    let again = store.commit(1, &[write]).unwrap().remove(0).unwrap();
    assert!(matches!(again, Written::Replayed(_)), "{again:?}");
    assert_eq!(ids(&store, &room).unwrap().len(), 2);
}

#[test]
fn a_database_that_is_away_is_said_so_at_once_and_comes_back_by_itself() {
    let mut server = Server::start();
    let room = room("a");
    let patient = connector(&server.database());
    let store = Postgres::open(&Connector { patience: Duration::from_secs(2), ..patient }).unwrap();
    say(&store, &room, "1");
    server.kill();
    let away = store.commit(1, &[message(&room, "2")]).unwrap_err();
    assert!(matches!(away, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{away:?}");
    while store.health().is_ok() {
        thread::yield_now();
    }
    assert!(store.read(&[Query::Heads(vec![room.clone()])]).is_err());
    server.restart();
    while store.health().is_err() {
        thread::yield_now();
    }
    say(&store, &room, "3");
    // Frozen: connections stay open, but get no answer.
    server.freeze();
    assert!(store.commit(1, &[message(&room, "4")]).is_err());
    server.thaw();
    while store.commit(1, &[message(&room, "5")]).is_err() {
        thread::yield_now();
    }
    assert!(store.examine().unwrap().damage.is_empty());
}

#[test]
fn a_damaged_record_is_found_and_named() {
    let url = server().database();
    let (store, room) = (Postgres::open(&connector(&url)).unwrap(), room("a"));
    say(&store, &room, "1");
    server().execute(name(&url), "UPDATE record SET frame = frame || ' '::bytea");
    assert_eq!(ids(&store, &room), Err(StoreError::Corrupt { channel: room.clone(), offset: 1 }));
    assert_eq!(store.examine().unwrap().damage.len(), 1);
    say(&store, &room, "the rest goes on");
}

#[test]
fn numbers_of_revocations_have_no_holes_whoever_commits_first() {
    let url = server().database();
    let nodes = [(); 2].map(|()| Postgres::open(&connector(&url)).unwrap());
    thread::scope(|scope| {
        for store in &nodes {
            scope.spawn(move || {
                for n in 0..30 {
                    let subject = Subject::User(format!("u{n}"));
                    let op = Op::Revoke(Revocation { subject, at: 1, until: 9 });
                    let write = Write { key: None, lane: None, op };
                    store.commit(1, &[write.clone(), write]).unwrap();
                }
            });
        }
    });
    let query = Query::Revocations { after: 0, limit: 1_000 };
    match nodes[0].read(&[query]).unwrap().remove(0).unwrap() {
        Answer::Revocations(all) => {
            let numbers: Vec<u64> = all.into_iter().map(|(number, _)| number).collect();
            assert_eq!(numbers, (1..=120).collect::<Vec<_>>());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_node_at_a_time_enforces_retention() {
    let url = server().database();
    let nodes = [(); 3].map(|()| Postgres::open(&connector(&url)).unwrap());
    let rooms: Vec<Channel> = (0..30).map(|n| room(&n.to_string())).collect();
    for room in &rooms {
        let batch: Vec<Write> = (0..20).map(|n| message(room, &n.to_string())).collect();
        nodes[0].commit(1, &batch).unwrap();
    }
    let retention = Retention {
        records: 5,
        age_ms: 1 << 40,
        items: 9,
        keys_ms: 1 << 40,
        lanes_ms: 1 << 40,
        empty_lanes_ms: 1 << 40,
        channels_ms: 1 << 40,
    };
    thread::scope(|scope| {
        for store in &nodes {
            scope.spawn(|| while store.trim(2.into(), &retention).unwrap() {});
        }
    });
    while nodes[0].trim(2.into(), &retention).unwrap() {}
    for room in &rooms {
        assert_eq!(ids(&nodes[1], room).unwrap().len(), 5);
    }
    assert!(nodes[1].examine().unwrap().damage.is_empty());
}

#[test]
fn urls_that_cannot_be_used_say_why_and_keep_their_secrets() {
    let refused = |url: &str| Postgres::open(&connector(url)).unwrap_err();
    assert!(matches!(refused("postgres://u:hush@h:x/d"), ConnectError::Url(_)));
    let nobody = refused("postgres://u:hush@127.0.0.1:1/d");
    assert!(matches!(nobody, ConnectError::Postgres(_)), "{nobody}");
    // A client that asks for TLS refuses a server without it.
    let plain = server().url("postgres");
    let plain = refused(&format!("{plain}?sslmode=verify-full"));
    for error in [nobody, plain] {
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn tls_is_used_where_the_url_asks_for_it_and_certificates_are_verified() {
    let (server, authority) = Server::with_tls();
    let url = format!("{}?sslmode=verify-full", server.database());
    let named = url.replace("127.0.0.1", "localhost");
    let trusting = |url: &str| Connector { ca_file: Some(authority.clone()), ..connector(url) };
    let store = Postgres::open(&trusting(&named)).unwrap();
    say(&store, &room("a"), "1");
    let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'tidings'";
    assert_eq!(server.execute("postgres", encrypted), "t");
    // The same certificate for a name that it does not contain, and from an authority that is not
    // trusted.
    for refused in [trusting(&url), connector(&named)] {
        let error = Postgres::open(&refused).unwrap_err();
        assert!(matches!(error, ConnectError::Postgres(_) | ConnectError::Tls(_)), "{error}");
    }
}

/// The form of Neon's URLs (`sslmode=require&channel_binding=require`).
#[test]
fn a_password_is_bound_to_tls_where_the_url_asks_for_it() {
    let (mut server, authority) = Server::with_tls();
    let url = server.database().replace("127.0.0.1", "localhost");
    server.execute("postgres", "CREATE ROLE bound SUPERUSER LOGIN PASSWORD 'hush'");
    std::fs::write(
        server.folder().join("pg_hba.conf"),
        "host all bound all scram-sha-256\nhost all all all trust\nlocal all all trust\n",
    )
    .unwrap();
    server.kill();
    server.restart();
    let url = url.replace("postgres@", "bound:hush@");
    let authority = authority.to_str().unwrap();
    let asking = |url: &str| {
        Connector {
            // In the URL, as libpq allows.
            ca_file: None,
            ..connector(&format!(
                "{url}?sslmode=verify-full&sslrootcert={authority}&channel_binding=require"
            ))
        }
    };
    let store = Postgres::open(&asking(&url)).unwrap();
    say(&store, &room("a"), "1");
    let wrong = Postgres::open(&asking(&url.replace("hush", "guess"))).unwrap_err().to_string();
    assert!(wrong.contains("password"), "{wrong}");
    // An attacker who obtains the password can't bind it: a server that asks for no password is not
    // trusted.
    let trusted = url.replace("bound:hush@", "postgres@");
    assert!(Postgres::open(&asking(&trusted)).is_err());
}

#[test]
fn a_lease_that_can_not_be_stored_is_the_claims_own_fault() {
    let store = open();
    store.renew(1, 1, 600_000).unwrap();
    let claim = |number, instance: &str| Claim {
        user: "u1".into(),
        connection: ConnectionId { node: 1, number },
        instance: Some(instance.into()),
        limit: 9,
        anew: false,
    };
    let both = [claim(1, "page"), claim(2, "a\0b")];
    let answer = store.claim(1, &both);
    assert!(matches!(answer, Err(StoreError::Unfit(_))), "{answer:?}");
    assert!(matches!(store.claim(1, &both[1..]), Err(StoreError::Unfit(_))));
    let admitted = vec![Verdict::Admitted { replaced: None }];
    assert_eq!(store.claim(1, &both[..1]).unwrap(), admitted);
    assert_eq!(store.health(), Ok(()), "the database is well");
}

#[test]
fn a_database_that_can_not_hold_every_text_is_refused_at_start() {
    let url = server().database();
    let name = format!("{}_latin", name(&url));
    let make = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    server().execute("postgres", &make);
    let url = url.replace(self::name(&url), &name);
    let error = Postgres::open(&connector(&url)).unwrap_err();
    assert!(matches!(&error, ConnectError::Encoding(name) if name == "LATIN1"), "{error}");
    assert!(error.to_string().contains("UTF8"), "{error}");
}

#[test]
fn a_database_without_room_is_known_to_health_until_it_has_some_though_nobody_writes() {
    let url = server().database();
    let (store, room) = (Postgres::open(&connector(&url)).unwrap(), room("a"));
    say(&store, &room, "1");
    server().execute(
        name(&url),
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''no room'' USING ERRCODE = ''disk_full''; END';
         CREATE TRIGGER full_record BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION fill();
         CREATE TRIGGER full_kept BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION fill()",
    );
    let failed = store.commit(1, &[message(&room, "2")]);
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    until("health knows", || store.health().is_err());
    server()
        .execute(name(&url), "DROP TRIGGER full_record ON record; DROP TRIGGER full_kept ON kept");
    until("health knows that there is room", || store.health().is_ok());
    say(&store, &room, "3");
    assert_eq!(ids(&store, &room).unwrap().len(), 2);
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "not in time: {what}");
        thread::yield_now();
    }
}
