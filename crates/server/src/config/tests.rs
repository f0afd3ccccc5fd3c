use std::fs;

use tidings_protocol::limits;
use toml::{Table, Value};

use super::*;

const DOCUMENTED: &str = include_str!("../config.default.toml");

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.toml");
    fs::write(&path, file).unwrap();
    let flags = Flags { config: Some(path), ..Flags::default() };
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    Config::load(&flags, environment)
}

fn paths(table: &Table, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => paths(inner, &format!("{prefix}{key}."), out),
            _ => out.push(format!("{prefix}{key}")),
        }
    }
}

#[test]
fn every_key_is_documented_with_its_default() {
    assert_eq!(toml::from_str::<Config>(DOCUMENTED).unwrap(), Config::default());
    let (mut documented, mut known) = (Vec::new(), Vec::new());
    paths(&toml::from_str(DOCUMENTED).unwrap(), "", &mut documented);
    paths(&Table::try_from(Config::default()).unwrap(), "", &mut known);
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

#[test]
fn the_cores_defaults_are_the_servers() {
    assert_eq!(LimitSettings::default().core(), tidings_server_core::Limits::default());
}

#[test]
fn file_environment_and_flags_follow_each_other() {
    let file = "listen = \"127.0.0.1:1\"\n[limits]\nconnections = 5\npage = 7";
    let environment = [
        ("TIDINGS_LISTEN", "127.0.0.1:2"),
        ("TIDINGS_LIMITS_CONNECTIONS", "6"),
        ("TIDINGS_LIMITS_CONNECTIONS_PER_USER", "3"),
        ("TIDINGS_ORIGINS", "https://a.example, https://b.example"),
        ("TIDINGS_URL", "not a setting of the server"),
        ("OTHER", "x"),
    ];
    let config = load(file, &environment).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!((config.limits.connections, config.limits.connections_per_user), (6, 3));
    assert_eq!(config.limits.page, 7);
    assert_eq!(config.origins, ["https://a.example", "https://b.example"]);
    let flags = Flags { listen: Some(([127, 0, 0, 1], 3).into()), ..Flags::default() };
    let environment = environment.map(|(name, value)| (name.into(), value.into()));
    assert_eq!(Config::load(&flags, environment.into_iter()).unwrap().listen.port(), 3);
}

#[test]
fn the_containers_are_told_settings_that_there_are() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/compose.yml");
    let text = fs::read_to_string(file).unwrap();
    let told: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("TIDINGS_")?.split_once(": "))
        .collect();
    let names: Vec<_> = told.iter().map(|(name, _)| format!("TIDINGS_{name}")).collect();
    let environment: Vec<_> =
        names.iter().zip(&told).map(|(name, (_, value))| (&**name, *value)).collect();
    let config = load("", &environment).unwrap();
    // Unknown variables are ignored, so each one must be visible in the resulting settings.
    let became = |name: &str| match name {
        "API_KEY" => "change-me".to_owned(),
        "STORE_URL" => config.store.url.0.clone(),
        "BUS_URL" => config.bus.url.0.clone(),
        "ORIGINS" => config.origins.join(","),
        "TRUSTED_PROXIES" => {
            config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        other => panic!("nobody looks at {other} here"),
    };
    assert!(told.len() >= 5, "{told:?}");
    for (name, value) in told {
        assert_eq!(became(name), value, "{name}");
    }
}

#[test]
fn the_shipped_proxies_keep_links_for_less_long_than_the_server() {
    for name in ["tidings-http.conf", "cluster.conf"] {
        let file = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/nginx/{}"), name);
        let text = fs::read_to_string(&file).unwrap();
        let keeps = text.lines().find_map(|line| {
            line.trim().strip_prefix("keepalive_timeout ")?.strip_suffix("s;")?.parse::<u64>().ok()
        });
        let keeps_ms = 1_000 * keeps.unwrap_or_else(|| panic!("{name} does not say how long"));
        // At least 15 s more, for differing clocks, queues and the network.
        assert!(keeps_ms + 15_000 < Config::default().limits.keep_alive_ms, "{name}");
    }
}

#[test]
fn wrong_settings_say_which_and_why() {
    let cases = [
        ("lissten = \"127.0.0.1:1\"", "lissten"),
        ("[limits]\nconections = 5", "conections"),
        ("[limits]\nconnections = \"many\"", "connections"),
        ("[limits]\nconnections = -1", "connections"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\nlinks = 99999", "limits.links"),
        ("[limits]\npage_bytes = 0", "limits.page_bytes"),
        ("[limits]\npage_bytes = 3000000", "limits.page_bytes"),
        ("[limits]\nsnapshot_bytes = 3000000", "limits.snapshot_bytes"),
        ("[limits]\npublish_bytes = 3000000", "limits.publish_bytes"),
        ("[limits]\nsubscriptions = 1", "limits.subscriptions"),
        ("listen = \"nowhere\"", "listen"),
        ("origins = [\"app.example.com\"]", "origins"),
        ("origins = [\"app.example.com\"]", "write \"https://app.example.com\""),
        ("origins = [\"https://app.example.com/\"]", "write \"https://app.example.com\""),
        ("origins = [\"https://App.example.com/chat?x\"]", "write \"https://app.example.com\""),
        ("origins = [\"https://münchen.example\"]", "write \"https://xn--mnchen-3ya.example\""),
        ("origins = [\"wss://app.example.com\"]", "write \"https://app.example.com\""),
        ("origins = [\" https://app.example.com\"]", "write \"https://app.example.com\""),
        ("origins = [\"https://*.example.com\"]", "no patterns"),
        ("origins = [\"https://u@app.example.com\"]", "origins"),
        ("origins = [\"https://app.example.com:x\"]", "origins"),
        ("origins = [\"\"]", "origins"),
        ("dev_hosts = [\"http://box.example\"]", "dev_hosts"),
        ("dev_hosts = [\"box.example:80\"]", "dev_hosts"),
        ("trusted_proxies = [\"proxy.internal\"]", "proxy.internal"),
        ("trusted_proxies = [\"10.0.0.0/40\"]", "10.0.0.0/40"),
        ("[auth]\nissuer = [\"\"]", "auth.issuer"),
        ("[auth]\naudience = [\"tidings \"]", "auth.audience"),
        ("[auth]\ncookie = \"my session\"", "auth.cookie"),
        ("[auth]\ncookie = \"a=b\"", "auth.cookie"),
        ("[auth]\nleeway_ms = 3600000", "auth.leeway_ms"),
        ("[auth]\njwks_pause_ms = 0", "auth.jwks_pause_ms"),
        ("origins = [\"null\"]\n[auth]\ncookie = \"c\"", "auth.cookie"),
        ("origins = [\"*\"]\n[auth]\ncookie = \"c\"", "auth.cookie"),
        (
            "[[auth.api_keys]]\nname = \"a\"\nsha256 = \"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\"",
            "an empty text",
        ),
        (
            "[[auth.api_keys]]\nname = \"a\"\nsha256 = \"aa\"\n[[auth.api_keys]]\nname = \"a\"\nsha256 = \"bb\"",
            "is used twice",
        ),
        (
            "[[auth.api_keys]]\nname = \"a\"\nsha256 = \"aa\"\n[[auth.api_keys]]\nname = \"b\"\nsha256 = \"AA\"",
            "the hash of another key",
        ),
        ("[[auth.jwt]]\nalgorithm = \"HS256\"\nkid = \"\"\nsecret = \"x\"", "kid"),
        ("[log]\nformat = \"xml\"", "format"),
        ("[[auth.jwt]]\nalgorithm = \"HS256\"\nsecrett = \"x\"", "secrett"),
        ("[store]\nurl = \"mysql://x\"", "store.url"),
        ("[store]\nconnections = 1", "store.connections"),
        ("[bus]\nurl = \"redis://x\"", "needs `store.url`"),
        ("this is no toml", "line 1"),
        ("dev = true", "dev"),
    ];
    for (file, names) in cases {
        let text = load(file, &[]).unwrap_err().to_string();
        assert!(text.contains(names), "{file:?} answers {text:?}");
    }
    let text = load("", &[("TIDINGS_LIMITS_PAGE", "many")]).unwrap_err().to_string();
    assert!(text.contains("the environment"), "{text}");
    let flags = Flags { config: Some("/nowhere/tidings.toml".into()), ..Flags::default() };
    let text = Config::load(&flags, std::iter::empty()).unwrap_err().to_string();
    assert!(text.contains("/nowhere/tidings.toml"), "{text}");
}

#[cfg(unix)]
#[test]
fn what_others_put_into_the_environment_need_not_be_text() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

    let latin = || OsString::from_vec(vec![b'M', 0xfc, b'n']);
    let load = |variables: Vec<(OsString, OsString)>| {
        Config::load(&Flags::default(), variables.into_iter())
    };
    let mut odd_name = OsString::from("TIDINGS_");
    odd_name.push(latin());
    let others = vec![
        (latin(), "x".into()),
        ("NAME".into(), latin()),
        (odd_name, "x".into()),
        ("TIDINGS_LIMITS_PAGE".into(), "7".into()),
    ];
    assert_eq!(load(others).unwrap().limits.page, 7);
    for ours in ["TIDINGS_LISTEN", "TIDINGS_API_KEY"] {
        let text = load(vec![(ours.into(), latin())]).unwrap_err().to_string();
        assert!(text.contains(ours) && text.contains("UTF-8"), "{text}");
    }
}

#[test]
fn a_file_is_read_however_an_editor_saved_it_or_refused_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let load = |bytes: &[u8]| {
        let path = folder.path().join("tidings.toml");
        fs::write(&path, bytes).unwrap();
        let flags = Flags { config: Some(path), ..Flags::default() };
        Config::load(&flags, std::iter::empty()).map_err(|error| error.to_string())
    };
    let text = "# M\u{fc}nster\r\n[limits]\r\npage = 7\r\n";
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for good in [text.as_bytes(), &marked] {
        assert_eq!(load(good).unwrap().limits.page, 7, "{good:?}");
    }
    let wide = |bytes: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        let units = text.encode_utf16().flat_map(bytes);
        mark.into_iter().chain(units).collect::<Vec<_>>()
    };
    let cases = [
        (b"[limits]\npage = 7\n# M\xfcnster\n".to_vec(), "line 3"),
        (wide(u16::to_le_bytes, [0xff, 0xfe]), "UTF-16"),
        (wide(u16::to_be_bytes, [0xfe, 0xff]), "UTF-16"),
    ];
    for (bytes, says) in cases {
        let why = load(&bytes).unwrap_err();
        assert!(why.contains(says) && why.contains("tidings.toml"), "{why}");
    }
}

#[test]
fn development_stays_on_this_machine() {
    let flags = |listen: &str| Flags {
        dev: true,
        listen: Some(listen.parse().unwrap()),
        ..Flags::default()
    };
    for open in ["0.0.0.0:1", "[::]:1", "192.168.1.1:1"] {
        let refused = Config::load(&flags(open), std::iter::empty());
        assert!(matches!(refused, Err(ConfigError::PublicDev(_))), "{open}");
    }
    assert!(Config::load(&flags("[::1]:1"), std::iter::empty()).unwrap().dev);
}

#[test]
fn keys_are_read_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let settings = |auth: &str| {
        let mut config: Config = toml::from_str(auth).unwrap();
        config.data = folder.path().to_owned();
        config.auth(&Keys::Folder(folder.path())).map(drop).map_err(|error| error.to_string())
    };
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert_eq!(settings(&format!("[[auth.api_keys]]\nname = \"a\"\nsha256 = \"{hash}\"")), Ok(()));
    let secret = "x".repeat(32);
    assert_eq!(
        settings(&format!("[[auth.jwt]]\nalgorithm = \"HS256\"\nsecret = \"{secret}\"")),
        Ok(())
    );
    let cases = [
        ("[[auth.api_keys]]\nname = \"a\"\nsha256 = \"abc\"".to_owned(), "auth.api_keys"),
        ("[[auth.jwt]]\nalgorithm = \"HS256\"".to_owned(), "auth.jwt"),
        ("[[auth.jwt]]\nalgorithm = \"none\"\nsecret = \"\"".to_owned(), "none"),
        ("[[auth.jwt]]\nalgorithm = \"RS256\"\nkey_file = \"/nowhere\"".to_owned(), "/nowhere"),
        (
            format!(
                "[[auth.jwt]]\nalgorithm = \"HS256\"\nsecret = \"\"\"-----BEGIN PUBLIC KEY-----\n{secret}\"\"\""
            ),
            "a public key signs nothing",
        ),
    ];
    for (auth, names) in cases {
        let text = settings(&auth).unwrap_err();
        assert!(text.contains(names), "{auth:?} answers {text:?}");
    }
}

#[test]
fn secrets_stay_out_of_logs() {
    let config: Config =
        toml::from_str("[[auth.jwt]]\nalgorithm = \"HS256\"\nsecret = \"hush\"").unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    let config: Config = toml::from_str("[store]\nurl = \"postgres://u:hush@db/t\"").unwrap();
    assert!(!format!("{config:?} {:?}", config.postgres()).contains("hush"));
}

#[test]
fn origins_that_mean_what_browsers_send_are_taken() {
    for origins in [
        r#"["https://App.example.com:443", "http://[0::1]:8080"]"#,
        r#"["tauri://localhost", "capacitor://localhost", "ionic://localhost", "app://."]"#,
        r#"["chrome-extension://abc", "moz-extension://6e9a", "file://", "null"]"#,
        r#"["*"]"#,
    ] {
        assert!(load(&format!("origins = {origins}"), &[]).is_ok(), "{origins}");
    }
    let config = load("trusted_proxies = [\"10.0.0.7\", \"172.16.0.0/12\", \"fd00::/8\"]", &[]);
    assert_eq!(config.unwrap().trusted_proxies.len(), 3);
}

#[test]
fn what_may_hurt_is_said_at_start() {
    let key = Some("0123456789abcdef0123456789abcdef");
    let told = |file: &str| load(file, &[]).unwrap().warnings(key);
    assert_eq!(told(""), [""; 0]);
    for (file, text) in [
        ("origins = [\"*\"]", "accepts pages of every site"),
        ("origins = [\"*\", \"https://a.example\"]", "have no effect"),
        ("origins = [\"null\"]", "any site can make"),
        ("origins = [\"https://a.example\", \"https://A.example:443\"]", "twice"),
        ("dev_hosts = [\"box.example\"]", "with --dev only"),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "trusts every address"),
        ("[auth]\njwks_url = \"http://idp.example/keys\"", "plain HTTP"),
        ("[auth]\njwks_url = \"https://idp.example/keys\"", "made for other services"),
        ("[auth]\nissuer = [\"https://idp.example\"]", "apply to JWTs only"),
        (
            "[auth]\nissuer = [\"a\"]\njwks_url = \"https://a/\"\n[[auth.providers]]\nissuer = [\"b\"]\nuser_prefix = \"\"\njwks_url = \"https://b/\"",
            "can issue tokens for the users of the other",
        ),
        ("[store]\nurl = \"postgres://db/t\"\nca_file = \"/ca.pem\"", "store.ca_file"),
        ("[limits]\naccept_queue = 4096", "a single caller can use it up"),
        ("[limits]\nunauthenticated_per_address = 20000", "`limits.unauthenticated_per_address`"),
        ("[limits]\nconnections_per_user = 100000", "`limits.connections_per_user`"),
        ("[store]\nread_queue_each = 16384", "`store.read_queue_each`"),
        ("[store]\nwrite_queue = 100", "`store.write_queue_each`"),
    ] {
        let warnings = told(file);
        assert!(warnings.iter().any(|warning| warning.contains(text)), "{file:?}: {warnings:?}");
    }
    let bare = load("", &[]).unwrap();
    assert!(bare.warnings(Some("a")).iter().any(|warning| warning.contains("guessed")));
    assert!(bare.warnings(None).iter().any(|warning| warning.contains("no API key")));
    assert!(check::check_environments_key("a key\n").is_err());
}

#[test]
fn several_providers_have_issuers_of_their_own_and_say_what_their_users_are_called() {
    let provider = |issuer: &str, more: &str| {
        format!(
            "[[auth.providers]]\nissuer = [{issuer}]\njwks_url = \"https://idp.example/\"\n{more}\n"
        )
    };
    let (a, b) =
        (provider("\"a\"", "user_prefix = \"a|\""), provider("\"b\"", "user_prefix = \"\""));
    let config = load(&format!("{a}{b}"), &[]).unwrap();
    assert_eq!(config.auth.providers.len(), 2);
    let first = "[auth]\njwks_url = \"https://first.example/\"\n";
    for (file, names) in [
        (provider("\"a\"", ""), "user_prefix"),
        (provider("", "user_prefix = \"\""), "auth.issuer"),
        (provider("\"\"", "user_prefix = \"\""), "auth.providers.issuer"),
        (format!("{a}{a}"), "\"a\" is named by two providers"),
        (format!("{first}{a}"), "in the name of another"),
        (format!("{first}issuer = [\"a\"]\n{a}"), "\"a\" is named by two providers"),
        (provider("\"a\"", "user_prefix = \"a\\n\""), "auth.providers.user_prefix"),
        ("[[auth.providers]]\nissuer = [\"a\"]\nuser_prefix = \"\"".to_owned(), "needs keys"),
    ] {
        let text = load(&file, &[]).unwrap_err().to_string();
        assert!(text.contains(names), "{file:?} answers {text:?}");
    }
}
const LIMITS_PAGE: &str = include_str!("../../../../docs/limits.md");

/// A number in a form for readers: 2,592,000,000.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(str::from_utf8(group).unwrap());
    }
    text
}

fn numbers(table: &Table, prefix: &str, out: &mut Vec<(String, String)>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => numbers(inner, &format!("{prefix}{key}."), out),
            Value::Integer(number) => out.push((format!("`{prefix}{key}`"), grouped(*number))),
            _ => {}
        }
    }
}

#[test]
fn the_page_of_limits_names_each_with_its_default() {
    let (settings, fixed) = LIMITS_PAGE.split_once("## Fixed").unwrap();
    let rows = |text: &str| {
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let cells = |line: &str| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 4, "{line}");
            assert!(!cells[3].is_empty(), "what happens at it? {line}");
            (cells[0].to_owned(), cells[1].to_owned())
        };
        let mut rows: Vec<_> =
            rows.map(cells).filter(|row| row.1 != "default" && row.1 != "value").collect();
        rows.sort();
        rows
    };
    let mut known = Vec::new();
    numbers(&Table::try_from(Config::default()).unwrap(), "", &mut known);
    known.sort();
    assert_eq!(rows(settings), known);
    let mut bounds = [
        ("open files that links leave to the store and the rest", crate::files::OTHERS),
        ("open files that links may hold in any case", crate::files::FEWEST),
        (
            "the last open file without a credential, ms",
            usize::try_from(crate::listen::TIME_TO_SHOW.as_millis()).unwrap(),
        ),
        ("a user's `info`, bytes", limits::INFO_BYTES),
        ("user id, bytes", limits::USER_BYTES),
        ("name of a channel, bytes", limits::NAME_BYTES),
        ("namespace, bytes", limits::NAMESPACE_BYTES),
        ("`instance`, `client_id`, type, bytes", limits::ID_BYTES),
        ("`jti`, bytes", limits::JTI_BYTES),
        ("title, bytes", limits::TITLE_BYTES),
        ("message, bytes", limits::TEXT_BYTES),
        ("link, bytes", limits::URL_BYTES),
        ("`Idempotency-Key`, bytes", limits::IDEMPOTENCY_KEY_BYTES),
        ("credential, bytes", limits::CREDENTIAL_BYTES),
        ("grants", limits::GRANTS),
        ("cursors", limits::CURSORS),
        ("users of a publish", limits::USERS_PER_PUBLISH),
        ("offsets of a mark", limits::MARK_OFFSETS),
        ("nesting of JSON", limits::DEPTH),
        ("channels of an address", crate::transport::address::CHANNELS),
        ("cursors and token of an address, bytes", crate::transport::address::ID_BYTES),
        ("waiting to be written to a link, bytes", crate::listen::LINK_BUFFER),
        ("addresses whose failures are counted", crate::auth::ADDRESSES),
        ("causes of refusals told apart", crate::refusals::CAUSES),
        ("writes of one commit", crate::driver::writer::BATCH),
    ]
    .map(|(name, bound)| (name.to_owned(), grouped(i64::try_from(bound).unwrap())));
    bounds.sort();
    assert_eq!(rows(fixed), bounds);
}
