//! What the project promises of itself: what the Lambda binary is made of, that the documents explain each of its log lines
//! and no other, and that they are short, plain and linked.

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

/// A file of the project, as text.
fn text(path: impl AsRef<Path>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The parts of each string in `source` that are the same whatever its values are. Comments have none.
fn constant_parts(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let (mut parts, mut rest) = (Vec::new(), code.as_str());
    while let Some(begin) = rest.find('"') {
        let string = message(&rest[begin..]);
        let end =
            rest[begin + 1..].match_indices('"').find(|(at, _)| !rest[..begin + 1 + at].ends_with('\\'));
        let Some((end, _)) = end else { break };
        rest = &rest[begin + end + 2..];
        parts.extend(string.split('{').enumerate().map(|(index, part)| {
            let part = if index == 0 { part } else { part.split_once('}').map_or("", |(_, after)| after) };
            part.trim_matches([':', ' ']).to_owned()
        }));
    }
    parts.retain(|part| part.len() > 3);
    parts
}

/// Whether a log line can begin with `line`: it is made of constant parts, the last of which may be cut off.
fn is_logged(line: &str, parts: &[String]) -> bool {
    let line = line.trim_matches([':', ' ']);
    let rest = |part: &String| line.strip_prefix(part.as_str()).filter(|_| part.len() > 6);
    line.is_empty()
        || parts.iter().any(|part| part.starts_with(line))
        || parts.iter().filter_map(rest).any(|rest| !rest.is_empty() && is_logged(rest, parts))
}

/// The documents that explain log lines.
const TROUBLESHOOT: [(&str, &str); 2] =
    [("docs/troubleshoot.md", "line"), ("docs/zh-CN/troubleshoot.md", "日志")];

/// The log lines that a document explains: what stands as code in the first cells of its tables of lines.
fn explained(document: &str, heading: &str) -> Vec<String> {
    let (mut lines, mut is_of_lines) = (Vec::new(), false);
    for row in document.lines() {
        match cells(row).first() {
            None => is_of_lines = false,
            Some(cell) if cell.starts_with(heading) => is_of_lines = true,
            Some(cell) if is_of_lines => {
                // Fields stand in parentheses.
                let lines_alone: String =
                    cell.split(['(', '（']).flat_map(|part| part.rsplit([')', '）']).next()).collect();
                lines.extend(lines_alone.split('`').skip(1).step_by(2).map(str::to_owned));
            }
            Some(_) => {}
        }
    }
    lines
}

#[test]
fn every_log_line_is_explained() {
    let mut lines = Vec::new();
    for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = text(source);
        for begin in ["tracing::error!(", "tracing::warn!(", "tracing::info!("] {
            lines.extend(source.split(begin).skip(1).map(message));
        }
    }
    assert!(lines.len() > 60, "{} lines were found", lines.len());
    for (path, heading) in TROUBLESHOOT {
        let explained = explained(&text(path), heading);
        // What comes before the first value; a line that begins with one is a cause's, which has its own rows.
        let begins = lines.iter().map(|line| line.split('{').next().unwrap_or_default().trim_end());
        let missing: Vec<&str> =
            begins.filter(|line| !explained.iter().any(|row| row.starts_with(line))).collect();
        assert!(missing.is_empty(), "{path} does not explain {missing:#?}");
    }
}

#[test]
fn no_row_explains_a_log_line_that_is_gone() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let parts: Vec<String> = sources.into_iter().flat_map(|source| constant_parts(&text(source))).collect();
    assert!(is_logged("push refused: the push is not signed with the platform's token", &parts));
    assert!(!is_logged("a line that nothing logs", &parts));
    for (path, heading) in TROUBLESHOOT {
        let explained = explained(&text(path), heading);
        assert!(explained.len() > 60, "{path} explains {} lines", explained.len());
        let gone: Vec<&String> =
            explained.iter().filter(|line| !line.split('…').all(|piece| is_logged(piece, &parts))).collect();
        assert!(gone.is_empty(), "nothing logs {gone:#?}, which {path} explains");
    }
}

/// The documents, by their paths from the root.
fn documents() -> Vec<PathBuf> {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("node_modules") {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = fs::read_dir(root)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    below(&root.join("docs"), &mut found);
    found.sort();
    found.into_iter().map(|path| path.strip_prefix(root).expect("below the root").to_owned()).collect()
}

/// A document without its examples.
fn prose(document: &str) -> String {
    let mut in_example = false;
    let is_prose = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        in_example ^= is_fence;
        !in_example && !is_fence
    };
    document.lines().filter(is_prose).flat_map(|line| [line, "\n"]).collect()
}

/// The cells of a table's row; none of another line.
fn cells(line: &str) -> Vec<&str> {
    let Some(row) = line.trim().strip_prefix('|') else { return Vec::new() };
    let (mut cells, mut begin) = (Vec::new(), 0);
    for (at, _) in row.match_indices('|').filter(|(at, _)| !row[..*at].ends_with('\\')) {
        cells.push(row[begin..at].trim());
        begin = at + 1;
    }
    cells
}

/// The name by which a heading is linked to: GitHub's rules.
fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    for path in documents() {
        let document = prose(&text(&path));
        let links = document.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { root.join(&path) } else { root.join(&path).with_file_name(file) };
            let is_heading =
                |line: &str| line.starts_with('#') && anchor(line.trim_start_matches('#')) == heading;
            let leads =
                target.exists() && (heading.is_empty() || prose(&text(&target)).lines().any(is_heading));
            if !leads {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these lead nowhere: {broken:#?}");
}

#[test]
fn documents_are_short() {
    for (path, kilobytes) in [("README.md", 10), ("README.zh-CN.md", 10), ("ARCHITECTURE.md", 25)] {
        let length = text(path).len();
        assert!(length <= kilobytes * 1024, "{path} has {length} bytes, more than {kilobytes} KB");
    }
    let mut long = Vec::new();
    for path in documents() {
        let document = prose(&text(&path));
        let of_path = document.lines().flat_map(cells).filter(|cell| cell.chars().count() > 160);
        long.extend(of_path.map(|cell| format!("{}: {cell}", path.display())));
    }
    assert!(long.is_empty(), "cells of more than 160 characters: {long:#?}");
}

#[test]
fn documents_use_plain_words() {
    // Words that readers had to read twice, and what is written instead.
    let unwanted = [
        ("mend", "fix"),
        ("mends", "fixes"),
        ("mended", "fixed"),
        ("mending", "fixing"),
        ("to be had", "available"),
        ("what came of", "the outcome of"),
        ("so many seconds", "at least this many seconds"),
        ("that is none", "malformed, or missing"),
        ("只能有一个主人", "只能由一套系统维护"),
        ("一概看不到", "一律看不到"),
        ("已有定论", "已确定不可再用"),
        ("占用标记", "处理标记"),
        ("用不上", "与本系统无关"),
        ("是什么让平台无法工作", "检查平台无法工作的原因"),
    ];
    let is_letter = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphabetic());
    let mut found = Vec::new();
    for path in documents() {
        let document = text(&path).to_lowercase();
        for (word, instead) in unwanted {
            let stands_alone = |at: usize| {
                !is_letter(document[..at].chars().next_back())
                    && !is_letter(document[at + word.len()..].chars().next())
            };
            if document.match_indices(word).any(|(at, _)| !word.is_ascii() || stands_alone(at)) {
                found.push(format!("{} says {word:?}: write {instead:?}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_recipe_that_a_document_names_exists() {
    let recipes: Vec<String> = [text("justfile"), text("ops/operate.just")]
        .iter()
        .flat_map(|file| file.lines())
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()) && line.contains(':'))
        .map(|line| line.split([' ', ':']).next().unwrap_or_default().to_owned())
        .collect();
    let mut gone = Vec::new();
    for path in documents() {
        let document = text(&path);
        let named = ["`just ", "$ just "].iter().flat_map(|begin| document.split(begin).skip(1));
        for rest in named {
            let recipe = rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default();
            if !recipes.iter().any(|known| known == recipe) {
                gone.push(format!("{}: just {recipe}", path.display()));
            }
        }
    }
    assert!(gone.is_empty(), "no justfile has {gone:#?}");
}

#[test]
fn every_test_that_shows_an_invariant_is_where_it_is_said_to_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = sources(&root.join("src"));
    files.extend(sources(&root.join("tests")));
    files.push(root.join("tests/template.py"));
    let has = |path: &Path, name: &str| {
        let source = fs::read_to_string(path).expect("a file");
        [format!("fn {name}("), format!("def test_{name}(")].iter().any(|begin| source.contains(begin))
    };
    let mut missing = Vec::new();
    for shown in text("ARCHITECTURE.md").lines().filter_map(|line| line.split("Shown by ").nth(1)) {
        let mut file = "";
        // Every second part stands between two marks, and the mark says what it is.
        let marks = shown.match_indices(['`', '*']).map(|(_, mark)| mark);
        for (part, mark) in shown.split(['`', '*']).skip(1).zip(marks).step_by(2) {
            if mark == "`" {
                file = part;
                continue;
            }
            let name = part.replace([' ', '\''], "_");
            if !files.iter().any(|path| path.ends_with(file) && has(path, &name)) {
                missing.push(format!("{file}: {part}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}
