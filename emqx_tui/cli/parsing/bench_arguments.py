"""The flags of `bench conn`, spelled as `mqttx bench conn` spells them.

`-h` is the host, so that help is `--help` only. Values of `-u` and `-P` are in no message.
"""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.cli.parsing.flags import Parser, duration, whole

PASSWORD = "EMQX_TUI_BENCH_PASSWORD"
CONN = "connect many MQTT clients, keep them connected, and count what happens to them"
EXIT_CODES = """\
exit codes:
  0  every client was connected at the end
  1  some were not, or none could be started
  2  wrong usage"""


def add_bench(parser: Parser, parents: Sequence[Parser]) -> None:
    """`bench conn`; it knows the global flags where its parents do."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", prog="emqx-tui bench", required=True)
    conn = kinds.add_parser("conn", help=CONN, description=CONN, parents=parents, epilog=EXIT_CODES, add_help=False)
    _run(conn)
    _client(conn)
    _will(conn)


def _run(parser: Parser) -> None:
    run = parser.add_argument_group("the run")
    run.add_argument("--help", action="help", help="show this, and leave (-h is the host)")
    run.add_argument("-h", "--hostname", default="localhost", metavar="HOST", help="default localhost")
    run.add_argument("-p", "--port", type=whole(1, 65535), default=1883, metavar="P", help="default 1883")
    run.add_argument("--confirm", metavar="HOST", help="the host once more; needed for any but this machine")
    run.add_argument("-c", "--count", type=whole(1, 1_000_000), default=1000, metavar="N", help="default 1000")
    run.add_argument(
        "-i", "--interval", type=whole(0, 3_600_000), default=10, metavar="MS", help="between two clients (default 10)"
    )
    run.add_argument("--duration", type=duration, metavar="DURATION", help="end after this time, not on Ctrl-C only")
    run.add_argument("-o", "--output", choices=("text", "json"), default="text", help="of the figures at the end")


def _client(parser: Parser) -> None:
    client = parser.add_argument_group("a client")
    versions = ("5", "5.0", "3.1.1", "3.1")
    client.add_argument(
        "-V", "--mqtt-version", choices=versions, default="5", metavar="V", help="5 (default), 3.1.1 or 3.1"
    )
    client.add_argument("-I", "--client-id", default="", metavar="ID", help="%%i is its number; else _NUMBER is added")
    client.add_argument("--no-clean", dest="clean", action="store_false", help="keep the session")
    client.add_argument(
        "-se",
        "--session-expiry-interval",
        type=whole(0, 0xFFFFFFFF),
        metavar="S",
        help="MQTT 5 (never with --no-clean)",
    )
    client.add_argument("-k", "--keepalive", type=whole(0, 65535), default=30, metavar="S", help="default 30")
    client.add_argument("-u", "--username", metavar="NAME")
    client.add_argument("-P", "--password", metavar="WORD", help=f"never printed; better in {PASSWORD}")
    client.add_argument(
        "-rp", "--reconnect-period", type=whole(0, 3_600_000), default=1000, metavar="MS", help="default 1000; 0: never"
    )
    client.add_argument(
        "--maximum-reconnect-times", type=whole(0, 1_000_000), metavar="N", help="in a row (default: no limit)"
    )
    client.add_argument(
        "--give-up-when-refused", action="store_true", help="as MQTTX: a refused client does not try again"
    )


def _will(parser: Parser) -> None:
    will = parser.add_argument_group("the will of each client")
    will.add_argument("-Wt", "--will-topic", metavar="TOPIC")
    will.add_argument("-Wm", "--will-message", default="", metavar="TEXT")
    will.add_argument("-Wq", "--will-qos", type=whole(0, 2), default=0, metavar="QOS")
    will.add_argument("-Wr", "--will-retain", action="store_true")
    will.add_argument("-Wd", "--will-delay-interval", type=whole(0, 0xFFFFFFFF), default=0, metavar="S")
