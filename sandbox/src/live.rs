//! What keeps the sandbox's own pages up to date in the browser, and where they are.

/// Replaces what has changed on a page every two seconds and after each press, so that the page stays where it is, with
/// what was typed and what is open. Without it the buttons lead back to their section.
pub(crate) const SCRIPT: &str = include_str!("../templates/live.js");
