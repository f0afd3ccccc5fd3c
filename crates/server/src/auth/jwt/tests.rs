use serde_json::{Value, json};

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

fn jwt() -> Jwt {
    let rules = Rules { issuer: vec!["us".into()], audience: vec!["tidings".into()] };
    let key = JwtKey::new(None, "HS256", SECRET).unwrap();
    Jwt::new(vec![key], Some(Secret::new([7; 32])), "", rules).unwrap()
}

async fn verified(claims: &Value) -> Result<Identity, Refused> {
    jwt().verify(&signed(claims, &Header::default())).await
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
    ];
    for (claims, code) in cases {
        assert_eq!(verified(&claims).await.unwrap_err().code, code, "{claims}");
    }
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
            jwt().verify(&token).await.unwrap_err().code,
            ErrorCode::Unauthorized,
            "{token}"
        );
    }
    let other = Header::new(Algorithm::HS384);
    assert!(jwt().verify(&signed(&claims(), &other)).await.is_err(), "the key is for HS256");
    let critical = Header { crit: Some(vec!["exp".into()]), ..Header::default() };
    assert!(jwt().verify(&signed(&claims(), &critical)).await.is_err());
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let foreign = EncodingKey::from_secret(b"another secret of more than 32 bytes, too");
    let token = jsonwebtoken::encode(&Header::default(), &claims(), &foreign).unwrap();
    assert_eq!(jwt().verify(&token).await.unwrap_err().code, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn a_public_key_is_never_taken_as_a_secret() {
    let keys = rsa();
    let public = JwtKey::new(None, "RS256", keys.1.as_bytes()).unwrap();
    let jwt = Jwt::new(vec![public], None, "", Rules::default()).unwrap();
    let good = EncodingKey::from_rsa_pem(keys.0.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims(), &good).unwrap();
    assert!(jwt.verify(&token).await.is_ok());
    let confused = EncodingKey::from_secret(keys.1.as_bytes());
    let token = jsonwebtoken::encode(&Header::default(), &claims(), &confused).unwrap();
    assert!(jwt.verify(&token).await.is_err());
}

#[tokio::test]
async fn development_tokens_work_in_development_only() {
    let token = jwt().dev_token("u1", Clock::wall()).unwrap().unwrap();
    assert_eq!(jwt().verify(&token).await.unwrap().user, "u1");
    let elsewhere = Jwt::new(Vec::new(), None, "", Rules::default()).unwrap();
    assert!(elsewhere.dev_token("u1", 0).is_none());
    assert!(elsewhere.verify(&token).await.is_err());
    let bad = jwt().dev_token("", 0).unwrap().unwrap_err();
    assert_eq!(bad.code, ErrorCode::BadRequest);
}

#[test]
fn bad_keys_say_what_is_wrong() {
    assert!(matches!(JwtKey::new(None, "none", SECRET), Err(KeyError::Algorithm(_))));
    assert!(matches!(JwtKey::new(None, "HS256", b"short"), Err(KeyError::ShortSecret(5))));
    assert!(matches!(JwtKey::new(None, "ES256", SECRET), Err(KeyError::Pem { .. })));
}

/// A private and a public key made for this test and used nowhere else.
fn rsa() -> (String, String) {
    let read = |name: &str| {
        let path = format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    (read("rsa.private.pem"), read("rsa.public.pem"))
}
