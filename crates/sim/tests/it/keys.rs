//! Does the key endpoint serve, rotate, fail, wait and count as it is told?

use std::time::{Duration, Instant};

use postern_sim::{KeySetAnswer, KeySetServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What comes back for a GET of a path; `None` when the connection ends without an answer.
async fn get(url: &str, path: &str) -> Option<String> {
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (!answer.is_empty()).then_some(answer)
}

async fn fetch(server: &KeySetServer) -> Option<String> {
    let url = server.url();
    let path = &url[url.rfind("/oauth2").unwrap()..];
    get(&url, path).await
}

#[tokio::test]
async fn a_key_set_is_served_with_its_age_and_rotated() {
    let server = KeySetServer::start("{\"keys\":[1]}").await.unwrap();
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
    let first = fetch(&server).await.unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && first.ends_with("\r\n\r\n{\"keys\":[1]}"));
    assert!(
        first.contains("cache-control: public, max-age=3600, must-revalidate, no-transform\r\n")
    );
    assert!(!first.contains("\nage:"), "{first}");

    server.answer(KeySetAnswer { max_age: Some(60), age: Some(55), ..KeySetAnswer::of("{}") });
    let second = fetch(&server).await.unwrap();
    assert!(second.contains("max-age=60,") && second.contains("\nage: 55\r\n"), "{second}");
    server.publish("{\"keys\":[2]}");
    let third = fetch(&server).await.unwrap();
    assert!(third.contains("max-age=60,") && third.ends_with("{\"keys\":[2]}"), "{third}");
    assert_eq!(server.fetches(), 3);
}

#[tokio::test]
async fn other_requests_find_nothing_and_do_not_count() {
    let server = KeySetServer::start("{}").await.unwrap();
    let answer = get(&server.url(), "/oauth2/v1/certs").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 ") && server.fetches() == 0, "{answer}");
}

#[tokio::test]
async fn faults_come_as_they_are_asked_for() {
    let server = KeySetServer::start("{}").await.unwrap();
    server.answer(KeySetAnswer::failing(503));
    let failing = fetch(&server).await.unwrap();
    assert!(failing.starts_with("HTTP/1.1 503 ") && !failing.contains("cache-control"));

    server.answer(KeySetAnswer { broken: true, ..KeySetAnswer::default() });
    assert_eq!(fetch(&server).await, None);

    let delay = Duration::from_millis(150);
    server.answer(KeySetAnswer { delay, ..KeySetAnswer::of("{}") });
    let begun = Instant::now();
    assert!(fetch(&server).await.unwrap().starts_with("HTTP/1.1 200 "));
    assert!(begun.elapsed() >= delay);

    // A fetch counts when it begins, and goes on under the answer that it found.
    server.answer(KeySetAnswer { delay: Duration::from_secs(60), ..KeySetAnswer::default() });
    let hanging = tokio::time::timeout(Duration::from_millis(300), fetch(&server));
    assert!(hanging.await.is_err() && server.fetches() == 4);
    server.answer(KeySetAnswer::of("{}"));
    assert!(fetch(&server).await.is_some());
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = KeySetServer::start("{}").await.unwrap();
    let url = server.url();
    let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    drop(server);
    let gone = async {
        while TcpStream::connect(&address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
}
