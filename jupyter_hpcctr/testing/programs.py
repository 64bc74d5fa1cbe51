"""Small Python programs that a suite runs in containers; they need the standard library alone."""

WAIT = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1).value, 0, 0, 0)  # PR_SET_PTRACER: any (Yama)
memory = ctypes.create_string_buffer(b"seen from the other rank")
with open(sys.argv[1] + ".new", "w") as file:
    file.write("%d %d %d" % (os.getpid(), ctypes.addressof(memory), len(memory.value)))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
"""Says where in its memory a text is, and waits."""

PEEK = """
import ctypes, sys
pid, address, length = map(int, sys.argv[1:])
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
memory = ctypes.create_string_buffer(length)
local, remote = Iovec(ctypes.addressof(memory), length), Iovec(address, length)
libc = ctypes.CDLL(None, use_errno=True)
libc.process_vm_readv.restype = ctypes.c_ssize_t
done = libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
print(memory.value.decode() if done == length else "errno %d" % ctypes.get_errno())
"""
"""Reads that text from another process."""

SIGNALLED = """
import os, signal, sys
os.chdir(sys.argv[1])
def note(signum, frame):
    with open("heard", "a") as file:
        file.write("%d\\n" % signum)
    if signum == signal.SIGTERM:
        sys.exit(5)
for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, note)
with open("ready", "w") as file:
    file.write("yes")
while True:
    signal.pause()
"""
"""Writes down each signal, in the directory that it is told, and ends with status 5 on SIGTERM."""

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
os.chdir(sys.argv[1])
parent = os.getpid()
if os.fork() == 0:
    with open(sys.argv[2] + ".new", "w") as file:
        file.write("%d %d" % (parent, os.getpid()))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
time.sleep(600)
"""
"""Ignores signals, has a child that does so too, and says which processes they are."""
