//! Links as a client follows them: on a real folder with a finished export, through the route but without the server's other layers.
//! Every way to bend a link ends in the same 403.

use super::*;
use crate::jobs::tests as exports;
use axum::Router;
use axum::routing::get;
use http_body_util::BodyExt;
use std::path::Path as FilePath;

const ID: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

/// A folder whose one export has two parts.
fn finished(folder: &FilePath) -> Arc<App> {
    let app = exports::open(folder, exports::config(20));
    exports::use_something(&app, 0..30);
    exports::create(&app, ID);
    exports::run_due(&app);
    assert_eq!(exports::parts(&app, ID).len(), 2);
    app
}

fn links(app: &App, seconds: i64) -> Vec<String> {
    Linker::new(app, String::new(), seconds).unwrap().links(ID, &exports::parts(app, ID))
}

/// Status, the headers that are asked for, and the body.
fn ask(app: &Arc<App>, method: &str, link: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let router = Router::new().route("/downloads/{export}/{part}/{file}", get(download)).with_state(Arc::clone(app));
    let mut request = Request::builder().method(method).uri(link);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    runtime.block_on(async move {
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    })
}

fn file(app: &App, part: usize) -> String {
    let part = &exports::parts(app, ID)[part];
    std::fs::read_to_string(export_report::folder(app.database.folder(), ID).join(&part.file_name)).unwrap()
}

#[test]
fn a_link_gives_its_file_with_the_headers_of_a_download() {
    let folder = tempfile::tempdir().unwrap();
    let app = finished(folder.path());
    for (part, link) in links(&app, API_LINK_SECONDS).iter().enumerate() {
        let (status, headers, body) = ask(&app, "GET", link, &[]);
        assert_eq!((status, body), (200, file(&app, part)));
        let name = &exports::parts(&app, ID)[part].file_name;
        for (header, value) in [
            ("content-type", "text/csv; charset=utf-8"),
            ("content-disposition", &format!("attachment; filename=\"{name}\"")),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("accept-ranges", "bytes"),
            ("content-length", &file(&app, part).len().to_string()),
        ] {
            assert_eq!(headers[header], value, "{header}");
        }
    }
}

#[test]
fn head_and_ranges_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let app = finished(folder.path());
    let (link, whole) = (&links(&app, API_LINK_SECONDS)[0], file(&app, 0));
    let (status, headers, body) = ask(&app, "HEAD", link, &[]);
    assert_eq!((status, body.as_str()), (200, ""));
    assert_eq!(headers["content-length"], whole.len().to_string().as_str());
    let length = whole.len();
    for (range, expected) in [("bytes=0-99", 0..100), ("bytes=100-", 100..length), ("bytes=-10", length - 10..length)] {
        let (status, headers, body) = ask(&app, "GET", link, &[("range", range)]);
        assert_eq!((status, body.as_str()), (206, &whole[expected.clone()]), "{range}");
        assert_eq!(headers["content-range"], format!("bytes {}-{}/{length}", expected.start, expected.end - 1).as_str());
        assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    }
    let (status, headers, _) = ask(&app, "GET", link, &[("range", &format!("bytes={length}-"))]);
    assert_eq!((status, headers["content-range"].to_str().unwrap()), (416, format!("bytes */{length}").as_str()));
}

#[test]
fn a_link_that_was_bent_in_any_way_is_forbidden() {
    let folder = tempfile::tempdir().unwrap();
    let app = finished(folder.path());
    let links = links(&app, API_LINK_SECONDS);
    let (path, query) = links[0].split_once('?').unwrap();
    let (other_path, other_query) = links[1].split_once('?').unwrap();
    let (expires, signature) = query.strip_prefix("expires=").and_then(|rest| rest.split_once("&signature=")).unwrap();
    let later = expires.parse::<i64>().unwrap() + 1;
    let mut bent = vec![
        path.to_owned(),
        format!("{path}?expires={expires}"),
        format!("{path}?signature={signature}"),
        format!("{path}?expires={later}&signature={signature}"),
        format!("{path}?expires=0{expires}&signature={signature}"),
        format!("{path}?expires=+{expires}&signature={signature}"),
        format!("{path}?expires=&signature="),
        format!("{path}?expires={expires}&signature={}", signature.to_uppercase()),
        format!("{path}?expires={expires}&signature={}", &signature[..62]),
        format!("{path}?expires={expires}&signature={signature}00"),
        format!("{path}?expires={expires}&expires={later}&signature={signature}"),
        format!("{path}?expires=99999999999999999999&signature={signature}"),
        format!("{other_path}?{query}"),
        format!("{path}?{other_query}"),
        format!("{}?{query}", path.replace(ID, "a1b2c3d4-e5f6-7890-abcd-ef1234567891")),
        format!("{}?{query}", path.replace("/1/", "/01/")),
        format!("{}?{query}", path.replace("/1/", "/2/")),
        format!("/downloads/..%2F..%2Ffacts.db/1/x?{query}"),
    ];
    for place in 0..signature.len() {
        let flipped = if &signature[place..=place] == "0" { "1" } else { "0" };
        bent.push(format!("{path}?expires={expires}&signature={}{flipped}{}", &signature[..place], &signature[place + 1..]));
    }
    for link in bent {
        let (status, _, body) = ask(&app, "GET", &link, &[]);
        assert_eq!(status, 403, "{link} {body}");
    }
    assert_eq!(ask(&app, "GET", &links[0], &[]).0, 200);
}

#[test]
fn a_link_works_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let app = finished(folder.path());
    let (for_the_api, for_mail) = (links(&app, API_LINK_SECONDS), links(&app, MAIL_LINK_SECONDS));
    let made_at = app.clock.now();
    for (seconds, api, mail) in [(3590, 200, 200), (3600, 403, 200), (24 * 3600 - 10, 403, 200), (24 * 3600, 403, 403)] {
        app.clock.set(made_at.plus_seconds(seconds)).unwrap();
        let status = |links: &[String]| ask(&app, "GET", &links[0], &[]).0;
        assert_eq!((status(&for_the_api), status(&for_mail)), (api, mail), "after {seconds} s");
    }
}

#[test]
fn a_token_beside_the_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = finished(folder.path());
    let (status, _, _) = ask(&app, "GET", &links(&app, API_LINK_SECONDS)[0], &[("authorization", "Bearer fmt_x")]);
    assert_eq!(status, 400);
}

#[test]
fn a_link_to_what_is_not_there_is_not_found_and_only_its_signature_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let app = finished(folder.path());
    let links = links(&app, API_LINK_SECONDS);
    let linker = Linker::new(&app, String::new(), API_LINK_SECONDS).unwrap();
    let name = &exports::parts(&app, ID)[0].file_name;
    for path in [format!("{ID}/3/{name}"), format!("{ID}/0/{name}"), format!("{ID}/2/{name}"), format!("{ID}/x/{name}"), "x/1/x".to_owned()]
    {
        assert_eq!(ask(&app, "GET", &linker.link(&path), &[]).0, 404, "{path}");
    }
    let processing = exports::create(&app, "b1b2c3d4-e5f6-7890-abcd-ef1234567890");
    assert_eq!(ask(&app, "GET", &linker.link(&format!("{}/1/{name}", processing.id)), &[]).0, 404);
    app.clock.set(app.clock.now().plus_seconds(store::exports::EXPORT_KEPT_SECONDS)).unwrap();
    exports::run_due(&app);
    let late = Linker::new(&app, String::new(), API_LINK_SECONDS).unwrap();
    assert_eq!(ask(&app, "GET", &late.link(&format!("{ID}/1/{name}")), &[]).0, 404, "expired with its record");
    assert_eq!(ask(&app, "GET", &links[0], &[]).0, 403);
}

#[test]
fn a_link_of_another_folder_is_forbidden() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (app, foreign) = (finished(one.path()), finished(other.path()));
    assert_eq!(ask(&app, "GET", &links(&foreign, API_LINK_SECONDS)[0], &[]).0, 403);
}

#[test]
fn links_lead_to_the_public_address_else_to_the_one_that_the_caller_used() {
    let with =
        |host: Option<&str>| host.map(|host| (header::HOST, HeaderValue::from_str(host).unwrap())).into_iter().collect::<HeaderMap>();
    let uri = |text: &'static str| Uri::from_static(text);
    let none = Config::default();
    let base = |config: &Config, uri: Uri, host: Option<&str>| base_url(config, &uri, &with(host)).map_err(|error| error.status.as_u16());
    assert_eq!(base(&none, uri("/x"), Some("127.0.0.1:8080")).unwrap(), "http://127.0.0.1:8080");
    assert_eq!(base(&none, uri("/x"), Some("[::1]:8080")).unwrap(), "http://[::1]:8080");
    assert_eq!(base(&none, uri("http://billing.example:81/x"), None).unwrap(), "http://billing.example:81", "HTTP/2 has no Host");
    for host in [None, Some(""), Some("evil/path"), Some("user@evil"), Some("a b")] {
        assert_eq!(base(&none, uri("/x"), host), Err(400), "{host:?}");
    }
    let public = Config { public_url: Some("https://billing.example.com/".to_owned()), ..Config::default() };
    assert_eq!(base(&public, uri("/x"), Some("127.0.0.1:8080")).unwrap(), "https://billing.example.com");
}

#[test]
fn hex_is_read_in_lower_case_pairs_only() {
    for (text, bytes) in
        [("", Some(vec![])), ("00ff", Some(vec![0, 255])), ("0", None), ("0G", None), ("FF", None), ("+1", None), ("é", None)]
    {
        assert_eq!(unhex(text), bytes, "{text}");
    }
}
