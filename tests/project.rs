//! What the project promises of itself: what the Lambda binary is made of, and that each of its log lines is explained.

use std::fs;
use std::path::{Path, PathBuf};
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
    // The last one is the HTTP client of the SDK; the product has its own, src/http.rs.
    for foreign in
        ["sandbox", "dynoxide-rs", "rusqlite", "axum", "proptest", "bench", "aws-smithy-http-client"]
    {
        let found = packages.lines().any(|line| line.split(' ').next() == Some(foreign));
        assert!(!found, "{foreign} is linked into the Lambda binary");
    }
}

/// The files below `directory` whose names end with `.rs`.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The message of a log macro that begins before `arguments`: its last string.
fn message(arguments: &str) -> String {
    let (mut message, mut depth, mut characters) = (String::new(), 1, arguments.chars());
    while let Some(character) = characters.next() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => {
                message.clear();
                while let Some(character) = characters.next().filter(|character| *character != '"') {
                    match character {
                        // A line that goes on: the next line's indentation is not part of it.
                        '\\' => {
                            while characters.as_str().starts_with(char::is_whitespace) {
                                characters.next();
                            }
                        }
                        character => message.push(character),
                    }
                }
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    message
}

/// Checks that both READMEs have all of `words`.
#[track_caller]
fn assert_explained(words: &[&str]) {
    for readme in ["README.md", "README.zh-CN.md"] {
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(readme)).expect("it is there");
        let missing: Vec<&&str> = words.iter().filter(|word| !text.contains(**word)).collect();
        assert!(missing.is_empty(), "{readme} says nothing of {missing:#?}");
    }
}

#[test]
fn every_log_line_is_in_both_readmes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines = Vec::new();
    for source in sources(&root.join("src")) {
        let source = fs::read_to_string(source).expect("UTF-8");
        for begin in ["tracing::error!(", "tracing::warn!(", "tracing::info!("] {
            lines.extend(source.split(begin).skip(1).map(message));
        }
    }
    assert!(lines.len() > 60, "{} lines were found", lines.len());
    // What comes before the first value; a line that begins with one is a cause's, which has rows of its own.
    let begins = lines.iter().map(|line| line.split('{').next().unwrap_or_default().trim_end());
    assert_explained(&begins.filter(|line| !line.is_empty()).collect::<Vec<_>>());
}

/// The name by which a heading is linked to: GitHub's rules.
fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_within_a_readme_leads_to_a_heading() {
    for readme in [include_str!("../README.md"), include_str!("../README.zh-CN.md")] {
        let headings = readme.lines().filter(|line| line.starts_with("##"));
        let anchors: Vec<String> = headings.map(|line| anchor(line.trim_start_matches('#'))).collect();
        let links = readme.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
        let broken: Vec<&str> = links.filter(|link| !anchors.iter().any(|anchor| anchor == link)).collect();
        assert!(broken.is_empty(), "{broken:?} lead nowhere");
    }
}
