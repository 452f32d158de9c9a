//! What the sandbox prints of what happens in it.

/// Which happenings get a line; each level has those of the one before, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    /// None, as tests want it.
    Nothing,
    /// WeChat's pushes.
    Pushes,
    /// Every request to the simulated WeChat and to DynamoDB.
    Requests,
}

/// Prints a line, as `println!` does. Whoever read the lines may have seen enough; the sandbox goes on without.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        use ::std::io::Write as _;
        let _ = ::std::writeln!(::std::io::stdout(), $($text)*);
    }};
}
