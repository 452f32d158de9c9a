//! What the project promises of itself: what the Lambda binary is made of.

use std::process::Command;

/// The packages that the Lambda binary is linked from, a line each.
fn packages() -> String {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--package", "wechat-authorizer", "--edges", "normal", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--manifest-path", manifest])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn nothing_of_the_sandbox_and_the_tests_reaches_the_lambda_binary() {
    let packages = packages();
    for foreign in ["sandbox", "dynoxide-rs", "rusqlite", "axum", "proptest", "bench"] {
        let found = packages.lines().any(|line| line.split(' ').next() == Some(foreign));
        assert!(!found, "{foreign} is linked into the Lambda binary");
    }
}

#[test]
fn there_is_one_tls_stack() {
    let packages = packages();
    for other in ["ring", "openssl-sys", "native-tls", "s2n-tls", "aws-smithy-http-client"] {
        let found = packages.lines().any(|line| line.split(' ').next() == Some(other));
        assert!(!found, "{other} is linked into the Lambda binary");
    }
    let mut rustls: Vec<&str> = packages.lines().filter(|line| line.starts_with("rustls v")).collect();
    rustls.sort_unstable();
    rustls.dedup_by_key(|line| line.trim_end_matches(" (*)").to_owned());
    assert_eq!(rustls.len(), 1, "{rustls:?}");
}
