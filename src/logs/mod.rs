//! The log engine: stores the output of commands as timestamped JSON lines on disk, and reads it
//! back.
//!
//! The only module that touches the log directory. It knows nothing of processes: here a run is one
//! descriptor to read, and another that becomes readable when the run has ended.

mod append;
mod block;
mod capture;
mod context;
mod directory;
mod disk;
mod emulator;
mod end_notice;
mod ends;
mod entry;
mod error;
mod escape;
mod filter;
mod flush;
mod fold;
mod folder;
mod folders;
mod grep;
mod index;
mod ledger;
mod lines;
mod lock;
mod long_line;
mod names;
mod open_log;
mod pace;
mod page;
mod position;
mod raw;
mod raw_file;
mod reader;
mod retention;
mod rotate;
mod run_log;
mod run_record;
mod series;
mod stamp;
#[cfg(test)]
mod tests;
mod wake;
mod writer;

pub use context::CONTEXT_LINES_MAX;
pub use emulator::Screen;
pub use end_notice::OnEnd;
pub use entry::PIECE_BYTES_MAX;
pub use error::Error;
pub use filter::Filter;
pub use fold::{FOLD_BYTES_MIN, Fold, Omission};
pub use folder::{LogFolder, OutputWatcher};
pub use folders::{new_folder, tidy_folders};
pub use ledger::Ledger;
pub use lines::{JOINED_BYTES_MAX, Line, Place};
pub use lock::FolderLock;
pub use page::{Page, PageCounts, Range, Selection};
pub use raw::{RAW_BYTES_MAX, RawOutput};
pub use raw_file::ScreenSize;
pub use retention::{Keep, LOG_BYTES_MIN};
pub use run_log::{LogSnapshot, RunLog};
pub use run_record::{EndRecord, Leader, OlderPart, RunRecord};
pub use series::LogSeries;
pub use stamp::{Moment, format_instant, now};
pub use writer::{Capture, LogWriter};
