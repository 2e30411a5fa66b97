//! What a user can get wrong, and how to mend it.
//!
//! A mistake names file, line, key, value and what would be right. Bugs are
//! asserts, not errors.

use std::fmt;
use std::path::PathBuf;

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why the program could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is wrong; every mistake that could be found at once.
    #[error("{}", join(.0))]
    Invalid(Vec<Mistake>),
    /// A file could not be read or written.
    #[error("{action} {}: {source}; {fix}", path.display())]
    Io {
        /// What was attempted: "cannot read", "cannot write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What would help.
        fix: &'static str,
    },
    /// The run could not be completed.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// The process exit code: 2 for a wrong input, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Invalid(_) => 2,
            Error::Io { .. } | Error::Failed(_) => 1,
        }
    }
}

/// One mistake in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or what stands for one ("--set", "the built-in quickstart").
    pub file: String,
    /// Line, counted from 1, where one is known.
    pub line: Option<usize>,
    /// Dotted path of the key ("pool.assistant.replicas"), empty for the file as a whole.
    pub key: String,
    /// The value as written, where there is one.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub fix: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        match (self.key.is_empty(), &self.value) {
            (false, Some(value)) => write!(f, "{} = {value}: ", self.key)?,
            (false, None) => write!(f, "{}: ", self.key)?,
            (true, Some(value)) => write!(f, "`{value}`: ")?,
            (true, None) => {}
        }
        write!(f, "{}", self.problem)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

fn join(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n")
}
