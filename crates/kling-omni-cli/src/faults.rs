//! The `--fault` option of the sandbox, and its help.

use std::str::FromStr as _;

use clap::Args;
use kling_omni_sandbox::{FaultRule, SandboxBuilder};

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FaultArgs {
    /// Inject a fault into the sandbox, such as create:drop@1; may be repeated; `kling-omni sandbox --help` lists the
    /// faults
    #[arg(long = "fault", value_name = "SPEC", value_parser = parse_rule)]
    faults: Vec<FaultRule>,
}

/// The faults and their seed, for commands with `--sandbox`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SeededFaultArgs {
    #[command(flatten)]
    faults: FaultArgs,

    /// Seed for the probability of faults; an earlier run printed its own
    #[arg(long, value_name = "N", requires = "faults")]
    fault_seed: Option<u64>,
}

impl SeededFaultArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.faults.faults.is_empty()
    }

    pub(crate) fn add_to(self, builder: SandboxBuilder) -> SandboxBuilder {
        let builder = self.faults.add_to(builder);
        match self.fault_seed {
            Some(seed) => builder.seed(seed),
            None => builder,
        }
    }
}

/// Parses a fault. The error does not quote the text, which may be a misplaced secret.
fn parse_rule(text: &str) -> Result<FaultRule, String> {
    FaultRule::from_str(text).map_err(|error| {
        let error = error.to_string();
        let is_typed = |part: &&str| !part.is_empty() && text.contains(*part);
        let shown = error
            .split('`')
            .map(|part| if is_typed(&part) { "…" } else { part });
        shown.collect::<Vec<_>>().join("`")
    })
}

impl FaultArgs {
    pub(crate) fn add_to(self, builder: SandboxBuilder) -> SandboxBuilder {
        self.faults.into_iter().fold(builder, SandboxBuilder::fault)
    }
}

/// The help for `SPEC`.
pub(crate) const GRAMMAR: &str = "\
A fault is TARGET[#TASK]:FAULT[@NUMBERS][~PROBABILITY], such as create:drop@1, status:503=30~0.2 or
result#2:cut=1000@1-3. The requests of a target and the tasks are counted from 1.
  TARGET      api, create, list, status, result, webhook, upload (requests for upload URLs), storage
              (the host that receives files), or an operationId of the document
  Errors      CODE (not executed), accept-CODE (executed and charged); either may end with -html for
              an HTML body, and with =TEXT for a Retry-After; plan-limit (a 429 about the limit of a
              trial or a plan); message=TEXT (the message of the error)
  Connection  lost (not executed), drop and hang (executed and charged), slow-headers=TIME,
              slow-body=TIME, drip=BYTES/TIME, cut[=BYTES], truncate[=BYTES], length=NUMBER (added to
              the Content-Length), oversize=BYTES, content-type=TYPE, redirect[=URL]
  Responses   unknown-status=NAME, null=FIELD, missing=FIELD, empty, expired-url, fresh-url,
              epoch-reset, success=CODE, header=LINE (also malformed or folded),
              content-encoding=TOKEN, bom, prefix=TEXT, body=TEXT; for lists has-more and
              hide-newest=NUMBER
  Tasks       for creates: id=TEXT, lenient (accepts and charges what the document rejects),
              silent-failure[=TIME] (fails after 3s without a reason), moderated (completes without a
              video); another video than requested: clip-seconds=NUMBER, clip-size=WIDTHxHEIGHT,
              clip-sound=yes|no
  Webhooks    lost, duplicate, late=TIME, reordered, forged, replay=TIME, rotated=SECRET,
              rotating=SECRET (signed with the old secret, too)
LINE and the TEXT of prefix, body, message and id may contain \\r, \\n, \\t, \\\\, \\xNN (a byte) and
\\u{N} (a character), such as create:header=Set-Cookie: a=1\\r\\n b=2.";
