use jsonwebtoken::Header;
use serde_json::{Value, json};
use tidings_server_core::Limits;

use super::*;
use crate::driver::Clock;

const SECRET: &[u8] = b"a secret of more than 32 bytes, as it must be";

fn seconds() -> u64 {
    Clock::wall() / 1_000
}

fn claims() -> Value {
    json!({ "sub": "u1", "exp": seconds() + 60, "iss": "us", "aud": "tidings", "jti": "j" })
}

fn with(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
    let mut claims = claims();
    change(claims.as_object_mut().unwrap());
    claims
}

fn signed(claims: &Value, header: &Header) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// A provider that accepts any issuer and audience.
fn provider(keys: Vec<JwtKey>) -> Provider {
    Provider { keys, ..Provider::default() }
}

fn jwt() -> Jwt {
    let provider = Provider {
        issuer: vec!["us".into()],
        audience: vec!["tidings".into()],
        ..provider(vec![JwtKey::new(None, "HS256", SECRET).unwrap()])
    };
    Jwt::new(vec![provider], Some(Secret::new([7; 32])), 5_000).unwrap()
}

async fn verified(claims: &Value) -> Result<Identity, Refused> {
    let who = jwt().verify(&signed(claims, &Header::default()), Clock::wall()).await?;
    who.check_life(Clock::wall(), 5_000, &Limits::default())?;
    Ok(who)
}

#[tokio::test]
async fn a_good_token_names_user_rights_and_end() {
    let claims = with(|claims| {
        claims.insert("channels".into(), json!([{ "pattern": "room:*", "allow": ["publish"] }]));
        claims.insert("info".into(), json!({ "name": "Mina" }));
    });
    let who = verified(&claims).await.unwrap();
    assert_eq!(who.user, "u1");
    assert_eq!(who.expires_at, claims["exp"].as_u64().map(|exp| exp * 1_000));
    assert_eq!(who.info.unwrap().as_str(), r#"{"name":"Mina"}"#);
    assert_eq!(who.rights.grants().len(), 1);
}

#[tokio::test]
async fn a_claim_that_is_missing_or_wrong_refuses_the_token() {
    let without = |name: &'static str| with(move |claims| drop(claims.remove(name)));
    let set = |name: &'static str, value: Value| {
        with(move |claims| drop(claims.insert(name.into(), value)))
    };
    let cases = [
        (without("exp"), ErrorCode::Unauthorized),
        (without("sub"), ErrorCode::Unauthorized),
        (without("iss"), ErrorCode::Unauthorized),
        (without("aud"), ErrorCode::Unauthorized),
        (set("iss", json!("them")), ErrorCode::Unauthorized),
        (set("aud", json!("another")), ErrorCode::Unauthorized),
        (set("sub", json!("")), ErrorCode::Unauthorized),
        (set("sub", json!("x".repeat(129))), ErrorCode::Unauthorized),
        (set("sub", json!(7)), ErrorCode::Unauthorized),
        (set("exp", json!(seconds() - 60)), ErrorCode::Expired),
        (set("nbf", json!(seconds() + 60)), ErrorCode::Unauthorized),
        (set("info", json!("x".repeat(1_100))), ErrorCode::Unauthorized),
        (set("channels", json!([{ "pattern": "*", "allow": [] }])), ErrorCode::Unauthorized),
        (set("exp", json!("soon")), ErrorCode::Unauthorized),
        (set("exp", json!(seconds() + 365 * 86_400)), ErrorCode::Unauthorized),
        (set("iat", json!(seconds() + 3_600)), ErrorCode::Unauthorized),
        (set("iat", json!(seconds() - 31 * 86_400)), ErrorCode::Expired),
        (set("jti", json!(7)), ErrorCode::Unauthorized),
        (set("aud", json!(["another", "a third"])), ErrorCode::Unauthorized),
        (set("aud", json!([])), ErrorCode::Unauthorized),
    ];
    for (claims, code) in cases {
        assert_eq!(verified(&claims).await.unwrap_err().code, code, "{claims}");
    }
}

/// RFC 7519, 2 and 4.1.3: a NumericDate may have a fraction, an audience may be one of several.
#[tokio::test]
async fn what_the_standard_allows_is_taken() {
    let set = |name: &'static str, value: Value| {
        with(move |claims| drop(claims.insert(name.into(), value)))
    };
    let now = seconds() as f64;
    for claims in [
        set("exp", json!(now + 60.25)),
        set("iat", json!(now - 0.75)),
        set("nbf", json!(now - 0.5)),
        set("aud", json!(["shop", "tidings"])),
        set("info", Value::Null),
        set("jti", Value::Null),
        set("channels", Value::Null),
    ] {
        assert!(verified(&claims).await.is_ok(), "{claims}");
    }
    let who = verified(&set("exp", json!(now + 60.25))).await.unwrap();
    assert_eq!(who.expires_at, Some(now as u64 * 1_000 + 60_250));
}

#[tokio::test]
async fn a_wrong_claim_is_named() {
    for (name, value) in [
        ("sub", json!(7)),
        ("exp", json!("1")),
        ("jti", json!({})),
        ("iss", json!(["us"])),
        ("aud", json!(7)),
    ] {
        let claims = with(|claims| drop(claims.insert(name.into(), value)));
        let refused = verified(&claims).await.unwrap_err();
        assert!(refused.detail.contains(&format!("`{name}`")), "{}", refused.detail);
    }
}

/// RFC 7515, 4.1.4: `kid` is a hint, and optional.
#[tokio::test]
async fn a_token_without_an_id_is_any_keys_of_its_algorithm() {
    let foreign = JwtKey::new(Some("a".into()), "HS256", &[1; 32]).unwrap();
    let own = JwtKey::new(Some("b".into()), "HS256", SECRET).unwrap();
    let jwt = Jwt::new(vec![provider(vec![foreign, own])], None, 0).unwrap();
    let by = async |kid: Option<&str>| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::default() };
        jwt.verify(&signed(&claims(), &header), Clock::wall())
            .await
            .map_err(|refused| refused.detail)
    };
    assert!(by(None).await.is_ok() && by(Some("b")).await.is_ok());
    assert!(by(Some("a")).await.unwrap_err().contains("signature"));
    assert!(by(Some("c")).await.unwrap_err().contains("no key"));
}

#[tokio::test]
async fn clocks_may_differ_by_five_seconds() {
    let skewed = with(|claims| {
        claims.insert("exp".into(), json!(seconds() - 2));
        claims.insert("nbf".into(), json!(seconds() + 2));
    });
    assert!(verified(&skewed).await.is_ok());
}

#[tokio::test]
async fn nothing_in_a_token_chooses_the_algorithm() {
    let none = [r#"{"alg":"none","typ":"JWT"}"#, &claims().to_string()]
        .map(|part| BASE64.encode(part))
        .join(".");
    for token in
        [format!("{none}."), none.clone(), format!("{none}.AAAA"), "a.b.c".into(), String::new()]
    {
        assert_eq!(
            jwt().verify(&token, Clock::wall()).await.unwrap_err().code,
            ErrorCode::Unauthorized,
            "{token}"
        );
    }
    let other = Header::new(Algorithm::HS384);
    assert!(
        jwt().verify(&signed(&claims(), &other), Clock::wall()).await.is_err(),
        "the key is for HS256"
    );
    let critical = Header { crit: Some(vec!["exp".into()]), ..Header::default() };
    assert!(jwt().verify(&signed(&claims(), &critical), Clock::wall()).await.is_err());
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let foreign = EncodingKey::from_secret(b"another secret of more than 32 bytes, too");
    let token = jsonwebtoken::encode(&Header::default(), &claims(), &foreign).unwrap();
    assert_eq!(
        jwt().verify(&token, Clock::wall()).await.unwrap_err().code,
        ErrorCode::Unauthorized
    );
}

#[tokio::test]
async fn a_public_key_is_never_taken_as_a_secret() {
    let keys = rsa();
    let public = JwtKey::new(None, "RS256", keys.1.as_bytes()).unwrap();
    let jwt = Jwt::new(vec![provider(vec![public])], None, 0).unwrap();
    let good = EncodingKey::from_rsa_pem(keys.0.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims(), &good).unwrap();
    assert!(jwt.verify(&token, Clock::wall()).await.is_ok());
    let confused = EncodingKey::from_secret(keys.1.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims(), &confused).unwrap();
    assert!(jwt.verify(&token, Clock::wall()).await.is_err());
}

#[tokio::test]
async fn development_tokens_work_in_development_only() {
    let token = jwt().dev_token("u1", Clock::wall()).unwrap().unwrap();
    assert_eq!(jwt().verify(&token, Clock::wall()).await.unwrap().user, "u1");
    let elsewhere = Jwt::new(Vec::new(), None, 0).unwrap();
    assert!(elsewhere.dev_token("u1", 0).is_none());
    assert!(elsewhere.verify(&token, Clock::wall()).await.is_err());
    let bad = jwt().dev_token("", 0).unwrap().unwrap_err();
    assert_eq!(bad.code, ErrorCode::BadRequest);
}

#[test]
fn bad_keys_say_what_is_wrong() {
    assert!(matches!(JwtKey::new(None, "none", SECRET), Err(KeyError::Algorithm(_))));
    assert!(matches!(JwtKey::new(None, "HS256", b"short"), Err(KeyError::ShortSecret(5))));
    assert!(matches!(JwtKey::new(None, "ES256", SECRET), Err(KeyError::Pem { .. })));
}

/// A key pair that is used only for this test.
fn rsa() -> (String, String) {
    let read = |name: &str| {
        let path = format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    (read("rsa.private.pem"), read("rsa.public.pem"))
}

/// Each provider has its own key. `a` names its users by `sub`, `b` by `b|` and `sub`.
#[tokio::test]
async fn no_provider_speaks_for_anothers_users() {
    let secret = |letter: u8| [letter; 32];
    let of = |letter: u8, user_prefix: &str| Provider {
        issuer: vec![char::from(letter).to_string()],
        user_prefix: user_prefix.to_owned(),
        ..provider(vec![JwtKey::new(None, "HS256", &secret(letter)).unwrap()])
    };
    let jwt = Jwt::new(vec![of(b'a', ""), of(b'b', "b|")], None, 0).unwrap();
    let token = |key: u8, issuer: Value, sub: &str| {
        let claims = with(|claims| {
            claims.insert("iss".into(), issuer);
            claims.insert("sub".into(), sub.into());
        });
        let key = EncodingKey::from_secret(&secret(key));
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    };
    let mut sessions = Vec::new();
    for (key, sub, user) in [(b'a', "1", "1"), (b'b', "1", "b|1"), (b'b', "b|1", "b|b|1")] {
        let token = token(key, char::from(key).to_string().into(), sub);
        let who = jwt.verify(&token, Clock::wall()).await.unwrap();
        assert_eq!(who.user, user);
        sessions.push(who.session);
    }
    assert_ne!(sessions[0], sessions[1], "one `jti` of two providers is two sessions");
    for (token, why) in [
        (token(b'b', "a".into(), "1"), "signature is not valid"),
        (token(b'a', "b".into(), "1"), "signature is not valid"),
        (token(b'a', "c".into(), "1"), "is not accepted"),
        (token(b'a', Value::Null, "1"), "has no `iss`"),
        (token(b'a', "a".into(), "b|1"), "`user_prefix` of another provider"),
        (token(b'b', "b".into(), ""), "must be a user id"),
    ] {
        let refused = jwt.verify(&token, Clock::wall()).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Unauthorized);
        assert!(refused.detail.contains(why), "{}", refused.detail);
    }
}
