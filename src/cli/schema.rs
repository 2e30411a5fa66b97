//! `schema`: the JSON schema of scenario files, for editors.

use crate::scenario;

pub(super) fn schema() -> String {
    super::json(scenario::schema())
}
