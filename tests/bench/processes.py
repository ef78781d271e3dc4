"""What processes use, as /proc tells."""
import os

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def field(pid, file_name, name):
    with open(f"/proc/{pid}/{file_name}", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise AssertionError(f"/proc/{pid}/{file_name} has no {name}")


def resident_mib(pid):
    return field(pid, "status", "VmRSS") / 1024


def bytes_written(pids):
    """What they have caused to be written to disks, past or through the page cache."""
    return sum(field(pid, "io", "write_bytes") for pid in pids)


def bytes_read(pid):
    """With every call that reads, whether from the disk or from the page cache."""
    return field(pid, "io", "rchar")


def forget_pages(folder):
    """What the files below the folder have in the page cache goes, so that the next read is of the disk."""
    os.sync()
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                file = os.open(os.path.join(where, name), os.O_RDONLY)
            except FileNotFoundError:  # a running broker removes files
                continue
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)
