//! Cells of tables of measurements: what an empty or odd one means.

/// A whole number from 1 to a million, under the name `key`.
pub(super) fn count(key: &str, value: Option<f64>) -> Result<u32, String> {
    match value {
        Some(value) if (1.0..=1e6).contains(&value) && value.fract() == 0.0 => Ok(value as u32),
        Some(value) => Err(format!("{key} {value} is no count")),
        None => Err(format!("{key} is missing")),
    }
}

/// A degree of parallelism; none is written 0, 1 or nothing.
pub(super) fn degree(key: &str, value: Option<f64>) -> Result<u32, String> {
    count(key, Some(value.unwrap_or(1.0).max(1.0)))
}

/// A positive time in milliseconds, as seconds.
pub(super) fn seconds(key: &str, ms: Option<f64>) -> Result<f64, String> {
    match ms {
        Some(ms) if ms > 0.0 && ms.is_finite() => Ok(ms / 1e3),
        Some(ms) => Err(format!("{key} {ms} is no time")),
        None => Err(format!("{key} is missing")),
    }
}

/// Why a row cannot be read; the caller names the line.
pub(super) fn explain(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        _ => error.to_string(),
    }
}
