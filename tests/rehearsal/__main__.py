"""`python -m tests.rehearsal [SEEDS] [--processes N]`: many stories, SEEDS of them or those of the seeds FIRST-LAST.

Prints each story that fails, made smaller, as soon as it is found, and at the end how many there were and what they
cost.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import resource
import sys
import time

from tests.support.story import told

TELL_EVERY = 500


def seeds(text: str) -> range:
    first, dash, last = text.partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal")
    parser.add_argument("seeds", nargs="?", type=seeds, default=range(10_000), help="how many, or FIRST-LAST")
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    # What is loaded by now is no garbage, and a story leaves little: processes inherit both.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    began, failed, count = time.monotonic(), 0, 0
    with multiprocessing.get_context("fork").Pool(wanted.processes) as pool:
        for count, words in enumerate(pool.imap_unordered(told, wanted.seeds, chunksize=4), 1):
            if words:
                failed += 1
                print(words, flush=True)
            if count % TELL_EVERY == 0:
                print(f"{count} stories, {failed} failed, {time.monotonic() - began:.0f} s", flush=True)
        pool.close()
        pool.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = (used.ru_utime + used.ru_stime) / max(1, count)
    print(f"{count} stories, {failed} failed, {time.monotonic() - began:.0f} s, {cpu_s:.2f} s of CPU each")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
