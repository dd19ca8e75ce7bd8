"""Ctrl-C and SIGTERM, at any moment of a real command."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench

LINE = "stopped; every finished cell is stored, and the same command goes on from there"

# Started in the background, a shell's children ignore Ctrl-C, and theirs inherit it.
HEEDS = "import os, signal, sys; signal.signal(signal.SIGINT, signal.{}); os.execv(sys.executable, sys.argv[1:])"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")


def start(*arguments, disposition="SIG_DFL", **options):
    command = [sys.executable, "-c", HEEDS.format(disposition), sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, start_new_session=True, text=True, **options)


def stat(pid):
    """State, session, and seconds of computing of a process."""
    after_name = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return after_name[0], int(after_name[3]), sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")


def left_of(session):
    """Processes of a session that still run: one that has ended and was not yet asked for runs no more."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                state, its, _ = stat(path.name)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if its == session and state != "Z":
                found.append(int(path.name))
    return found


def is_worker(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def require_none_left(session):
    ended = time.monotonic() + 3
    while left := left_of(session):
        assert time.monotonic() < ended, left
        time.sleep(0.1)


def wait_for(process, seconds):
    """Until a command is as far as a quiet machine comes in some seconds, as far as its own computing shows."""
    started = time.monotonic()
    while time.monotonic() - started < seconds or stat(process.pid)[2] < min(seconds, 1) / 2:
        assert process.poll() is None
        time.sleep(0.02)


def smoke(out, workload="digits-dense[depth=2,width=8]"):
    return "-m", "bench", "run", "--suite", "smoke", "--workload", workload, "--out", out


@pytest.mark.parametrize(
    ("number", "code", "seconds"),
    [*((signal.SIGINT, 130, seconds) for seconds in (0.2, 0.5, 1, 2, 4)), (signal.SIGTERM, 143, 6)],
)
def test_a_signal_ends_a_command_in_one_line_whenever_it_comes(tmp_path, cache, number, code, seconds):
    process = start(*smoke(tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(process, seconds)
    # A terminal tells all processes of Ctrl-C, `kill` only the one that is named.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, LINE + "\n")
    require_none_left(process.pid)


def test_workers_that_have_only_started_say_nothing_of_their_own(tmp_path, cache):
    process = start(*smoke(tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Far enough to be Python's, and not yet to ignore anything.
    while not [pid for pid in left_of(process.pid) if pid != process.pid and is_worker(pid) and stat(pid)[2] > 0.2]:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, LINE + "\n")
    require_none_left(process.pid)


def test_a_worker_that_is_being_started_is_not_left_half_started(tmp_path, cache):
    # Between a process and what it is told first, Ctrl-C comes, and the machine takes its time.
    code = """
import multiprocessing.util, os, signal, sys, time
from bench.cli.interruption import heed_signals
from bench.cli.main import main
heed_signals()
real = multiprocessing.util.spawnv_passfds
def spawn(path, arguments, descriptors):
    pid = real(path, arguments, descriptors)
    if any("spawn_main" in str(argument) for argument in arguments):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.7)
    return pid
multiprocessing.util.spawnv_passfds = spawn
main(sys.argv[1:])
"""
    _, _, *run = smoke(tmp_path / "out")
    process = start("-c", code, *run, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, LINE + "\n")
    require_none_left(process.pid)


def test_what_xla_calls_back_swallows_nothing():
    code = """
import jax, signal, time
from bench.cli.interruption import heed_signals
heed_signals()
def called(x):
    signal.raise_signal(signal.SIGINT)
    time.sleep(5)
    return x
jax.block_until_ready(jax.jit(lambda x: jax.pure_callback(called, x, x))(1.0))
"""
    process = start("-c", code, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, LINE + "\n")


def test_a_main_thread_that_cannot_be_interrupted_is_not_waited_for():
    # One that holds on to its lock, as it does when a reader of its output stops reading.
    code = """
import sys
from bench.cli.interruption import heed_signals
heed_signals()
print("ready", flush=True)
sys.stdout.write("x" * 2**20)
"""
    process = start("-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=5) == 130
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


def test_what_is_started_is_ended_first_and_a_second_signal_changes_nothing():
    code = """
import signal, time
from bench.cli.interruption import heed_signals, unwinding
heed_signals()
with unwinding():
    try:
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)
    finally:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        print("ended", flush=True)
print("went on")
"""
    process = start("-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed, said) == (130, "ended\n", LINE + "\n")


def test_a_library_may_put_an_exception_of_its_own_in_its_place():
    code = """
import signal
from bench.cli.interruption import heed_signals, unwinding
heed_signals()
with unwinding():
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        pass
    # As Ray does.
    raise KeyboardInterrupt
"""
    process = start("-c", code, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, LINE + "\n")


def test_what_does_not_end_is_not_waited_for():
    code = """
import signal, time
from bench.cli.interruption import heed_signals, unwinding
heed_signals()
with unwinding():
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        time.sleep(30)
"""
    process = start("-c", code, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (143, LINE + "\n")


def test_where_ctrl_c_was_ignored_it_is_ignored_still():
    code = "import signal; from bench.cli.interruption import heed_signals; heed_signals(); " \
        "signal.raise_signal(signal.SIGINT); print('went on')"  # fmt: skip
    process = start("-c", code, disposition="SIG_IGN", stdout=subprocess.PIPE)
    assert process.communicate(timeout=60)[0] == "went on\n"
    assert process.returncode == 0


@pytest.mark.parametrize("early", [True, False])
def test_a_terminal_has_its_cursor_again(tmp_path, cache, early):
    keyboard, screen = pty.openpty()
    process = start(*smoke(tmp_path / "out"), stdin=screen, stdout=screen, stderr=screen)
    os.close(screen)
    shown, signalled = b"", False
    while True:
        try:
            ready = select.select([keyboard], [], [], 120)[0]
            new = os.read(keyboard, 1000) if ready else b""
        except OSError:
            break
        if not new:
            break
        shown += new
        # The bar hides the cursor, and a little later shows its first figures.
        if re.search(rb"\x1b\[\?25l" if early else rb"\b0/\d", shown) and not signalled:
            os.killpg(process.pid, signal.SIGINT)
            signalled = True
    assert process.wait(timeout=10) == 130
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert shown.count(LINE.encode()) == 1
    assert early or re.sub(rb"\x1b\[[?\d]*[a-zA-Z]", b"", shown).endswith(b"\n" + LINE.encode() + b"\r\n")
    require_none_left(process.pid)


def test_the_harness_itself_is_imported_in_a_moment():
    code = "import sys; before = set(sys.modules); import bench.cli.interruption; " \
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"  # fmt: skip
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == [Path(bench.__file__).parent.name]
