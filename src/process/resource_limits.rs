//! Resource limits of a run.

/// Resource limits for a run and all that it starts, together. `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceLimits {
    /// Memory in MiB, swap included. A run that exceeds it is killed.
    pub memory_mb: Option<u64>,
    /// CPU time, 100 for each core. A run that exceeds it is throttled.
    pub cpu_percent: Option<f64>,
    /// Processes, their threads included. A run cannot start more.
    pub processes: Option<u64>,
}

/// Period over which CPU time is shared out, in microseconds: the kernel's default for `cpu.max`.
const CPU_PERIOD_MICROSECONDS: f64 = 100_000.0;

/// File of a group that is missing if the kernel does not account for swap.
pub(super) const SWAP: &str = "memory.swap.max";

/// A controller of the kernel's control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Cpu,
    Processes,
}

impl Controller {
    /// All controllers, in the order of the fields of `ResourceLimits`.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Processes];

    /// Returns the kernel's name of the controller.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Processes => "pids",
        }
    }

    /// Returns the name of the limit that needs it.
    pub fn limit(self) -> &'static str {
        match self {
            Self::Memory => "memory_mb",
            Self::Cpu => "cpu_percent",
            Self::Processes => "processes",
        }
    }
}

impl ResourceLimits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.wanted().is_empty()
    }

    /// Returns the controllers that these limits need.
    pub(super) fn wanted(&self) -> Vec<Controller> {
        let wanted = [self.memory_mb.is_some(), self.cpu_percent.is_some()]
            .into_iter()
            .chain([self.processes.is_some()]);
        Controller::ALL.into_iter().zip(wanted).filter(|it| it.1).map(|it| it.0).collect()
    }

    /// Returns the files of a group to write, with their content, in this order.
    pub(super) fn files(&self) -> Vec<(&'static str, String)> {
        let mut files = Vec::new();
        if let Some(mebibytes) = self.memory_mb {
            files.push(("memory.max", mebibytes.saturating_mul(1024 * 1024).to_string()));
            files.push((SWAP, "0".to_owned()));
            // All processes are killed together: few programs work on without one of theirs.
            files.push(("memory.oom.group", "1".to_owned()));
        }
        if let Some(percent) = self.cpu_percent {
            let quota = (percent / 100.0 * CPU_PERIOD_MICROSECONDS).round();
            files.push(("cpu.max", format!("{quota} {CPU_PERIOD_MICROSECONDS}")));
        }
        if let Some(count) = self.processes {
            files.push(("pids.max", count.to_string()));
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_in_the_form_of_the_kernel() {
        let limits =
            ResourceLimits { memory_mb: Some(64), cpu_percent: Some(150.0), processes: Some(9) };
        let files = limits.files();
        let value = |name: &str| files.iter().find(|file| file.0 == name).map(|file| &*file.1);
        assert_eq!(value("memory.max"), Some("67108864"));
        assert_eq!(value("memory.oom.group"), Some("1"));
        assert_eq!(value("cpu.max"), Some("150000 100000"));
        assert_eq!(value("pids.max"), Some("9"));
        assert!(ResourceLimits::default().is_none());
    }
}
