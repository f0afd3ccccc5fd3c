//! Keys of users' tokens from an identity provider that is down, hangs, rotates its keys, and
//! formats them as real ones do.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use tidings_server::{Config, config::ProviderSetting};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::harness::{End, Server, answered, problem, refused, text_of, within};

/// The provider's behaviour.
#[derive(Clone, Debug)]
enum Mood {
    /// Accepts requests and never answers.
    Hangs,
    /// Closes each connection at once.
    Away,
    /// Answers with this status and body.
    Answers(u16, String),
}

/// A small identity provider that only serves its keys.
struct Provider {
    url: String,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(mood));
        let asked = Arc::new(AtomicUsize::new(0));
        let (its, count) = (Arc::clone(&mood), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (link, _) = listener.accept().await.unwrap();
                let mood = its.lock().unwrap().clone();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer(link, mood));
            }
        });
        Self { url, mood, asked }
    }

    async fn with(keys: &[Value]) -> Self {
        Self::start(set(keys)).await
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Waits until it got this many more requests.
    async fn is_asked(&self, more: usize) {
        let enough = self.asked.load(Ordering::SeqCst) + more;
        within("a question for keys", async {
            while self.asked.load(Ordering::SeqCst) < enough {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// Serves one request on each connection.
async fn answer(mut link: TcpStream, mood: Mood) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match link.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    match mood {
        Mood::Away => {}
        Mood::Hangs => std::future::pending().await,
        Mood::Answers(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // The client may be gone.
            let _gone = link.write_all(format!("{head}{body}").as_bytes()).await;
            let _gone = link.shutdown().await;
        }
    }
}

fn set(keys: &[Value]) -> Mood {
    Mood::Answers(200, json!({ "keys": keys }).to_string())
}

/// A key of the provider.
#[derive(Clone, Copy)]
enum Key {
    Rsa,
    Ec,
}

impl Key {
    fn private(self) -> (Algorithm, EncodingKey) {
        let read = |name: &str| {
            std::fs::read(format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
        };
        match self {
            Self::Rsa => {
                let key = EncodingKey::from_rsa_pem(&read("rsa.private.pem")).unwrap();
                (Algorithm::RS256, key)
            }
            Self::Ec => {
                let key = EncodingKey::from_ec_pem(&read("ec.private.pem")).unwrap();
                (Algorithm::ES256, key)
            }
        }
    }

    /// Its public half, with these further fields; `null` removes one.
    fn public(self, fields: &Value) -> Value {
        let (algorithm, key) = self.private();
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
        for (name, value) in fields.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    }

    /// Mina's token.
    fn token(self, kid: Option<&str>) -> String {
        self.token_of(kid, &json!({}))
    }

    /// Mina's token with further claims.
    fn token_of(self, kid: Option<&str>, more: &Value) -> String {
        let (algorithm, key) = self.private();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let mut claims = json!({ "sub": "mina", "iat": now.as_secs(), "exp": now.as_secs() + 600 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }
}

/// A server that uses this provider, with a low limit of failures.
async fn server(provider: &Provider, more: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        config.auth.jwks_url.clone_from(&provider.url);
        config.auth.failures_per_minute = 2;
        more(config);
    })
    .await
}

async fn status(server: &Server, token: &str) -> u16 {
    let ask = server.request(Method::GET, "/v1/inbox").bearer_auth(token);
    ask.send().await.unwrap().status().as_u16()
}

/// Repeats while the answer is 503, and returns the final status.
async fn once_known(server: &Server, token: &str) -> u16 {
    within("the key", async {
        loop {
            match status(server, token).await {
                503 => tokio::task::yield_now().await,
                other => return other,
            }
        }
    })
    .await
}

#[tokio::test]
async fn while_no_key_is_known_everybody_is_told_to_come_again() {
    let provider = Provider::start(Mood::Away).await;
    let server = server(&provider, |_| {}).await;
    let token = Key::Rsa.token(Some("a"));
    for _ in 0..5 {
        let ask = server.request(Method::GET, "/v1/inbox").bearer_auth(&token);
        let answer = ask.send().await.unwrap();
        assert_eq!(answer.status(), 503);
        assert!(text_of(&answer, "retry-after").is_some());
        assert_eq!(problem(answer).await["code"], "storage_unavailable");
        let mut socket = server.open().await;
        socket.say(json!({ "type": "connect", "version": 1, "token": token })).await;
        assert_eq!(socket.end().await, End::new(1013, "storage_unavailable"));
        for path in ["/v1/sse", "/v1/poll"] {
            let connect = json!({ "type": "connect", "version": 1, "token": token });
            let answer = server.request(Method::POST, path).json(&connect).send().await.unwrap();
            assert_eq!(answer.status(), 503, "{path}");
            assert!(text_of(&answer, "retry-after").is_some(), "{path}");
        }
    }
    provider.becomes(set(&[Key::Rsa.public(&json!({ "kid": "a" }))]));
    assert_eq!(once_known(&server, &token).await, 200);
}

#[tokio::test]
async fn a_caller_who_gives_up_takes_nobody_along() {
    let provider = Provider::start(Mood::Hangs).await;
    let server = server(&provider, |config| config.auth.jwks_timeout_ms = 300).await;
    let token = Key::Rsa.token(Some("a"));
    {
        let hasty = status(&server, &token);
        let asked = provider.is_asked(0);
        tokio::pin!(hasty);
        // Polled, so that it is in progress, and then dropped.
        tokio::select! {
            biased;
            _ = &mut hasty => {}
            () = asked => {}
        }
    }
    provider.becomes(set(&[Key::Rsa.public(&json!({ "kid": "a" }))]));
    assert_eq!(once_known(&server, &token).await, 200);
}

#[tokio::test]
async fn a_known_key_waits_for_no_other() {
    let provider = Provider::with(&[Key::Rsa.public(&json!({ "kid": "a" }))]).await;
    let server = server(&provider, |config| {
        config.auth.jwks_pause_ms = 1;
        config.auth.jwks_timeout_ms = 60_000;
    })
    .await;
    let good = Key::Rsa.token(Some("a"));
    assert_eq!(once_known(&server, &good).await, 200);
    provider.becomes(Mood::Hangs);
    let strange = server.request(Method::GET, "/v1/inbox").bearer_auth(Key::Ec.token(Some("b")));
    let strange = tokio::spawn(strange.send());
    provider.is_asked(1).await;
    assert_eq!(status(&server, &good).await, 200);
    assert!(!strange.is_finished(), "it still waits for its key");
    strange.abort();
}

#[tokio::test]
async fn a_rotated_key_is_never_refused() {
    let provider = Provider::with(&[Key::Rsa.public(&json!({ "kid": "a" }))]).await;
    let server = server(&provider, |config| config.auth.jwks_pause_ms = 200).await;
    let old = Key::Rsa.token(Some("a"));
    assert_eq!(once_known(&server, &old).await, 200);
    provider.becomes(set(&[Key::Ec.public(&json!({ "kid": "b" }))]));
    let new = Key::Ec.token(Some("b"));
    assert_eq!(once_known(&server, &new).await, 200);
    // A key that the provider removed is refused, once a newer set was fetched.
    assert_eq!(once_known(&server, &old).await, 401);
}

#[tokio::test]
async fn a_key_of_nobody_is_refused_in_the_end() {
    let provider = Provider::with(&[Key::Rsa.public(&json!({ "kid": "a" }))]).await;
    let server = server(&provider, |config| config.auth.jwks_pause_ms = 100).await;
    let strange = Key::Ec.token(Some("nobody's"));
    assert_eq!(once_known(&server, &strange).await, 401);
    // The key's id is known, so another set could not help.
    let forged = Key::Rsa.token(Some("a"));
    let forged = forged[..forged.len() - 8].to_owned() + "AAAAAAAA";
    let ask = server.request(Method::GET, "/v1/inbox").bearer_auth(&forged);
    assert_eq!(refused(ask).await, (401, "unauthorized".to_owned()));
}

/// `alg`, `kid` and `use` are optional, and unknown keys are ignored (RFC 7517, 4 and 5).
#[tokio::test]
async fn sets_are_read_as_providers_write_them() {
    let odd = json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "q", "pub": "AAAA" });
    let cases = [
        ("as Entra ID does", vec![Key::Rsa.public(&json!({ "kid": "a", "use": "sig", "alg": null, "x5t": "a", "issuer": "https://x/{tenantid}" }))], Some("a")),
        ("without ids in the set", vec![Key::Rsa.public(&json!({ "alg": null }))], Some("a")),
        ("without an id in the token", vec![Key::Ec.public(&json!({ "kid": "b" })), Key::Rsa.public(&json!({ "kid": "a" }))], None),
        ("without any", vec![Key::Rsa.public(&json!({}))], None),
        ("beside what nobody knows", vec![odd, json!(7), Key::Rsa.public(&json!({ "kid": "a" }))], Some("a")),
        ("two of one id", vec![Key::Ec.public(&json!({ "kid": "a" })), Key::Rsa.public(&json!({ "kid": "a" }))], Some("a")),
    ];
    for (what, keys, kid) in cases {
        let provider = Provider::with(&keys).await;
        let server = server(&provider, |_| {}).await;
        assert_eq!(once_known(&server, &Key::Rsa.token(kid)).await, 200, "{what}");
    }
}

#[tokio::test]
async fn what_is_no_set_takes_no_key_away() {
    let provider = Provider::with(&[Key::Rsa.public(&json!({ "kid": "a" }))]).await;
    let server = server(&provider, |config| config.auth.jwks_refresh_ms = 20).await;
    let good = Key::Rsa.token(Some("a"));
    assert_eq!(once_known(&server, &good).await, 200);
    let large = json!({ "keys": [], "x": "x".repeat(300_000) }).to_string();
    let empty = json!({ "keys": [] }).to_string();
    for mood in [
        Mood::Answers(200, "<html>".to_owned()),
        Mood::Answers(200, large),
        Mood::Answers(500, empty.clone()),
        Mood::Answers(200, empty),
        Mood::Away,
    ] {
        provider.becomes(mood.clone());
        // The first request may have been in progress.
        provider.is_asked(2).await;
        assert_eq!(status(&server, &good).await, 200, "{mood:?}");
        provider.becomes(set(&[Key::Rsa.public(&json!({ "kid": "a" }))]));
        provider.is_asked(2).await;
    }
    let inbox = server.request(Method::GET, "/v1/inbox").bearer_auth(&good);
    assert_eq!(answered(inbox, http::StatusCode::OK).await["offset"], 0);
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_waiting_but_its_own_users() {
    let here = Provider::with(&[Key::Rsa.public(&json!({ "kid": "1" }))]).await;
    let away = Provider::start(Mood::Away).await;
    let provider = |issuer: &str, at: &Provider| ProviderSetting {
        issuer: vec![issuer.to_owned()],
        audience: Vec::new(),
        user_prefix: format!("{issuer}|"),
        jwt: Vec::new(),
        jwks_url: at.url.clone(),
    };
    let server = Server::with(|config| {
        config.auth.providers = vec![provider("away", &away), provider("here", &here)];
    })
    .await;
    let token = |issuer: &str| Key::Rsa.token_of(Some("1"), &json!({ "iss": issuer }));
    assert_eq!(once_known(&server, &token("here")).await, 200);
    assert_eq!(status(&server, &token("away")).await, 503);
    assert_eq!(status(&server, &token("else")).await, 401);
    let inbox =
        server.request(Method::GET, "/v1/inbox?user=here%7Cmina").bearer_auth(token("here"));
    answered(inbox, http::StatusCode::OK).await;
}
