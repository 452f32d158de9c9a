//! The program ends with a sentence where it cannot do what it is asked.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn run<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    program.args(arguments).env("RUST_BACKTRACE", "1").output().expect("the program starts")
}

#[track_caller]
fn check<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>, phrase: &str) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(phrase), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

/// A file of this name in a folder of this test process.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file");
    file
}

fn invoke(name: &str, event: &Value, phrase: &str) {
    check([OsStr::new("invoke"), file(name, &event.to_string()).as_os_str()], phrase);
}

#[test]
fn help_is_not_an_error() {
    for flag in ["--help", "-h"] {
        let output = run([flag]);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.starts_with(b"usage: ") && output.stderr.is_empty());
    }
}

#[test]
fn an_argument_that_it_does_not_know_is_named() {
    check(["--colour"], "'--colour'");
    check(["serve"], "serve");
}

#[test]
fn an_address_that_this_machine_lacks_is_named() {
    check(["--listen", "192.0.2.1", "--port", "0"], "cannot listen on 192.0.2.1: ");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    check([OsStr::from_bytes(b"\xff")], "\\xFF");
}

#[test]
fn a_file_that_is_no_event_is_refused() {
    check(["invoke", "nowhere.json"], "nowhere.json: ");
    check([OsStr::new("invoke"), file("callback.json", "no").as_os_str()], "callback.json is not JSON: ");
    invoke("visit.json", &json!({}), "the name must start with the name of a function");
    for event in [json!({}), json!([]), json!("GET"), json!({"version": "2.0"})] {
        invoke("callback-else.json", &event, "callback-else.json is no event of API Gateway: ");
    }
}

#[test]
fn an_event_whose_time_host_or_body_is_none_is_refused() {
    let text = include_str!("../../../events/events-base64-body.json");
    let event: Value = serde_json::from_str(text).expect("an event file is JSON");
    for time in [json!(i64::MAX), json!(-1)] {
        let mut event = event.clone();
        event["requestContext"]["timeEpoch"] = time;
        invoke("events-time.json", &event, "timeEpoch is no time in milliseconds");
    }
    let mut odd = event.clone();
    odd["requestContext"]["domainName"] = json!("a b");
    invoke("events-host.json", &odd, "domainName and rawPath make no address");
    let mut event = event;
    event["body"] = json!("not base64");
    invoke("events-body.json", &event, "its body is not base64");
}

/// A server that is killed when a test ends.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_reads_its_lines_may_stop() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    let mut server = Server(
        program
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts"),
    );
    let mut lines = BufReader::new(server.0.stdout.take().expect("a pipe"));
    let mut said = String::new();
    let origin = loop {
        assert!(lines.read_line(&mut said).expect("text") > 0, "{said}");
        if let Some((_, rest)) = said.split_once("Open ") {
            break rest.trim().trim_end_matches('/').to_owned();
        }
    };
    drop(lines);
    let address = origin.trim_start_matches("http://");
    // Each press prints a line for its push.
    for _ in 0..2 {
        let mut connection = TcpStream::connect(address).expect("it listens");
        let request = format!(
            "POST /sandbox HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n\r\naction=ticket"
        );
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    }
    assert!(server.0.try_wait().expect("a process").is_none());
}
