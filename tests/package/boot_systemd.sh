#!/usr/bin/env bash
# Boots the systemd of a Debian root as process 1 of namespaces of its own: processes, mounts, control groups,
# network (loopback alone).
#   boot_systemd.sh ROOT PID-FILE   needs root; PID-FILE gets systemd's process: for `nsenter -a -t`, and for
#                                   `kill -9`, which ends all that it started; so does `kill -9` of this script
#   boot_systemd.sh probe           only enters the namespaces, and ends
# Its control group, quipu-package-test-PID with this script's PID, stays for the caller to remove.
set -euo pipefail
root=$1 pid_file=${2:-}

if [ "${3:-}" != inside ]; then
  group=$(findmnt --noheadings --first-only --output TARGET --types cgroup2)/quipu-package-test-$$
  mkdir "$group"
  echo 0 >"$group/cgroup.procs"
  exec unshare --kill-child --pid --mount --cgroup --uts --ipc --net "$0" "$root" "$pid_file" inside
fi

[ "$root" != probe ] || exit 0
read -r pid _ </proc/self/stat  # /proc is still the outer one: the id by which others reach us
echo "$pid" >"$pid_file"
ip link set lo up
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
mkdir -p old
pivot_root . old
umount --lazy /old
exec env -i container=quipu-package-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=multi-user.target </dev/null
