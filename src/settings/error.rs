//! Errors of settings.

/// An invalid setting, or an invalid settings file.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// A value that the setting does not accept.
    #[error("invalid {setting} {value:?} ({source_name}): expected {expected}")]
    Value {
        /// The setting's name in its source.
        setting: String,
        /// The source.
        source_name: String,
        /// The value.
        value: String,
        /// What was expected.
        expected: String,
    },
    /// An invalid secret; its value is not shown.
    #[error("invalid {setting} ({source_name}): expected {expected}")]
    Secret {
        /// The setting's name in its source.
        setting: String,
        /// The source.
        source_name: String,
        /// What was expected.
        expected: String,
    },
    /// A setting with an empty value.
    #[error("{setting} ({source_name}) is empty: give it a value or remove it")]
    Empty {
        /// The setting's name in its source.
        setting: String,
        /// The source.
        source_name: String,
    },
    /// An invalid settings file.
    #[error("{name}: {why}")]
    EnvFile {
        /// The file.
        name: String,
        /// The reason, without any of its content.
        why: String,
    },
}
