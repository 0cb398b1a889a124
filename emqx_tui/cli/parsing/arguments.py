"""Commands, flags, and the messages about wrong ones.

Flags that select the cluster are spelled as kubectl spells them, and may stand before or after the command. Anything
wrong is a UsageError of one line; nothing here reads a file or opens a connection.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from emqx_tui.cli.parsing.bench_arguments import add_bench
from emqx_tui.cli.parsing.flags import (
    LIST_FORMS,
    Parser,
    UsageError,
    acceptable_check,
    duration,
    faults,
    gate,
    like,
    list_form,
    moment,
    number,
    whole,
)
from emqx_tui.config import OPTIONS
from emqx_tui.ui.text.themes import THEMES

SCENARIOS = ("smooth", "green-never-ready", "slow-drain", "node-lost", "network-resets", "hung-peer", "split")
APPROVALS = ("every-node", "cut-over", "auto")
REPLAY_SPEEDS = (1, 2, 5, 10, 30, 60, 120, 300, 600)
SHELLS = ("bash", "zsh", "fish")
COMPLETION = """\
to load it in every new shell:
  bash  echo 'source <(emqx-tui completion bash)' >> ~/.bashrc
  zsh   echo 'source <(emqx-tui completion zsh)' >> ~/.zshrc      (after compinit)
  fish  emqx-tui completion fish > ~/.config/fish/completions/emqx-tui.fish"""
EXIT_CODES = """\
exit codes:
  0  done                3  waiting for approval    5  aborted
  1  failed              4  held                    6  lost contact
  2  wrong usage         128 + number  ended by that signal"""
PLAN_CODES = """\
exit codes:
  0  it can start as planned    1  a check or a wish stands in its way    2  wrong usage    6  lost contact"""
VERB_EXIT_CODES = """\
exit codes:
  0  done                3  nothing waits, nothing is held, or no release is under way
  1  refused             4  held
  2  wrong usage         6  lost contact"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its flags; `settings` holds the global flags that were given, by setting. Raises UsageError."""
    cluster = _global_flags()
    given, rest = cluster.parse_known_args(_spelled_out(argv))
    parser = _commands(cluster, only=rest[0] if rest else "")
    chosen, left = parser.parse_known_args(rest)
    if left:
        # What stands after a mistyped flag of bench may be a password.
        words = [word.partition("=")[0] for word in left if word.startswith("-")] if chosen.command == "bench" else left
        prog = parser.prog if chosen.command == "console" else f"{parser.prog} {chosen.command}"
        told = f"unrecognized arguments: {' '.join(words)}".rstrip(": ")
        raise UsageError(f"{prog}: {told}; see {prog} --help")
    return _with_settings(chosen, given)


def parse_global_flags(argv: Sequence[str]) -> argparse.Namespace:
    """`config_file` and `settings` alone, of a line whose command may be unfinished. Raises UsageError."""
    given, _ = _global_flags().parse_known_args(_spelled_out(argv))
    return _with_settings(argparse.Namespace(), given)


def completion_parser() -> Parser:
    """The parser that shell completion asks: each command knows the global flags too."""
    cluster = _global_flags()
    return _commands(cluster, parents=[cluster])


def _with_settings(chosen: argparse.Namespace, given: argparse.Namespace) -> argparse.Namespace:
    chosen.config_file = given.config_file
    chosen.settings = {name: getattr(given, name, None) for name in OPTIONS if name != "approval"}
    return chosen


_SWITCHES = ("--all-namespaces", "--read-only", "--ascii", "--low-bandwidth")


def _spelled_out(argv: Sequence[str]) -> list[str]:
    """kubectl takes `--all-namespaces=true` too."""
    out: list[str] = []
    for word in argv:
        name, equals, value = word.partition("=")
        if equals and name in _SWITCHES:
            if value.lower() not in ("true", "false"):
                raise UsageError(f"emqx-tui: {word}: expected true or false; see emqx-tui --help")
            out += [name] if value.lower() == "true" else [f"--no{name[1:]}"]
        else:
            out.append(word)
    return out


def _global_flags() -> Parser:
    parser = Parser(prog="emqx-tui", add_help=False)
    cluster = parser.add_argument_group("which cluster, as kubectl spells it")
    cluster.add_argument("--kubeconfig", metavar="FILE")
    cluster.add_argument("--context", metavar="NAME")
    cluster.add_argument("--cluster", metavar="NAME")
    cluster.add_argument("--user", metavar="NAME")
    cluster.add_argument("-n", "--namespace", metavar="NAME")
    _switch(cluster, "-A", "--all-namespaces", "all_namespaces")
    cluster.add_argument("--as", dest="as_user", metavar="USER")
    cluster.add_argument("--as-group", dest="as_groups", metavar="GROUP", action="append")
    cluster.add_argument("--request-timeout", dest="request_timeout_s", metavar="DURATION")
    console = parser.add_argument_group("the console")
    console.add_argument("--emqx-access", metavar="WAY", help="port-forward (default), direct, or a URL")
    console.add_argument("--clock-rate", metavar="N", help="speed of the cluster's time (a sandbox's --speed)")
    _switch(console, "--read-only", "read_only", help="send no changes to the cluster")
    _switch(console, "--ascii", "ascii", help="draw with ASCII characters only")
    _switch(console, "--low-bandwidth", "low_bandwidth", help="draw four times a second at most, instead of ten")
    console.add_argument("--log-file", metavar="FILE")
    console.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    console.add_argument("--flight-log-dir", metavar="FOLDER", help="folder of the flight logs")
    console.add_argument("--theme", metavar="NAME", help=", ".join(THEMES))
    console.add_argument("--runbook", metavar="FILE", help="Markdown: what a person is to do at each gate")
    console.add_argument("--metrics", metavar="HOST:PORT", help="serve OpenMetrics for Prometheus there")
    console.add_argument("--notify", metavar="HOW", help="command, URL or Apprise address that calls a person")
    console.add_argument("--config", dest="config_file", metavar="FILE", default="", help="configuration file")
    return parser


def _switch(group: Any, *names: str, help: str | None = None) -> None:
    *flags, dest = names
    group.add_argument(*flags, dest=dest, action="store_const", const=True, help=help)
    group.add_argument(f"--no{flags[-1][1:]}", dest=dest, action="store_const", const=False, help=argparse.SUPPRESS)


def _form(parser: Parser, of_programs: str = "json") -> None:
    parser.add_argument("-o", "--output", choices=("text", of_programs), default="text")


def _commands(cluster: Parser, parents: Sequence[Parser] = (), only: str | None = None) -> Parser:
    """`only` = the word where a command stands: the others are not made, as that takes longer than reading the line."""
    parser = Parser(
        prog="emqx-tui",
        usage="emqx-tui [COMMAND] [flags]",
        description="Supervises blue-green releases of EmqxEnterprise clusters. Without a command: the console.",
        epilog="emqx-tui COMMAND --help says more about a command.",
        parents=[cluster],
    )
    parser.set_defaults(command="console")
    parser.add_argument("--version", action="store_const", const="version", dest="command", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog="emqx-tui", required=False
    )

    def add(name: str, flags: Callable[[Parser], None], help: str, **kwargs: Any) -> None:
        if only in (None, name):
            flags(commands.add_parser(name, help=help, description=help, parents=parents, **kwargs))

    add("demo", _demo, "start a simulated cluster and open the console on it", epilog=EXIT_CODES)
    add("sandbox", _sandbox, "serve a simulated cluster for the console and kubectl, until Ctrl-C")
    add("plan", _plan, "forecast a release: time, disconnects, reconnects; or the rate for a wish", epilog=PLAN_CODES)
    add(
        "rehearse",
        _rehearse,
        "the same screens on a simulated cluster of a real one's shape, with faults at given times",
        epilog=_fault_names,
    )
    add("rollout", _rollout, "run a release without a screen, or carry on with the one under way", epilog=EXIT_CODES)
    add("get", _get, "list EmqxEnterprise clusters, or one of them")
    add("status", _status, "show where the release of a cluster stands")
    _verbs(add)
    add("report", _report, "tell what a release did, from the flight log of a console, for a change ticket")
    add("compare", _compare, "two recorded releases side by side, such as staging against production")
    add("replay", _replay, "look again at a release, from the recording of a console")
    add("bench", partial(add_bench, parents=parents), "put load on a broker: many MQTT connections, counted")
    add("doctor", _doctor, "check this machine, the way to the cluster, rights and EMQX, each with its cure")
    add("info", _info, "print versions, files, and every setting with its value and where it came from")
    add("dashboard", _nothing, "print a Grafana dashboard for --metrics and for EMQX's own metrics")
    add("explain", _explain, "say what a word on a screen means: a state, phase, check, field or policy")
    add("completion", _completion, "print the completion script of a shell", epilog=COMPLETION)
    add("version", _form, "print the version")
    if only and not commands.choices:
        # No command's name: what is wrong with it, and help, tell of them all.
        return _commands(cluster, parents)
    return parser


def _nothing(parser: Parser) -> None:
    """No flags but the global ones."""


def _demo(parser: Parser) -> None:
    parser.add_argument(
        "--speed",
        type=number(1, 600),
        metavar="N",
        help="virtual seconds per second (default 10, of a fleet 4, headless 60)",
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="smooth", help="what goes wrong; nothing in smooth")
    parser.add_argument(
        "--approve", choices=APPROVALS, dest="approval", help="policy of the headless run (default auto)"
    )
    form = "run a release without a screen (the default without a terminal)"
    parser.add_argument("-o", "--output", choices=("text", "jsonl"), help=form)
    _world(parser)


def _fault_names() -> str:
    from emqx_tui.sandbox.fault_spec import KINDS

    about = "faults; a TIME such as 90s, 4m or 1h30m counts from the start of the release, in the cluster's time:"
    lasting = {name: f" (for {kind.lasts_s:g} s)" if kind.lasts_s else "" for name, kind in KINDS.items()}
    return "\n".join([about, *(f"  {name:<24}{kind.summary}{lasting[name]}" for name, kind in KINDS.items())])


def _rehearse(parser: Parser) -> None:
    read = "take sizes, versions, rates, connections and sessions from this cluster; it is only read"
    parser.add_argument("--like", type=like, metavar="[CONTEXT/]NAMESPACE/NAME", help=read)
    parser.add_argument(
        "--fault",
        type=faults,
        default=(),
        metavar="NAME@TIME[+DURATION],...",
        help="what breaks, when, and for how long; such as green-pod-restart@4m,api-down@6m+90s",
    )
    parser.add_argument(
        "--speed", type=number(1, 600), metavar="N", help="virtual seconds per second (default 10, headless 60)"
    )
    parser.add_argument(
        "--approve",
        choices=APPROVALS,
        dest="approval",
        help="run it without a screen, under this policy (the default without a terminal: auto)",
    )
    _sets(parser)
    _seed(parser)
    _form(parser)


def _world(parser: Parser) -> None:
    parser.add_argument(
        "--clients", type=whole(0, 10_000_000), default=100_000, metavar="N", help="MQTT clients (default 100,000)"
    )
    parser.add_argument("--nodes", type=whole(1, 100), default=3, metavar="N", help="EMQX nodes (default 3)")
    parser.add_argument(
        "--clusters",
        type=whole(1, 12),
        default=1,
        metavar="N",
        help="1 to 12: a fleet in several states instead of one cluster at rest (default 1)",
    )
    _seed(parser)
    parser.add_argument(
        "--mqtt-port",
        type=whole(0, 65535),
        metavar="P",
        help="of the MQTT listener Service on 127.0.0.1 (default: 1883, or any free when that is taken)",
    )


def _seed(parser: Parser) -> None:
    parser.add_argument(
        "--seed", type=whole(0, 2**63), default=1, metavar="N", help="seed of the simulation (default 1)"
    )


def _sandbox(parser: Parser) -> None:
    parser.add_argument("--speed", type=number(1, 600), default=1.0, metavar="N", help="virtual seconds per second")
    parser.add_argument(
        "--scenario", choices=SCENARIOS, help="start with a running cluster; without it the sandbox is empty"
    )
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, metavar="P", help="of the API server (default: any free)"
    )
    parser.add_argument("--parent-pid", type=whole(1, 2**31), help=argparse.SUPPRESS)
    parser.add_argument("--ready-fd", type=whole(0, 2**20), help=argparse.SUPPRESS)
    for flag in ("--shape", "--record"):
        parser.add_argument(flag, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fault", type=faults, dest="faults", default=(), help=argparse.SUPPRESS)
    _world(parser)


def _plan(parser: Parser) -> None:
    _what_to_change(parser)
    _form(parser)
    by = "HH:MM of this machine's zone, or YYYY-MM-DDTHH:MM: the lowest rate that ends the release by then"
    parser.add_argument("--finish-by", type=moment, metavar="TIME", help=by)
    parser.add_argument(
        "--max-reconnects",
        type=whole(1, 10_000_000),
        metavar="N",
        help="the highest rate with no more than N reconnects a second",
    )
    _drains(parser)


def _what_to_change(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    _sets(parser)
    parser.add_argument("--template", metavar="FILE", help="the whole new spec.template, or an EmqxEnterprise with it")


def _sets(parser: Parser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="sets",
        help="image.version, image.repository, initialDelaySeconds, waitTakeover, connEvictRate, sessEvictRate",
    )


def _rollout(parser: Parser) -> None:
    _what_to_change(parser)
    parser.add_argument(
        "--approve", choices=APPROVALS, dest="approval", help="which gates wait for a person (default every-node)"
    )
    _form(parser, "jsonl")
    parser.add_argument(
        "--override",
        type=acceptable_check,
        action="append",
        default=[],
        metavar="CHECK",
        help="start although this pre-flight check fails",
    )
    _when_to_leave(parser)
    _how_to_drain(parser)


def _when_to_leave(parser: Parser) -> None:
    parser.add_argument("--exit-at-gate", action="store_true", help="exit with 3 where a person has to approve")
    hold = parser.add_mutually_exclusive_group()
    hold.add_argument("--exit-on-hold", action="store_true", help="exit with 4 on any hold, once no drain runs")
    hold.add_argument(
        "--wait-on-hold",
        action="store_true",
        help="wait until the release is resumed (the default, except for a check's hold under --approve auto)",
    )
    parser.add_argument(
        "--timeout",
        type=duration,
        metavar="DURATION",
        help="stop following after this time; the release stays where it is (default: 0, no limit)",
    )


def _how_to_drain(parser: Parser) -> None:
    _drains(parser)
    parser.add_argument(
        "--no-freeze-on-silence",
        action="store_true",
        help="drain on when a node that clients go to does not answer: hold only",
    )


def _drains(parser: Parser) -> None:
    parser.add_argument(
        "--late-removal",
        action="store_true",
        help="no canary: a blue address leaves the Service when its node is empty",
    )
    parser.add_argument(
        "--parallel-drains", type=whole(1, 100), default=1, metavar="N", help="nodes drained at once (default 1)"
    )


def _get(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?")
    forms = f"{', '.join(LIST_FORMS)}, or jsonpath=TEMPLATE as kubectl spells it"
    parser.add_argument("-o", "--output", type=list_form, metavar="FORM", default="table", help=forms)
    parser.add_argument("-w", "--watch", action="store_true", help="go on and print what changes")


def _doctor(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="also this cluster: could a release start?")
    _form(parser)


def _status(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    _form(parser)
    parser.add_argument(
        "-w", "--watch", action="store_true", help="print again with every change, until the release ends"
    )


def _report(parser: Parser) -> None:
    file = "a recording, or the name of a cluster: its newest one"
    parser.add_argument("file", metavar="FILE", help=file)
    parser.add_argument(
        "-o", "--output", choices=("md", "html", "json"), default="md", help="Markdown (default), one HTML file, JSON"
    )


def _compare(parser: Parser) -> None:
    for name, metavar in (("first", "A"), ("second", "B")):
        parser.add_argument(name, metavar=metavar, help="a recording, or the name of a cluster: its newest one")
    _form(parser)


def _replay(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a recording, or the name of a cluster: its newest one")
    parser.add_argument("--speed", type=int, choices=REPLAY_SPEEDS, default=1, metavar="N", help=_speeds())


def _speeds() -> str:
    return f"how many times faster: {', '.join(map(str, REPLAY_SPEEDS))} (default 1)"


def _info(parser: Parser) -> None:
    _form(parser)
    parser.add_argument("--schema", action="store_true", help="the JSON Schema of the configuration file instead")


def _explain(parser: Parser) -> None:
    parser.add_argument("word", metavar="WORD", nargs="*", help="without it: every word")
    _form(parser)


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _verbs(add: Callable[..., None]) -> None:
    add("approve", _approve, "approve the gate that waits", epilog=VERB_EXIT_CODES)
    texts = {
        "hold": (_with_reason, "begin no further step; a running drain goes on; without a journal: hold the operator"),
        "freeze": (_with_reason, "hold, and stop the running drain"),
        "resume": (_verb, "lift a hold; status says what that accepts when a check holds"),
        "abort": (_of_ungated, "go back to blue, until the last blue node is scaled away"),
        "adopt": (_of_ungated, "give a release without a journal one: from then on every step waits for its gate"),
    }
    for name, (flags, text) in texts.items():
        add(name, flags, text, epilog=VERB_EXIT_CODES)


def _verb(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    _form(parser)


def _approve(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    only = "cut-over or a node's ordinal: approve this gate and no other"
    parser.add_argument("gate", type=gate, metavar="GATE", nargs="?", help=only)
    parser.add_argument(
        "--count", type=whole(1, 100), default=1, metavar="N", help="approve this node and the next N-1 too"
    )
    parser.add_argument(
        "--token", metavar="T", help="the word that the card asks for; refused when it is another gate's"
    )
    _form(parser)


def _with_reason(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--reason", metavar="TEXT", default="")
    _form(parser)


def _of_ungated(verb: Parser) -> None:
    verb.add_argument("name", metavar="NAME")
    verb.add_argument("--confirm", metavar="NAME", required=True, help="the name of the cluster, once more")
    without = "of a release without a journal, where it is not known"
    verb.add_argument(
        "--delay", type=whole(0, 999_999_999), metavar="SECONDS", help=f"your own initialDelaySeconds, {without}"
    )
    verb.add_argument("--template", metavar="FILE", help=f"spec.template before the release as YAML, {without}")
    _form(verb)
