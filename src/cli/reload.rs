//! `vestibule reload`: the server that runs takes the policy file again, whole or not at all (rules G2), and says what changed or why not.

use super::out::{self, Failure, Outcome};
use super::shell;
use super::site::{Global, load};
use crate::serve::control::{self, Answer, Ask, Unanswered};

pub(super) const EXAMPLES: &str = "\
Examples:
  vestibule reload                              what changed, in words; or why the one in force stays
  vestibule reload --json                       {\"reloaded\":true,\"changes\":[…],\"warnings\":[…]}
  systemctl reload vestibule                    the same by a signal; the log says what became of it

It speaks to the server over a socket beside the store, as root or as the user that runs it. Nothing is written. Exit code 0: in
force. 1: refused by the server, or no server runs. 2: the file is broken.";

/// Asks for it.
pub(super) fn run(global: &Global) -> Outcome {
    // A broken file is drawn here, with its lines; the server would refuse it in any case.
    let config = load(&global.config).inspect_err(|_| out::note("Refused, and the policy in force stays:\n"))?;
    let answer = control::ask(&config.store.file, Ask::Reload).map_err(|why| unanswered(&why, global))?;
    if global.json {
        return json(&answer);
    }
    match answer {
        Answer::Reloaded { changes, warnings } => {
            warnings
                .iter()
                .for_each(|warning| out::note(format!("warning: {}", shell::addressed(warning, &global.program()))));
            out::say(if changes.is_empty() { "In force. Nothing changed." } else { "In force. What changed:" });
            changes.iter().for_each(|change| out::say(format!("  {change}")));
            Ok(())
        }
        Answer::Refused { mistakes, broken } => {
            let told = format!("refused, and the policy in force stays:\n  {}", mistakes.join("\n  "));
            Err(if broken { Failure::Usage(told) } else { Failure::Refused(told) })
        }
        Answer::Unknown { why } => Err(Failure::Refused(why)),
    }
}

fn json(answer: &Answer) -> Outcome {
    let (told, end) = match answer {
        Answer::Reloaded { changes, warnings } => {
            (serde_json::json!({ "reloaded": true, "changes": changes, "warnings": warnings }), Ok(()))
        }
        Answer::Refused { mistakes, broken } => (
            serde_json::json!({ "reloaded": false, "mistakes": mistakes }),
            Err(if *broken { Failure::SaidMistakes } else { Failure::Said }),
        ),
        Answer::Unknown { why } => (serde_json::json!({ "reloaded": false, "mistakes": [why] }), Err(Failure::Said)),
    };
    out::json(&told)?;
    end
}

fn unanswered(why: &Unanswered, global: &Global) -> Failure {
    let help = match why {
        Unanswered::Nobody(_) => format!(
            ": is it running, and with this file's [store] url? A changed [store] needs a start: {} serve, or systemctl restart vestibule",
            global.program()
        ),
        Unanswered::System(_, error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "; run this as root or as the user that runs vestibule".to_owned()
        }
        Unanswered::System(..) | Unanswered::Silent(_) => String::new(),
    };
    Failure::Refused(format!("{why}{help}"))
}
