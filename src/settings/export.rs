//! `llm-shell export` on the command line.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

/// What shells are called where nothing else is said.
const NAME_DEFAULT: &str = "llm-shell";

/// What is to be exported, as it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportOrder {
    /// The services file.
    pub file: PathBuf,
    /// `IMAGE`, or `SERVICE=IMAGE`.
    pub images: Vec<String>,
    /// The image that waits for other services.
    pub wait_image: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// How many shells, in the place of the services of a file.
    pub agents: Option<u16>,
    /// What the shells are called.
    pub name: String,
    /// The Secret that has their tokens already.
    pub token_secret: Option<String>,
    /// How much each keeps on a volume of its own.
    pub storage: Option<String>,
}

/// The command, with the argument that names the services file.
pub(super) fn export(file: Arg) -> Command {
    let file = file.help("Services file to export");
    let kubernetes = Command::new("kubernetes")
        .about("Print manifests for Kubernetes: of a services file, or of one LLM Shell per agent")
        .after_help(
            "The manifests go to stdout, a warning for each field that they do not say to stderr. \
             docs/KUBERNETES.md has the mapping.\n\n\
             llm-shell export kubernetes --image app:1 > app.yaml\n\
             llm-shell export kubernetes --agents 20 --image shell:1 | kubectl apply --server-side \
             -f -",
        )
        .arg(file)
        .args(of_both())
        .args(of_services())
        .args(of_shells());
    Command::new("export")
        .about("Print manifests that run our services in the place of Astra")
        .subcommand_required(true)
        .subcommand(kubernetes)
}

fn flag(name: &'static str, takes: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(takes).help(help)
}

fn of_both() -> [Arg; 2] {
    [
        flag("image", "[SERVICE=]IMAGE", "Image to run, of all or of one service; several times")
            .required(true)
            .action(ArgAction::Append),
        flag("namespace", "NAME", "Namespace that it all goes into"),
    ]
}

fn of_services() -> [Arg; 1] {
    let help = "Image whose sh waits for other services; the service's own without it";
    [flag("wait-image", "IMAGE", help).conflicts_with("agents")]
}

fn of_shells() -> [Arg; 4] {
    [
        flag("agents", "COUNT", "One LLM Shell for each of so many agents, in the place of a file")
            .value_parser(value_parser!(u16))
            .conflicts_with("file"),
        flag("name", "NAME", "What the shells are called [default: llm-shell]").requires("agents"),
        flag("token-secret", "NAME", "Secret that has a token for each pod; else they are made")
            .requires("agents"),
        flag("storage", "SIZE", "Keep work and logs of each on a volume of this size, such as 2Gi")
            .requires("agents"),
    ]
}

impl ExportOrder {
    /// What a parsed command line asks for.
    pub(super) fn of(flags: &ArgMatches) -> Self {
        let Some((_, flags)) = flags.subcommand() else { return Self::default() };
        let text = |name: &str| flags.get_one::<String>(name).cloned();
        Self {
            file: flags.get_one("file").cloned().unwrap_or_default(),
            images: flags.get_many("image").unwrap_or_default().cloned().collect(),
            wait_image: text("wait-image"),
            namespace: text("namespace"),
            agents: flags.get_one("agents").copied(),
            name: text("name").unwrap_or_else(|| NAME_DEFAULT.to_owned()),
            token_secret: text("token-secret"),
            storage: text("storage"),
        }
    }
}
