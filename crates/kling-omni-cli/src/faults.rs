//! What goes wrong in a sandbox: the option for it, and its help.

use std::str::FromStr as _;

use clap::Args;
use kling_omni_sandbox::{FaultRule, SandboxBuilder};

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FaultArgs {
    /// Let something go wrong in the sandbox, as in create:drop@1; may be given several times, and `kling-omni sandbox
    /// --help` lists what there is
    #[arg(long = "fault", value_name = "SPEC", value_parser = rule)]
    faults: Vec<FaultRule>,
}

/// The same for a sandbox that has no options of its own.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SeededFaultArgs {
    #[command(flatten)]
    faults: FaultArgs,

    /// Repeat the luck of an earlier run, which told its seed
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

/// Reads a fault. What an error quotes of it may be a secret in the wrong place, and is not shown.
fn rule(text: &str) -> Result<FaultRule, String> {
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

/// What a `SPEC` is.
pub(crate) const GRAMMAR: &str = "\
A fault is PLACE[#TASK]:FAULT[@NUMBERS][~PROBABILITY], as in create:drop@1, status:503=30~0.2 or
result#2:cut=1000@1-3. Requests to a place and tasks are counted from 1.
  PLACE       api, create, list, status, result, webhook, upload (asking for places), storage (the
              host that takes files), or an operationId of the spec
  Errors      CODE (nothing is done), accept-CODE (it is done, and charged), either with -html for a
              page as the body and with =TEXT for a Retry-After; plan-limit (a 429 about the limit of a
              trial or a plan); message=TEXT (what an error says)
  Connection  lost (nothing is done), drop and hang (it is done, and charged), slow-headers=TIME,
              slow-body=TIME, drip=BYTES/TIME, cut[=BYTES], truncate[=BYTES], length=NUMBER (by how
              much it is off), oversize=BYTES, content-type=TYPE, redirect[=URL]
  Answers     unknown-status=NAME, null=FIELD, missing=FIELD, empty, expired-url, fresh-url,
              epoch-reset, success=CODE, header=LINE (malformed and folded ones, too),
              content-encoding=TOKEN, bom, prefix=TEXT, body=TEXT; of lists has-more and
              hide-newest=NUMBER
  Tasks       of a create: id=TEXT, lenient (makes and charges what the spec refuses),
              silent-failure[=TIME] (fails after 3s without a reason), moderated (completed without a
              video)
  Webhooks    lost, duplicate, late=TIME, reordered, forged, replay=TIME, rotated=SECRET,
              rotating=SECRET (with the old one)
LINE and the TEXT of prefix, body, message and id may hold \\r, \\n, \\t, \\\\, \\xNN (a byte) and
\\u{N} (a character), as in create:header=Set-Cookie: a=1\\r\\n b=2.";
