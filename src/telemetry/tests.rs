//! What a scrape and a log show, after happenings of every kind.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use login::{
    ClientName, LoginId, Method, PrimaryName, Reason, Record, RecordedAnswer, RecordedFactor, RuleName, Station, Tick,
    Wall,
};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10)), 1645);

/// A log that a test reads.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is written in a style while `act` runs.
fn lines_of(style: LogStyle, act: impl FnOnce(&Telemetry)) -> Vec<String> {
    let lines = Lines::default();
    tracing::subscriber::with_default(subscriber(style, EnvFilter::new("info"), lines.clone()), || {
        act(&Telemetry::new())
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn asa(telemetry: &Telemetry) -> ClientMeters {
    telemetry.client(&ClientName::new("asa"))
}

fn dropped(client: &ClientMeters, reason: DropReason) -> Dropped<'_> {
    Dropped { client, peer: PEER, reason, detail: None, help: None }
}

fn accepted() -> Record {
    Record {
        login: LoginId(0x2a),
        time: Wall(1_800_000_000_000),
        client: ClientName::new("asa"),
        user: "alice".into(),
        vouched: true,
        station: Some(Station::new(b"203.0.113.9")),
        rule: Some(RuleName::new("VPN")),
        tried: Arc::default(),
        primary: Some(PrimaryName::new("nps")),
        factor: RecordedFactor::Method(Method::Push),
        answer: RecordedAnswer::Accept,
        reason: Reason::Accepted,
        detail: None,
        askers: 2,
        waited: Duration::from_millis(2130),
        waited_primary: Duration::from_millis(12),
        waited_factor: Duration::from_millis(2100),
    }
}

/// One of everything.
fn emit_all(telemetry: &Telemetry) {
    let (client, nps) = (&asa(telemetry), &telemetry.primary(&PrimaryName::new("nps")));
    let (login, took) = (LoginId(1), Duration::from_millis(3));
    telemetry.emit(Received { client });
    telemetry.emit(Answered { client, code: AnswerCode::Accept });
    telemetry.emit(Retransmitted { client });
    telemetry.emit(SuspectSecret { client });
    telemetry.emit(StanceLearned { client });
    let until = Wall(1_800_000_000_000);
    telemetry.emit(NameHeld { user: "alice", known: true, failures: 4, until, watches: false });
    telemetry.emit(AddressHeld { network: "203.0.113.9", until, watches: true });
    DropReason::ALL.into_iter().for_each(|reason| telemetry.emit(dropped(client, reason)));
    telemetry.emit(dropped(telemetry.unknown_client(), DropReason::UnknownClient));
    telemetry.emit(Joined { client, login, prompt_avoided: true });
    telemetry.emit(PromptSent { method: Method::Push, login });
    telemetry.emit(FactorAnswered { method: Method::Push, result: FactorResult::Accepted, took });
    telemetry.emit(Held(7));
    telemetry.emit(LoginEnded { client, record: &accepted(), user: "alice" });
    telemetry.emit(RefusedAgain { client, reason: Reason::StateSpent });
    telemetry.emit(PrimaryAnswered { primary: nps, result: PrimaryResult::Accept, took });
    telemetry.emit(PrimaryDown {
        primary: nps,
        server: "192.0.2.7:1812",
        why: "silent to two transmissions",
        pause: Duration::from_secs(30),
    });
    telemetry.emit(UpstreamBadReply {
        primary: nps,
        server: "192.0.2.7:1812",
        why: &"the Response Authenticator does not fit",
    });
    telemetry.emit(Committed { took });
    telemetry.emit(StoreTrouble { doing: "writing a record", error: &"the disk is full" });
    telemetry.emit(StoreRecovered);
    telemetry.emit(StoreSpace { used: 1 << 30, free: 1 << 20, is_little: true });
    telemetry.emit(DiskFills { used: 1 << 30, free: 1 << 20, all: 1 << 31 });
    telemetry.emit(RecordsCut { records: 1024 });
    telemetry.emit(AuditTrouble { doing: "writing records", error: &"the disk is full" });
    telemetry.emit(WebhookTrouble { error: &"503" });
    telemetry.emit(WebPushTrouble { known_by: "*.push.example", host: "a.push.example", error: &"403" });
    telemetry.emit(WebPushResult::Refused);
    telemetry.emit(MailTrouble { error: &"451" });
    telemetry.emit(PagesOpened { pages: "portal", at: PEER, url: "https://mfa.example.com" });
    telemetry.emit(PageRefused { pages: "portal", why: PageRefusal::Crowded });
    telemetry.emit(PhoneRefused { phone: "page", why: PhoneRefusal::Unverified });
    let until = Wall(1_800_000_000_000);
    let (names, until_day) = ("mfa.example.com", "2027-01-15");
    telemetry.emit(CertificateTaken { pages: "portal", names, until, until_day, not_for: None });
    telemetry.emit(CertificateRefused {
        pages: "portal",
        doing: "reading the certificate",
        error: &"half a file",
        in_force_until: Some(until_day),
    });
    let from = std::net::IpAddr::from([203, 0, 113, 9]);
    telemetry.emit(SignInTried { pages: "portal", result: SignInResult::Refused, from, user: None });
    let (why, path) = (PageDenial::SwitchedOff, "/pin");
    telemetry.emit(PageDenied { pages: "portal", why, path, from: Some(from), user: Some("alice") });
    telemetry.emit(Reloaded { changes: &[] });
    telemetry.emit(ReloadRefused { mistakes: &["vestibule.toml:3:1: unknown key".to_owned()] });
    telemetry.emit(Started { radius: &[PEER], metrics: None, clients: 1, rules: 1 });
    telemetry.emit(Stopping { held: 7, within: Duration::from_secs(10) });
}

fn rendered() -> String {
    let telemetry = Telemetry::new();
    emit_all(&telemetry);
    telemetry.upkeep(Tick(5000));
    telemetry.render()
}

#[test]
fn every_metric_is_on_the_page_with_its_type_and_help() {
    let page = rendered();
    for name in MetricName::ALL {
        let name = name.as_str();
        assert!(page.contains(&format!("# TYPE {name} ")), "{name} is missing:\n{page}");
        assert!(page.contains(&format!("# HELP {name} ")), "{name} has no help:\n{page}");
    }
}

#[test]
fn what_happened_is_what_is_counted() {
    let page = rendered();
    for line in [
        "vestibule_requests_total{client=\"asa\"} 1",
        "vestibule_answers_total{client=\"asa\",code=\"accept\"} 1",
        "vestibule_answers_total{client=\"asa\",code=\"reject\"} 0",
        "vestibule_drops_total{client=\"asa\",reason=\"bad_message_authenticator\"} 1",
        "vestibule_drops_total{client=\"(unknown)\",reason=\"unknown_client\"} 1",
        "vestibule_logins_total{client=\"asa\",reason=\"accepted\"} 1",
        "vestibule_primary_seconds_count{primary=\"nps\",result=\"accept\"} 1",
        "vestibule_factor_seconds_count{method=\"push\",result=\"accepted\"} 1",
        "vestibule_held_sessions 7",
        "vestibule_disk_low 1",
        "vestibule_disk_free_bytes 1048576",
        "vestibule_store_bytes 1073741824",
        "vestibule_page_refusals_total{pages=\"portal\",reason=\"crowded\"} 1",
        "vestibule_sign_ins_total{pages=\"portal\",result=\"refused\"} 1",
        "vestibule_page_denials_total{pages=\"portal\",reason=\"switched_off\"} 1",
        "vestibule_certificate_ends_timestamp_seconds{pages=\"portal\"} 1800000000",
        "vestibule_troubles_total{service=\"certificate\"} 1",
        "vestibule_retransmits_total{client=\"asa\"} 1",
        "vestibule_joins_total{client=\"asa\"} 1",
        "vestibule_drops_total{client=\"asa\",reason=\"superseded\"} 1",
        "vestibule_prompts_total{method=\"push\"} 1",
        "vestibule_prompts_avoided_total 1",
        "vestibule_web_pushes_total{result=\"refused\"} 1",
        "vestibule_upstream_in_flight{primary=\"nps\"} 0",
        "vestibule_upstream_bad_replies_total{primary=\"nps\"} 1",
        "vestibule_upstream_down{primary=\"nps\"} 1",
        "vestibule_suspect_secret_total{client=\"asa\"} 1",
        "vestibule_shield_total{what=\"name\",done=\"held\"} 1",
        "vestibule_shield_total{what=\"address\",done=\"told\"} 1",
        "vestibule_commit_seconds_count 1",
        "vestibule_reloads_total{result=\"taken\"} 1",
        "vestibule_reloads_total{result=\"refused\"} 1",
        "vestibule_troubles_total{service=\"store\"} 1",
        "vestibule_troubles_total{service=\"webpush\"} 1",
    ] {
        assert!(page.lines().any(|each| each == line), "no line `{line}` in:\n{page}");
    }
}

#[test]
fn durations_are_histograms_that_add_up_over_nodes_and_never_summaries() {
    let page = rendered();
    assert!(!page.contains("quantile="), "{page}");
    for bucket in [
        "vestibule_primary_seconds_bucket{primary=\"nps\",result=\"accept\",le=\"0.005\"} 1",
        "vestibule_factor_seconds_bucket{method=\"push\",result=\"accepted\",le=\"120\"} 1",
        "vestibule_commit_seconds_bucket{le=\"0.002\"} 0",
        "vestibule_commit_seconds_bucket{le=\"0.004\"} 1",
    ] {
        assert!(page.contains(bucket), "no `{bucket}` in:\n{page}");
    }
}

/// The labels that a metric may have.
const LABELS: [&str; 12] =
    ["client", "reason", "code", "primary", "result", "method", "service", "version", "pages", "what", "done", "le"];

/// Rules F6: labels are of a closed list, and no value is a person, a station or an address.
#[test]
fn no_metric_tells_of_a_user() {
    let page = rendered();
    let labels =
        page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('{')?.1.split_once('}'));
    for (labels, _) in labels {
        for label in labels.split("\",") {
            let name = label.split_once('=').unwrap().0;
            assert!(LABELS.contains(&name), "{labels}");
        }
    }
    assert!(!page.contains("alice") && !page.contains("203.0.113.9") && !page.contains("192.0.2.10"), "{page}");
}

#[test]
fn two_services_in_one_process_count_apart_and_clones_count_together() {
    let (one, other) = (Telemetry::new(), Telemetry::new());
    one.emit(Held(3));
    one.clone().emit(Received { client: &asa(&one) });
    one.emit(Received { client: &asa(&one) });
    assert!(one.render().contains("vestibule_requests_total{client=\"asa\"} 2"));
    assert!(other.render().contains("vestibule_held_sessions 0"));
}

#[test]
fn a_request_in_flight_leaves_the_gauge_however_its_task_ends() {
    let telemetry = Telemetry::new();
    let nps = telemetry.primary(&PrimaryName::new("nps"));
    let guard = nps.in_flight();
    assert!(telemetry.render().contains("vestibule_upstream_in_flight{primary=\"nps\"} 1"));
    drop(guard);
    assert!(telemetry.render().contains("vestibule_upstream_in_flight{primary=\"nps\"} 0"));
}

#[test]
fn an_ended_login_is_one_line_that_a_person_reads_at_once() {
    let lines = lines_of(LogStyle::Plain, |telemetry| {
        telemetry.emit(LoginEnded { client: &asa(telemetry), record: &accepted(), user: "alice" });
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(time.len(), "2026-12-01T13:55:04.123Z".len(), "{line}");
    assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
    assert_eq!(
        rest,
        "info  alice via asa from 203.0.113.9: accepted in 2.1 s — rule \"VPN\", nps accepted, push approved  login=000000000000002a"
    );
}

#[test]
fn a_refused_login_says_why() {
    let cases: [(Reason, RecordedFactor, &str); 8] = [
        (
            Reason::WrongCode,
            RecordedFactor::Method(Method::Totp),
            "reason wrong_code, rule \"VPN\", nps accepted, totp refused",
        ),
        (
            Reason::SpentCode,
            RecordedFactor::Method(Method::Totp),
            "reason spent_code, rule \"VPN\", nps accepted, totp used before",
        ),
        (
            Reason::Denied,
            RecordedFactor::Method(Method::Push),
            "reason denied, rule \"VPN\", nps accepted, push denied",
        ),
        (
            Reason::Unanswered,
            RecordedFactor::Method(Method::Push),
            "reason unanswered, rule \"VPN\", nps accepted, push unanswered",
        ),
        (Reason::Primary, RecordedFactor::None, "reason primary, rule \"VPN\", nps refused"),
        (Reason::PrimaryUnavailable, RecordedFactor::None, "reason primary_unavailable, rule \"VPN\", nps unavailable"),
        (Reason::Draining, RecordedFactor::None, "reason draining, rule \"VPN\", nps asked"),
        // A challenge that ran out untouched: the password was right all the same.
        (
            Reason::Expired,
            RecordedFactor::Method(Method::Totp),
            "reason expired, rule \"VPN\", nps accepted, totp unanswered",
        ),
    ];
    for (reason, factor, expected) in cases {
        let (vouched, waited) = (factor != RecordedFactor::None, Duration::from_millis(340));
        let record = Record { reason, factor, vouched, answer: RecordedAnswer::Reject, waited, ..accepted() };
        let lines = lines_of(LogStyle::Plain, |telemetry| {
            telemetry.emit(LoginEnded { client: &asa(telemetry), record: &record, user: "alice" });
        });
        let line =
            format!("alice via asa from 203.0.113.9: refused in 340 ms — {expected}. {}  login=", reason.sentence());
        assert!(lines.iter().any(|each| each.contains(&line)), "{lines:?}");
    }
}

#[test]
fn each_reason_of_a_refusal_is_explained_in_the_log_in_the_words_of_the_one_table() {
    for reason in Reason::ALL.iter().copied().filter(|reason| *reason != Reason::Accepted) {
        let record = Record { reason, answer: RecordedAnswer::Reject, ..accepted() };
        let lines = lines_of(LogStyle::Plain, |telemetry| {
            telemetry.emit(LoginEnded { client: &asa(telemetry), record: &record, user: "alice" });
        });
        let (word, sentence) = (format!("reason {},", reason.as_str()), reason.sentence());
        assert!(lines.iter().any(|line| line.contains(&word) && line.contains(sentence)), "{lines:?}");
    }
}

#[test]
fn in_json_a_login_is_one_flat_object_with_its_parts() {
    let lines = lines_of(LogStyle::Json, |telemetry| {
        telemetry.emit(LoginEnded { client: &asa(telemetry), record: &accepted(), user: "alice" });
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    for (key, expected) in [
        ("level", "INFO".into()),
        ("target", "vestibule".into()),
        ("login", "000000000000002a".into()),
        ("client", "asa".into()),
        ("user", "alice".into()),
        ("station", "203.0.113.9".into()),
        ("rule", "VPN".into()),
        ("primary", "nps".into()),
        ("factor", "push".into()),
        ("answer", "accept".into()),
        ("reason", "accepted".into()),
        ("askers", serde_json::Value::from(2)),
        ("waited_ms", 2130.into()),
        ("waited_primary_ms", 12.into()),
        ("waited_factor_ms", 2100.into()),
    ] {
        assert_eq!(value[key], expected, "{key} in {line}");
    }
    assert!(value["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
}

#[test]
fn a_record_that_lacks_a_fact_lacks_the_field() {
    let record = Record { station: None, rule: None, primary: None, factor: RecordedFactor::None, ..accepted() };
    let lines = lines_of(LogStyle::Json, |telemetry| {
        telemetry.emit(LoginEnded { client: &asa(telemetry), record: &record, user: "alice" });
    });
    let value: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert!(value.get("station").is_none() && value.get("rule").is_none() && value.get("primary").is_none(), "{value}");
}

#[test]
fn nothing_that_a_stranger_sent_breaks_a_line() {
    let hostile = Record {
        station: Some(Station::new(b"203.0.113.9\r\nfake line\x1b[2J")),
        rule: Some(RuleName::new("a\nb")),
        detail: Some("c\u{2028}\r\nd".into()),
        ..accepted()
    };
    for style in [LogStyle::Plain, LogStyle::Json] {
        let lines = lines_of(style, |telemetry| {
            let client = &asa(telemetry);
            telemetry.emit(LoginEnded { client, record: &hostile, user: "eve\r\nalice\u{202e} via asa: accepted" });
            let detail: Option<&dyn fmt::Display> = Some(&"x\ny");
            telemetry.emit(Dropped { detail, ..dropped(client, DropReason::Malformed) });
            telemetry.emit(ReloadRefused { mistakes: &["one\ntwo\u{1b}[2J".to_owned()] });
        });
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines.iter().all(|line| !line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}'))),
            "{lines:?}"
        );
    }
}

#[test]
fn a_flood_is_one_line_and_then_a_number_and_says_what_to_do() {
    let lines = lines_of(LogStyle::Plain, |telemetry| {
        let client = &asa(telemetry);
        (0..1000).for_each(|_| telemetry.emit(dropped(client, DropReason::BadMessageAuthenticator)));
        telemetry.upkeep(Tick(30_000));
        telemetry.upkeep(Tick(61_000));
        telemetry.upkeep(Tick(66_000));
        assert!(
            telemetry
                .render()
                .contains("vestibule_drops_total{client=\"asa\",reason=\"bad_message_authenticator\"} 1000")
        );
    });
    let [first, rest] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(
        first.ends_with(
            "warn  asa at 192.0.2.10:1645: packet dropped, the Message-Authenticator does not fit the shared secret. \
             What to do: type the same shared secret on the appliance and in the client's secret file"
        ),
        "{first}"
    );
    assert!(
        rest.contains("the Message-Authenticator does not fit the shared secret: 999 more in the last minute"),
        "{rest}"
    );
    assert!(rest.contains("asa"), "{rest}");
}

#[test]
fn a_superseded_request_is_counted_once_as_a_drop_with_that_reason() {
    let telemetry = Telemetry::new();
    telemetry.emit(dropped(&asa(&telemetry), DropReason::Superseded));
    let page = telemetry.render();
    let counted: Vec<&str> = page.lines().filter(|line| line.contains("superseded") && line.contains("asa")).collect();
    assert_eq!(counted, ["vestibule_drops_total{client=\"asa\",reason=\"superseded\"} 1"]);
}

#[test]
fn the_ordinary_course_of_things_writes_no_line() {
    let lines = lines_of(LogStyle::Plain, |telemetry| {
        let client = &asa(telemetry);
        telemetry.emit(Received { client });
        telemetry.emit(Answered { client, code: AnswerCode::Challenge });
        telemetry.emit(dropped(client, DropReason::Superseded));
        telemetry.emit(dropped(client, DropReason::Expired));
        telemetry.emit(Held(1));
    });
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn a_request_that_is_repeated_or_joins_is_one_line_a_while() {
    let lines = lines_of(LogStyle::Plain, |telemetry| {
        let client = &asa(telemetry);
        for _ in 0..100 {
            telemetry.emit(Retransmitted { client });
            telemetry.emit(Joined { client, login: LoginId(1), prompt_avoided: true });
        }
    });
    let [repeated, joined] = &lines[..] else { panic!("{lines:?}") };
    assert!(repeated.contains("asa: a packet came again"), "{repeated}");
    assert!(joined.contains("joins the one that is held"), "{joined}");
}

#[test]
fn a_terminal_gets_colour_and_a_plain_one_none() {
    let started = |telemetry: &Telemetry| telemetry.emit(StoreRecovered);
    assert!(lines_of(LogStyle::Coloured, started)[0].contains("\u{1b}[32minfo \u{1b}[0m"));
    assert!(!lines_of(LogStyle::Plain, started)[0].contains('\u{1b}'));
}

#[test]
fn fields_of_other_rooms_are_shown_beside_their_sentence() {
    let lines = lines_of(LogStyle::Plain, |_| tracing::warn!(target: "vestibule::config", file = "a\nb", "odd"));
    assert!(lines[0].ends_with("warn  odd  file=a\\nb"), "{lines:?}");
}

const DASHBOARD: &str = include_str!("../../deploy/grafana/vestibule.json");
const ALERTS: &str = include_str!("../../deploy/prometheus/vestibule.rules.yml");

/// The words of a text that begin like our metrics, without a histogram's endings.
fn metrics_in(text: &str) -> Vec<&str> {
    let words =
        text.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|word| word.starts_with("vestibule_"));
    words
        .map(|word| ["_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word))
        .collect()
}

#[test]
fn dashboard_and_alerts_name_metrics_that_exist_and_the_dashboard_shows_them_all() {
    let exists = |name: &str| MetricName::ALL.into_iter().any(|metric| metric.as_str() == name);
    let shown = metrics_in(DASHBOARD);
    assert!(shown.iter().all(|name| exists(name)), "{shown:?}");
    assert!(metrics_in(ALERTS).into_iter().all(exists), "{:?}", metrics_in(ALERTS));
    let dark =
        MetricName::ALL.into_iter().map(MetricName::as_str).filter(|name| !shown.contains(name)).collect::<Vec<_>>();
    assert!(dark.is_empty(), "not on the dashboard: {dark:?}");
    assert!(serde_json::from_str::<serde_json::Value>(DASHBOARD).is_ok());
}

#[test]
fn a_reason_that_an_alert_watches_stands_at_zero_before_it_happens() {
    let telemetry = Telemetry::new();
    let _kept = asa(&telemetry);
    let page = telemetry.render();
    let quoted = ALERTS
        .lines()
        .filter(|line| line.contains("vestibule_logins_total"))
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    for reason in quoted.flat_map(|reasons| reasons.split('|')) {
        let line = format!("vestibule_logins_total{{client=\"asa\",reason=\"{reason}\"}} 0");
        assert!(page.contains(&line), "no `{line}` in:\n{page}");
    }
}
